"""What run.json and items.json say of a run, whole or taken up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.records.folder import RunFolder, write_records
from pytest_sema_bench.records.outcome import Outcome, read_reason
from pytest_sema_bench.records.reader import read_items, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.manifest import Manifest
from pytest_sema_bench.run.plan import Plan
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.settings import Config, Settings
from pytest_sema_bench.suite.task import load_tasks
from tests.samples.many_tasks import write_sums
from tests.samples.record import RECORD

VM = VMInfo(backend="wasm", version="1", build="abcdef0123", host="node")
MODEL = Model(name="m", id="m", provider="p", base_url=None)
CONFIG = Config(name="tools", tools=("eval_code",))
STARTED = 1_767_225_600.0


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[WorkItem]:
    """Three tasks for one model."""
    tasks = load_tasks(write_sums(tmp_path_factory.mktemp("suite") / "tasks", 3))
    return [WorkItem(task=task, model=MODEL, config=CONFIG) for task in tasks]


def make_manifest(tmp_path: Path) -> Manifest:
    """That of a run whose folder exists."""
    settings = Settings(models=("m",))
    plan = Plan(settings=settings, models=(MODEL,), configs=(CONFIG,), root=tmp_path)
    folder = RunFolder(tmp_path / "run")
    folder.make()
    return Manifest(plan, folder)


def record_of(item: WorkItem, outcome: str = "pass", text: str = "right") -> Record:
    """A record of the item."""
    end, reason = Outcome(outcome), read_reason(Outcome(outcome), text)
    return replace(RECORD, key=item.key, task=item.task.id, outcome=end, reason=reason)


def states(tmp_path: Path) -> dict[str, Any]:
    """What run.json says."""
    content: dict[str, Any] = json.loads((tmp_path / "run" / "run.json").read_text())
    return content


ENDS: dict[str, tuple[tuple[tuple[str, str], ...], str, int]] = {
    "all graded": ((("pass", "right"), ("fail", "wrong value"), ("pass", "right")), "finished", 0),
    "one refused": ((("pass", "right"), ("void", "api error"), ("pass", "right")), "finished", 1),
    "money spent": ((("pass", "right"), ("void", "budget"), ("void", "budget")), "incomplete", 2),
    "interrupted": ((("pass", "right"),), "incomplete", 0),
    "nothing": ((), "incomplete", 0),
}


@pytest.mark.parametrize("name", ENDS)
def test_run_json_says_how_a_run_ended(tmp_path: Path, items: list[WorkItem], name: str) -> None:
    """Finished if every item was tried; what is void and what is missing are counted."""
    ends, state, n_void = ENDS[name]
    manifest = make_manifest(tmp_path)
    manifest.begin(items, VM, STARTED)
    assert states(tmp_path)["state"] == "running"
    records = [record_of(items[n], *end) for n, end in enumerate(ends)]
    write_records(tmp_path / "run" / "records.jsonl", records)
    manifest.end(read_run(tmp_path / "run"), 1)
    content = states(tmp_path)
    assert (content["state"], content["n_void"], content["exit_status"]) == (state, n_void, 1)
    assert content["n_missing"] == len(items) - len(ends)
    assert content["start"] == "2026-01-01T00:00:00+00:00"
    assert content["vm"] == VM.label
    assert set(content["task_hashes"]) == {item.task.id for item in items}


def test_a_run_taken_up_keeps_its_beginnings(tmp_path: Path, items: list[WorkItem]) -> None:
    """The first start stays the start; a second process of the same session adds none."""
    for started in (STARTED, STARTED + 60, STARTED + 60):
        make_manifest(tmp_path).begin(items, VM, started)
    content = states(tmp_path)
    assert content["begun"] == ["2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00"]
    assert content["start"] == content["begun"][0]


def test_items_of_a_run_taken_up_are_those_of_both(tmp_path: Path, items: list[WorkItem]) -> None:
    """A question that changed replaces the one in its place; none is lost or doubled."""
    make_manifest(tmp_path).begin(items[:2], VM, STARTED)
    changed = replace(items[1], task=replace(items[1].task, task_hash="changed"))
    make_manifest(tmp_path).begin([changed, items[2]], VM, STARTED)
    both = read_items(tmp_path / "run")
    assert [entry.item for entry in both] == [item.item for item in items]
    assert [entry.key for entry in both] == [items[0].key, changed.key, items[2].key]
