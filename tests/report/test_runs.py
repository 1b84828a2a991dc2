"""Several run folders read as one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.records.folder import RunFolder, write_records
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.runs import Merged, merge_runs
from tests.samples.made_up_run import write_run_files
from tests.samples.record import RECORD

PASSED = replace(RECORD, outcome=Outcome.PASS, reason=Reason.RIGHT, score=1.0)
VOID = replace(RECORD, outcome=Outcome.VOID, reason=Void.API, score=None)


def write_run(folder: Path, *records: Record, day: int = 1) -> Path:
    """A run folder with these records."""
    folder.mkdir(parents=True)
    write_records(folder / "records.jsonl", records)
    write_run_files(RunFolder(folder), records, day=day)
    return folder


def merged(*folders: Path) -> Merged:
    """The runs in these folders as one."""
    return merge_runs([read_run(folder) for folder in folders])


MEETINGS = {
    "a verdict replaces an older void": (VOID, PASSED, "pass"),
    "a void does not replace an older verdict": (PASSED, VOID, "pass"),
    "the newer of two verdicts counts": (PASSED, RECORD, "fail"),
}


@pytest.mark.parametrize(("older", "newer", "outcome"), MEETINGS.values(), ids=MEETINGS)
@pytest.mark.parametrize("backwards", [False, True])
def test_one_record_of_an_item_counts(
    tmp_path: Path, older: Record, newer: Record, outcome: str, backwards: bool
) -> None:
    """Which one is decided by verdict and date, not by the order on the command line."""
    one = write_run(tmp_path / "x", older, day=1)
    other = write_run(tmp_path / "a", newer, day=2)
    both = merged(other, one) if backwards else merged(one, other)
    assert [record.outcome for record in both.records] == [outcome]
    assert "1 records stand in more than one of these runs" in both.notes[0]


def test_shards_add_up(tmp_path: Path) -> None:
    """Runs of different tasks and models stand beside each other, without a note."""
    one = write_run(tmp_path / "a", RECORD)
    other = write_run(tmp_path / "b", replace(RECORD, task="L1-01-x", level="L1", model="n"))
    both = merged(one, other)
    assert [(e.item.task, e.item.label) for e in both.entries] == [
        ("L2-05-palindrome", "m-tools-s1"),
        ("L1-01-x", "n-tools-s1"),
    ]
    assert both.notes == ()
    assert [entry.folder for entry in both.entries] == [one, other]


DIFFERENCES = {
    "vm": ({"vm": "wasm 2.0"}, "Graded by different VMs"),
    "grader": ({"grader": 9}, "Graded by different graders"),
    "task": ({"task_hash": "other"}, "L2-05-palindrome stands here in more than one version"),
    "served": ({"model": "m", "sample": 2, "served_model": "m-turbo"}, "m-tools was served as"),
    "provider": ({"model": "m", "sample": 2, "provider": "q"}, "m-tools was asked at p, q"),
}


@pytest.mark.parametrize(("change", "note"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_differs_is_said(tmp_path: Path, change: dict[str, str], note: str) -> None:
    """A reader of merged runs learns what makes them unequal."""
    first = replace(RECORD, served_model="m")
    second = replace(first, **{"model": "n", **change})  # type: ignore[arg-type]
    both = merged(write_run(tmp_path / "a", first), write_run(tmp_path / "b", second, day=2))
    assert any(note in line for line in both.notes), both.notes


def test_an_item_without_a_record_is_kept(tmp_path: Path) -> None:
    """What the run set out to do and did not get to is an entry, and the run's state a note."""
    folder = write_run(tmp_path / "a", RECORD)
    write_run_files(RunFolder(folder), [RECORD, replace(RECORD, sample=2)])
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**about, "state": "running"}))
    one = merged(folder)
    assert [entry.record is None for entry in one.entries] == [False, True]
    assert "did not get to its end (its state is running)" in one.notes[0]
    assert one.results().incomplete == "a is running"


def test_results_for_the_gate_are_the_same(tmp_path: Path) -> None:
    """The gate is given what the report shows."""
    results = merged(write_run(tmp_path / "a", PASSED), write_run(tmp_path / "b", VOID)).results()
    (group,) = results.groups
    assert [s.outcome for task in group.tasks for s in task.samples] == [Outcome.PASS]
