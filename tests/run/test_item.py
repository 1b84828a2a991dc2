"""Work items: their names, and the key that tells questions apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.catalog.models import Model, Price, RateLimits
from pytest_sema_bench.run.item import WorkItem, asked_config
from pytest_sema_bench.settings import DEFAULT_MAX_TOKENS, Config, Sampling
from pytest_sema_bench.suite.task import Task, load_task
from tests.samples.double_task import DOUBLE, write_double_task

MODEL = Model(name="m", id="vendor/m", provider="p", base_url="http://127.0.0.1:1/v1")
CONFIG = Config(name="tools", tools=("eval_code",))


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A task that asks for `(double n)`."""
    return load_task(write_double_task(tmp_path_factory.mktemp("suite")) / "double.yaml")


@pytest.fixture(scope="module")
def item(task: Task) -> WorkItem:
    """The task for one model."""
    return WorkItem(task=task, model=MODEL, config=CONFIG)


def test_names_tell_items_apart(item: WorkItem) -> None:
    """The first sample has the plain name."""
    third = replace(item, sample=3)
    assert (item.name, third.name) == ("double[m-tools]", "double[m-tools-s3]")
    assert (item.item.file, third.item.file) == ("double/m-tools-s1", "double/m-tools-s3")


def test_what_is_asked_is_complete(item: WorkItem) -> None:
    """The configuration's sampling over the model's, and always a bound on tokens."""
    assert item.asked.sampling == Sampling(max_tokens=DEFAULT_MAX_TOKENS)
    model = replace(MODEL, sampling=Sampling(temperature=0.5, max_tokens=7))
    config = replace(CONFIG, sampling=Sampling(temperature=0.0))
    assert asked_config(model, config).sampling == Sampling(temperature=0.0, max_tokens=7)


OTHER_QUESTIONS: dict[str, dict[str, Any]] = {
    "sample": {"sample": 2},
    "model id": {"model": replace(MODEL, id="vendor/m-2")},
    "provider": {"model": replace(MODEL, provider="q")},
    "model's sampling": {"model": replace(MODEL, sampling=Sampling(top_p=0.5))},
    "extra fields": {"model": replace(MODEL, extra={"thinking": True})},
    "configuration": {"config": replace(CONFIG, name="bare")},
    "tools": {"config": replace(CONFIG, tools=())},
    "rounds": {"config": replace(CONFIG, max_rounds=9)},
    "sampling": {"config": replace(CONFIG, sampling=Sampling(temperature=0.0))},
}


@pytest.mark.parametrize("name", OTHER_QUESTIONS)
def test_another_question_has_another_key(item: WorkItem, name: str) -> None:
    """Whatever a server is sent differently makes a different key."""
    assert replace(item, **OTHER_QUESTIONS[name]).key != item.key


SAME_QUESTIONS = {
    "name": replace(MODEL, name="n"),
    "price": replace(MODEL, price=Price(input_usd=1.0, output_usd=1.0)),
    "rate limits": replace(MODEL, limits=RateLimits(concurrency=1)),
    "name of the key's variable": replace(MODEL, key_env="OTHER"),
    "known adaptations": replace(MODEL, adapt=("stream",)),
    "a bound that is sent anyway": replace(MODEL, sampling=Sampling(max_tokens=4096)),
}


@pytest.mark.parametrize("name", SAME_QUESTIONS)
def test_what_is_not_asked_is_not_in_the_key(item: WorkItem, name: str) -> None:
    """A run can be taken up after a price or a limit was corrected."""
    assert replace(item, model=SAME_QUESTIONS[name]).key == item.key


def test_a_key_belongs_to_the_text_of_the_task(task: Task, item: WorkItem, tmp_path: Path) -> None:
    """Not to its place: the same file elsewhere is the same question, another text is not."""
    elsewhere = load_task(write_double_task(tmp_path / "elsewhere") / "double.yaml")
    assert replace(item, task=elsewhere).key == item.key
    folder = write_double_task(tmp_path / "other", DOUBLE.replace("returns", "gives"))
    assert replace(item, task=load_task(folder / "double.yaml")).key != item.key
    folder = write_double_task(tmp_path / "harder", DOUBLE.replace("(double -3)", "(double -4)"))
    assert replace(item, task=load_task(folder / "double.yaml")).key != item.key


def test_the_system_prompt_is_part_of_the_question(item: WorkItem, tmp_path: Path) -> None:
    """By its text, so that an edited prompt is another question."""
    path = tmp_path / "prompt.md"
    path.write_text("Write Sema.")
    assert replace(item, config=replace(CONFIG, system_prompt=path)).key != item.key
