"""Reading a run folder: what of it counts, what an older version left, what is damaged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.errors import BenchError, DamagedFile
from pytest_sema_bench.records.folder import RunFolder, write_records
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Reason, RunStatus, Void
from pytest_sema_bench.records.reader import (
    RunJson,
    read_items,
    read_manifest,
    read_records,
    read_run,
)
from pytest_sema_bench.records.record import SCHEMA, Record
from tests.samples.record import RECORD

OLD_RUN = Path(__file__).parent.parent / "samples" / "old_run"
PASSED = replace(RECORD, outcome=Outcome.PASS, reason=Reason.RIGHT)
REFUSED = replace(RECORD, outcome=Outcome.VOID, reason=Void.API)
UNPAID = replace(RECORD, outcome=Outcome.VOID, reason=Void.BUDGET)


def write_run(folder: Path, *records: Record, planned: tuple[Record, ...] = ()) -> Path:
    """A run folder with these records, which set out to do what the planned ones are about."""
    folder.mkdir()
    write_records(folder / "records.jsonl", records)
    if planned:
        RunFolder(folder).write_items(map(PlannedItem.of, planned))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one record."""
    return write_run(tmp_path / "run", RECORD, planned=(RECORD,))


SEVERAL = {
    "a verdict after a void one": ((REFUSED, PASSED), PASSED),
    "a verdict before a void one": ((PASSED, REFUSED), PASSED),
    "the first of two verdicts": ((RECORD, PASSED), RECORD),
    "the last of two void ones": ((REFUSED, UNPAID), UNPAID),
    "a verdict between void ones": ((REFUSED, PASSED, UNPAID), PASSED),
}


@pytest.mark.parametrize(("records", "counts"), SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize("is_planned", [False, True])
def test_one_record_of_an_item_counts(
    tmp_path: Path, records: tuple[Record, ...], counts: Record, is_planned: bool
) -> None:
    """A graded one before a void one, then the first; all stay known as written."""
    found = read_run(write_run(tmp_path / "run", *records, planned=records[:is_planned]))
    assert found.records == (counts,)
    assert found.written == records


def test_records_of_a_question_that_changed_do_not_count(tmp_path: Path) -> None:
    """A run that was taken up with a changed task keeps the old record on disk, and no more."""
    asked = replace(REFUSED, key="new")
    found = read_run(write_run(tmp_path / "run", PASSED, asked, planned=(asked,)))
    assert found.records == (asked,)
    assert found.written == (PASSED, asked)


def test_items_with_and_without_a_key_stand_side_by_side(tmp_path: Path) -> None:
    """A run that an older version began and a newer one takes up keeps the records of both."""
    other = replace(PASSED, task="L1-01-adding", key="old")
    run = write_run(tmp_path / "run", PASSED, other)
    keyless = replace(PlannedItem.of(other), key=None)
    RunFolder(run).write_items([PlannedItem.of(PASSED), keyless])
    assert read_run(run).records == (PASSED, other)


def test_a_run_of_the_first_version_can_be_read() -> None:
    """Its items have no keys, its records lack what came later, its settings what is new."""
    found = read_run(OLD_RUN)
    assert [entry.item.task for entry in found.items] == [
        *("L1-01-adding", "L2-01-palindrome", "L4-01-doubling", "L5-01-summing")
    ]
    assert {entry.item for entry in found.items} == {record.item for record in found.records}
    assert {record.item.label for record in found.records} == {"reference-tools-s1"}
    assert all(record.passed and record.reason is Reason.RIGHT for record in found.records)
    assert found.manifest.state is RunStatus.FINISHED
    assert found.name == "20261128-132627-ea19"
    assert (found.manifest.settings["tasks"], found.manifest.settings["suite"]) == ("tasks", "core")
    assert found.manifest.begun == ()


def test_files_are_read_in_the_order_of_sessions(run: Path) -> None:
    """Each process has a file of its own, in each session; within one the order is of writing."""
    (run / "records.jsonl").unlink()
    names = ("records-gw0", "records-gw1", "records-gw0-2", "records-gw0-10_2")
    for sample, name in enumerate(names):
        records = [replace(RECORD, sample=sample, key=key) for key in "ab"]
        write_records(run / f"{name}.jsonl", records)
    read = [(record.sample, record.key) for record in read_records(run)]
    assert read == [(sample, key) for sample in range(4) for key in "ab"]


WITHIN_A_CHARACTER = RECORD.to_json().encode().index("ü".encode()) + 1


@pytest.mark.parametrize("n_bytes", [1, WITHIN_A_CHARACTER, -1, -2])
def test_a_half_written_line_is_left_out(run: Path, n_bytes: int) -> None:
    """What a killed process left behind costs its last record, wherever the line was cut."""
    assert read_run(run).torn == ()
    with (run / "records.jsonl").open("ab") as file:
        file.write(RECORD.to_json().encode()[:n_bytes])
    found = read_run(run)
    assert found.written == (RECORD,)
    assert found.torn == ("records.jsonl",)


DAMAGED = {
    "no JSON": ("records.jsonl", "oops\n", "not a record: "),
    "a newer schema": (
        "records.jsonl",
        replace(RECORD, schema=SCHEMA + 1).to_json() + "\n",
        f"the record has schema {SCHEMA + 1}",
    ),
    "an outcome that is none": (
        "records.jsonl",
        RECORD.to_json().replace('"fail"', '"lost"') + "\n",
        "'lost' is not a valid Outcome",
    ),
    "a reason of another outcome": (
        "records.jsonl",
        RECORD.to_json().replace('"wrong value"', '"budget"') + "\n",
        "'budget' is not a valid Reason",
    ),
    "half of run.json": ("run.json", '{\n"state": "runn', "not JSON: "),
    "another run.json": ("run.json", "[]", "not what a run writes: TypeError('it holds a list')"),
    "a state that is none": ("run.json", '{"state": "lost"}', "'lost' is not a valid RunStatus"),
    "a start that is none": ("run.json", '{"start": "noon"}', "Invalid isoformat string: 'noon'"),
    "settings that are none": ("run.json", '{"settings": 5}', "not what a run writes: "),
    "half of items.json": ("items.json", "[", "not JSON: "),
    "another items.json": ("items.json", "{}", "not a list of items: TypeError('it holds a dict')"),
    "no items": ("items.json", '[{"task": 1}]', "not a list of items: KeyError('model')"),
    "items that are texts": ("items.json", '["a"]', "not a list of items: "),
}


@pytest.mark.parametrize(("file", "content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named_with_its_line(
    run: Path, file: str, content: str, message: str
) -> None:
    """One kind of error for all of them, in the form that editors can follow."""
    kept = RECORD.to_json() + "\n" if file == "records.jsonl" else ""
    (run / file).write_text(kept + content)
    with pytest.raises(DamagedFile) as caught:
        read_run(run)
    line = 2 if kept or "\n" in content else 1
    assert str(caught.value).startswith(f"{run / file}:{line}: ")
    assert message in str(caught.value)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    """A folder without records is none, unless it may be one that has just begun."""
    with pytest.raises(BenchError, match=r"there is no run folder .*nowhere"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(BenchError, match=r"no run folder: it holds no records\*\.jsonl"):
        read_run(tmp_path)
    begun = read_run(tmp_path, may_be_empty=True)
    assert (begun.records, begun.items, begun.manifest) == ((), (), RunJson())
    assert begun.name == tmp_path.name


def test_items_come_back_as_they_were_written(run: Path) -> None:
    """What the run set out to do is known, or empty if it did not get that far."""
    items = (PlannedItem.of(RECORD), PlannedItem.of(replace(RECORD, task="ü", level=None)))
    RunFolder(run).write_items(items)
    assert read_items(run) == items
    (run / "items.json").unlink()
    assert read_items(run) == ()


def test_run_json_says_whether_the_run_got_to_its_end(run: Path) -> None:
    """Where nothing is said nothing is wrong; all that is written comes back for who adds to it."""
    for state in (None, *RunStatus):
        content = {"state": state, "gate": {"outcome": "regressed"}, "more": [1]}
        (run / "run.json").write_text(json.dumps(content))
        found = read_manifest(run)
        assert (found.state, found.gate, found.content) == (state, "regressed", content)
        assert found.unfinished is (None if state in (None, RunStatus.FINISHED) else state)
