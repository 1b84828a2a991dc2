"""Which run is taken up, and what of it is kept."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Void
from pytest_sema_bench.run.resume import find_resumed, question_hashes, read_resumed
from pytest_sema_bench.settings import NEWEST, Config, Sampling
from tests.samples.record import RECORD

QUESTIONS = {"m-tools": "hash-1", "m-bare": "hash-2"}
STATES: dict[str, dict[str, Any]] = {
    "running": {"state": "running"},
    "incomplete": {"state": "incomplete"},
    "with void items": {"state": "finished", "n_void": 1},
}


def write_run(folder: Path, name: str, **content: Any) -> Path:
    """A run folder with a run.json."""
    path = folder / name
    path.mkdir(parents=True)
    defaults: dict[str, Any] = {
        "state": "incomplete",
        "questions": QUESTIONS,
        "settings": {"tasks": None},
    }
    (path / "run.json").write_text(json.dumps(defaults | content))
    return path


def write_items(run: Path, *keys: str) -> None:
    """Let a run have set out to ask these."""
    item = PlannedItem.of(RECORD)
    (run / "items.json").write_text(json.dumps([replace(item, key=k).to_json() for k in keys]))


def found(folder: Path, name: str = NEWEST, questions: Mapping[str, str] = QUESTIONS) -> str | None:
    """The name of the run that is taken up."""
    earlier = find_resumed(name, folder, questions, {"suite": "core", "tasks": None})
    return earlier.data.path.name if earlier else None


@pytest.mark.parametrize("state", STATES)
def test_a_run_with_something_left_to_ask_is_taken_up(tmp_path: Path, state: str) -> None:
    """The newest one; a finished one that does not hold all of it is passed over."""
    write_run(tmp_path, "20260101-000000-a")
    write_items(write_run(tmp_path, "20260102-000000-a", **STATES[state]), "a", "b")
    write_items(write_run(tmp_path, "20260103-000000-a", state="finished", n_void=0), "a")
    assert found(tmp_path) == "20260102-000000-a"


def test_a_finished_run_is_found_where_nothing_is_left_of_the_others(tmp_path: Path) -> None:
    """Whoever ran it all after an interruption has nothing to ask any more."""
    write_items(write_run(tmp_path, "20260101-000000-a", state="finished", n_void=0), "a", "b")
    assert found(tmp_path) == "20260101-000000-a"
    write_items(write_run(tmp_path, "20260102-000000-a"), "a")
    write_items(write_run(tmp_path, "20260103-000000-a", state="finished", n_void=0), "a", "b")
    assert found(tmp_path) == "20260103-000000-a"


def test_one_question_in_common_is_enough(tmp_path: Path) -> None:
    """More models may be asked now than then; another question under the same name is another."""
    write_run(tmp_path, "20260101-000000-a", questions={"m-tools": "hash-1"})
    assert found(tmp_path, questions={"m-tools": "hash-1", "n-tools": "hash-3"})
    assert not found(tmp_path, questions={"m-tools": "hash-3"})
    assert not found(tmp_path, questions={"n-tools": "hash-1"})


def test_a_run_of_other_tasks_is_not_taken_up(tmp_path: Path) -> None:
    """Its items would be missing for ever."""
    write_run(tmp_path, "20260101-000000-a", settings={"tasks": "elsewhere"})
    assert not found(tmp_path)
    earlier = find_resumed(NEWEST, tmp_path, QUESTIONS, {"tasks": "elsewhere"})
    assert earlier is not None


def test_a_damaged_run_is_passed_over_unless_it_is_named(tmp_path: Path) -> None:
    """One broken folder does not keep the older ones from being taken up."""
    write_run(tmp_path, "20260101-000000-a")
    (write_run(tmp_path, "20260102-000000-a") / "run.json").write_text('{"state": "runn')
    assert found(tmp_path) == "20260101-000000-a"
    with pytest.raises(BenchError, match=r"run\.json:1: not JSON"):
        found(tmp_path, "20260102-000000-a")


@pytest.mark.parametrize("name", [NEWEST, "20260101-000000-a"])
def test_a_run_in_use_is_an_error(tmp_path: Path, name: str) -> None:
    """Another process writes to it; once that has ended it is free."""
    folder = RunFolder(write_run(tmp_path, "20260101-000000-a"))
    folder.take()
    with pytest.raises(SettingsError, match="the run 20260101-000000-a is still under way; wait"):
        found(tmp_path, name)
    folder.close()
    assert found(tmp_path, name)


def test_a_named_run_is_taken_by_name_or_path(tmp_path: Path) -> None:
    """Whatever its state; a name without a run is an error."""
    path = write_run(tmp_path / "reports", "20260101-000000-a", state="finished")
    assert found(tmp_path / "reports", path.name) == path.name
    assert found(tmp_path / "elsewhere", str(path)) == path.name
    with pytest.raises(SettingsError, match="there is no run 'gone' in "):
        found(tmp_path / "reports", "gone")


def test_verdicts_are_kept_and_money_is_counted(tmp_path: Path) -> None:
    """Void records are no verdicts, but they have cost something."""
    path = write_run(tmp_path, "20260101-000000-a")
    records = [
        replace(RECORD, key="a", outcome=Outcome.VOID, reason=Void.API, score=None, cost_usd=0.5),
        replace(RECORD, key="a", outcome=Outcome.FAIL, cost_usd=1.0),
        replace(
            RECORD, key="b", outcome=Outcome.VOID, reason=Void.BUDGET, score=None, cost_usd=None
        ),
        replace(RECORD, key="c", outcome=Outcome.PASS, cost_usd=2.0),
        replace(RECORD, key="c", outcome=Outcome.VOID, reason=Void.API, score=None),
    ]
    lines = [record.to_json() for record in records]
    (path / "records.jsonl").write_text("\n".join(lines[:2]) + "\n")
    (path / "records-gw1.jsonl").write_text("\n".join(lines[2:]) + "\n" + lines[0][:50])
    earlier = read_resumed(path)
    assert {key: r.outcome for key, r in earlier.verdicts.items()} == {"a": "fail", "c": "pass"}
    assert earlier.spent_usd >= 3.5
    assert earlier.data.torn == ("records-gw1.jsonl",)
    assert earlier.note == (
        "takes up 20260101-000000-a: 2 verdicts are kept; "
        "the half-written last line of records-gw1.jsonl is dropped"
    )


def test_a_whole_line_that_is_no_record_is_an_error(tmp_path: Path) -> None:
    """Verdicts are not lost in silence."""
    path = write_run(tmp_path, "20260101-000000-a")
    (path / "records.jsonl").write_text('{"schema": 1}\n')
    with pytest.raises(BenchError, match="not a record"):
        read_resumed(path)


def test_questions_are_told_apart_by_content() -> None:
    """Each pair of model and configuration has a hash, the same for the same content."""
    model = Model(name="m", id="m", provider="p", base_url=None)
    tools, bare = Config(name="tools", tools=("eval_code",)), Config(name="bare")
    hashes = question_hashes([(model, tools), (model, bare)])
    assert list(hashes) == ["m-tools", "m-bare"]
    assert len(set(hashes.values())) == 2
    assert question_hashes([(model, bare)])["m-bare"] == hashes["m-bare"]
    warm = Config(name="bare", sampling=Sampling(temperature=1.0))
    assert question_hashes([(model, warm)])["m-bare"] != hashes["m-bare"]
    silent = Config(name="tools", tools=("eval_code",), hints=False)
    assert question_hashes([(model, silent)])["m-tools"] != hashes["m-tools"]
