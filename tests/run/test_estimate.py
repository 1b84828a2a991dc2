"""What a run would cost, from records and from sizes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.catalog.models import Model, Price
from pytest_sema_bench.records.folder import write_records
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.run.estimate import Estimate, estimate_lines, make_estimates
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.settings import Config
from pytest_sema_bench.suite.task import Task, load_tasks
from tests.samples.many_tasks import write_sums
from tests.samples.record import RECORD

PRICE = Price(input_usd=1.0, output_usd=10.0)
MODEL = Model(name="m", id="m", provider="p", base_url="http://127.0.0.1:1/v1", price=PRICE)
TOOLS, BARE = Config(name="tools", tools=("eval_code",)), Config(name="bare")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, ...]:
    """Two tasks of level 1."""
    return load_tasks(write_sums(tmp_path_factory.mktemp("suite") / "tasks", 2))


def items(tasks: tuple[Task, ...], config: Config = TOOLS, model: Model = MODEL) -> list[WorkItem]:
    """The tasks for a model."""
    return [WorkItem(task=task, model=model, config=config) for task in tasks]


def one(of: Task, n_prompt: int, n_completion: int = 0, **fields: Any) -> Record:
    """A record of a task that took so many tokens."""
    record = replace(
        RECORD,
        task=of.id,
        level=of.level,
        tokens=Tokens(prompt=n_prompt, completion=n_completion),
    )
    return replace(record, **fields)


def keep(folder: Path, run: str, *records: Record) -> None:
    """A run with these records."""
    (folder / run).mkdir(parents=True)
    (folder / run / "run.json").write_text("{}")
    write_records(folder / run / "records.jsonl", records)


def test_the_mean_of_a_tasks_records_is_what_it_will_take(
    tmp_path: Path, tasks: tuple[Task, ...]
) -> None:
    """Over all earlier runs; a task without records takes the mean of its level."""
    first, _ = tasks
    keep(tmp_path, "a", one(first, 100, 10), one(first, 200, 20))
    keep(tmp_path, "b", one(first, 300, 30))
    (estimate,) = make_estimates(items(tasks), tmp_path)
    assert (estimate.n_items, estimate.n_from_records) == (2, 2)
    assert (estimate.prompt_tokens, estimate.completion_tokens) == (400, 40)
    assert estimate.cost_usd == pytest.approx((400 * 1 + 40 * 10) / 1e6)


IRRELEVANT: dict[str, dict[str, Any]] = {
    "another model": {"model": "n"},
    "another configuration": {"config": "bare"},
    "void": {"outcome": "void"},
    "no usage": {"tokens": Tokens()},
    "another task and level": {"task": "x", "level": "L5"},
}


@pytest.mark.parametrize("name", IRRELEVANT)
def test_what_is_not_the_same_question_says_nothing(
    tmp_path: Path, tasks: tuple[Task, ...], name: str
) -> None:
    """Then sizes decide."""
    (guess,) = make_estimates(items(tasks), tmp_path)
    keep(tmp_path, "a", one(tasks[0], 1_000_000, **IRRELEVANT[name]))
    assert make_estimates(items(tasks), tmp_path) == (guess,)
    assert guess.n_from_records == 0


def test_a_damaged_run_is_passed_over(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    """An estimate is no place to complain about an old folder."""
    keep(tmp_path, "a", one(tasks[0], 100))
    keep(tmp_path, "b")
    (tmp_path / "b" / "records.jsonl").write_text("no record\n")
    (estimate,) = make_estimates(items(tasks), tmp_path)
    assert estimate.prompt_tokens == 200


def test_tools_cost_more_than_one_question(tmp_path: Path, tasks: tuple[Task, ...]) -> None:
    """Each round sends the conversation again; models and configurations are told apart."""
    both = make_estimates([*items(tasks), *items(tasks, BARE)], tmp_path)
    assert [estimate.name for estimate in both] == ["m-tools", "m-bare"]
    assert both[0].prompt_tokens > 3 * both[1].prompt_tokens
    assert both[0].completion_tokens == 3 * both[1].completion_tokens


def test_lines_name_what_is_not_known() -> None:
    """A model without a price leaves the sum open; guesses are said to be guesses."""
    known = Estimate(
        name="m-tools",
        n_items=2,
        n_from_records=2,
        prompt_tokens=12345.6,
        completion_tokens=7,
        cost_usd=1.255,
    )
    lines = list(estimate_lines([known]))
    assert lines[-1] == "in all about $1.25"
    assert "12,346" in lines[2]
    lines = list(estimate_lines([known, replace(known, n_from_records=1, cost_usd=None)]))
    assert lines[-2] == "in all about $1.25, and what has no price"
    assert lines[-1].startswith("without records of earlier runs: ")
    assert lines[3].endswith("?")
