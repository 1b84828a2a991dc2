"""From records to what comparing needs, and where results are read from."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.task_results import group_records, merge
from pytest_sema_bench.records.folder import write_records
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Void
from tests.samples.outcomes import SETUP, records_of, results_of, write_run

TASK = "L1-01-list"


def test_samples_come_in_order_with_their_counts() -> None:
    """Passes, graded samples and reasons follow from the records."""
    task = group_records(records_of({TASK: "pfv"}))[0].tasks[0]
    assert [s.outcome for s in task.samples] == [Outcome.PASS, Outcome.FAIL, Outcome.VOID]
    assert (task.n_pass, len(task.graded), task.reasons) == (1, 2, ("wrong value",))
    assert (task.vm, task.grader, task.task_hash) == ("wasm 1", 1, "h")


def test_a_file_of_records_counts_as_a_run_does(tmp_path: Path) -> None:
    """Of an item that was void first and then passed, the pass counts."""
    path = tmp_path / "records.jsonl"
    write_records(path, [*records_of({TASK: "v"}), *records_of({TASK: "p"})])
    assert [s.outcome for s in load_results(path).groups[0].tasks[0].samples] == [Outcome.PASS]


def test_what_was_to_run_and_has_no_record_is_void() -> None:
    """A killed run does not look complete."""
    planned = [PlannedItem(item=ItemKey(TASK, SETUP, n), level="L1") for n in (1, 2)]
    (task,) = group_records(records_of({TASK: "p"}), planned)[0].tasks
    assert [s.reason for s in task.samples] == ["right", Void.MISSING]


def test_a_sample_graded_by_another_vm_does_not_count() -> None:
    """Samples of one task are judged alike, by the VM of the last."""
    first, second = records_of({TASK: "pp"})
    (task,) = group_records([replace(first, vm="wasm 0"), second])[0].tasks
    assert task.vm == "wasm 1"
    assert len(task.graded) == 1


def test_models_and_configurations_stay_apart() -> None:
    """Each has a group of its own, sorted by name."""
    records = [
        *records_of({TASK: "p"}, model="b"),
        *records_of({TASK: "f"}, model="a", config="bare"),
        *records_of({TASK: "f"}, model="a"),
    ]
    assert [group.name for group in group_records(records)] == ["a-bare", "a-tools", "b-tools"]


def test_a_run_folder_is_read_whole(tmp_path: Path) -> None:
    """Its files of records, what it set out to do, its name, date and state."""
    folder = write_run(tmp_path / "r1", records_of({TASK: "pf"}))
    results = load_results(folder)
    assert (results.run, results.date) == ("r1", "2026-11-24T03:00:00+00:00")
    assert results.incomplete is None
    assert results.groups == load_results(folder / "records.jsonl").groups


def test_a_run_that_did_not_finish_says_so(tmp_path: Path) -> None:
    """Its state is the reason."""
    folder = write_run(tmp_path / "r1", records_of({TASK: "p"}), state="running")
    assert load_results(folder).incomplete == "the run's state is 'running'"


def test_half_a_last_line_is_left_out(tmp_path: Path) -> None:
    """A killed process leaves one behind; what came before is sound."""
    folder = write_run(tmp_path / "r1", records_of({TASK: "pf"}))
    path = folder / "records.jsonl"
    path.write_text(path.read_text()[:-40])
    (task,) = load_results(folder).groups[0].tasks
    assert [s.outcome for s in task.samples] == [Outcome.PASS, Outcome.VOID]


def broken_record(folder: Path) -> Path:
    """A folder whose second record is none."""
    path = write_run(folder / "r1", records_of({TASK: "p"}))
    with (path / "records.jsonl").open("a") as file:
        file.write('{"schema": 1}\n')
    return path


def broken_run_json(folder: Path) -> Path:
    """A folder whose run.json was cut off."""
    path = write_run(folder / "r1", records_of({TASK: "p"}))
    (path / "run.json").write_text('{\n "run":')
    return path


def empty_folder(folder: Path) -> Path:
    """A folder that is no run."""
    (folder / "r1").mkdir()
    return folder / "r1"


UNREADABLE = {
    "a broken record": (broken_record, r"records\.jsonl:2: not a record"),
    "a broken run.json": (broken_run_json, r"run\.json:2: not JSON"),
    "no records": (empty_folder, "no run folder"),
    "nothing": (lambda folder: folder / "none", "there is no run folder and no file"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    """The error says which file, and where there is one which line."""
    make, message = UNREADABLE[name]
    with pytest.raises(BenchError, match=message):
        load_results(make(tmp_path))


def test_shards_are_one_run() -> None:
    """Tasks, samples and models of several runs come together."""
    one = results_of({"L1-01-list": "p"}, source="one")
    two = results_of({"L1-02-list": "f"}, source="two")
    three = results_of({"L1-01-list": "f"}, source="three", model="n")
    merged = merge([one, two, three])
    assert [(g.name, len(g.tasks)) for g in merged.groups] == [("m-tools", 2), ("n-tools", 1)]
    assert merged.source == "one + two + three"


def test_a_shard_that_was_void_is_made_good_by_another() -> None:
    """A graded sample replaces a void one."""
    (group,) = merge([results_of({TASK: "v"}), results_of({TASK: "p"})]).groups
    assert group.tasks[0].n_pass == 1


def test_the_same_item_graded_twice_is_no_shard() -> None:
    """Two full runs of one model are not silently taken for one."""
    with pytest.raises(BenchError, match="both hold sample 1 of L1-01-list by m-tools"):
        merge([results_of({TASK: "p"}, source="x"), results_of({TASK: "p"}, source="y")])
