"""Grading a run's stored answers again, and why a verdict moved."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.grading.scoring import Scorer
from pytest_sema_bench.records.folder import write_records
from pytest_sema_bench.records.outcome import Outcome, Stop, Void
from pytest_sema_bench.records.reader import read_records
from pytest_sema_bench.records.record import Record
from tests.plugin.bench_dir import read_table
from tests.samples.double_task import DOUBLE, RIGHT, WRONG, write_double_task

pytestmark = pytest.mark.vm


def make_record(tasks: Path, answer: str, sample: int) -> Record:
    """A record as a run with today's task, VM and grader would have written it."""
    with Scorer(tasks) as scorer:
        graded = scorer.grade("double", answer)
    return Record(
        key=f"key-{sample}",
        task="double",
        level=None,
        category=None,
        model="some-model",
        config="tools",
        sample=sample,
        outcome=graded.outcome,
        reason=graded.reason,
        score=graded.score,
        answer=answer,
        cases=list(graded.cases),
        stop=Stop.ANSWERED,
        provider="somewhere",
        vm=graded.vm,
        grader=graded.grader,
        task_hash=graded.task_hash,
        transcript="transcripts/double/some-model-tools-s1.json",
    )


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with one small task."""
    return write_double_task(tmp_path / "tasks")


@pytest.fixture
def run(tmp_path: Path, tasks: Path) -> Path:
    """A run folder with a right and a wrong answer."""
    folder = tmp_path / "run"
    folder.mkdir()
    records = [make_record(tasks, RIGHT, 1), make_record(tasks, WRONG, 2)]
    write_records(folder / "records.jsonl", records)
    settings = {"settings": {"tasks": str(tasks)}}
    (folder / "run.json").write_text(json.dumps(settings))
    return folder


def test_the_same_task_vm_and_grader_flip_nothing(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Regrading an untouched run gives the same verdicts."""
    assert main(["regrade", str(run)]) == 0
    assert "2 answers graded again, 0 flips" in capsys.readouterr().out


def test_old_records_stay_and_new_ones_stand_beside_them(run: Path) -> None:
    """Each regrading has a folder of its own inside the run's."""
    before = (run / "records.jsonl").read_text()
    main(["regrade", str(run)])
    main(["regrade", str(run)])
    assert (run / "records.jsonl").read_text() == before
    assert len(read_records(run)) == 2
    for n in (1, 2):
        (first, _) = read_records(run / f"regraded-{n}")
        assert first.transcript is not None
        assert first.transcript.startswith("../transcripts/")
        assert (run / f"regraded-{n}" / "summary.md").is_file()


def test_an_edited_case_flips_under_the_task(
    run: Path, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The flip is listed under the task that changed, with the case that shows it."""
    write_double_task(tasks, DOUBLE.replace('equals: "-6"', 'equals: "7"'))
    assert main(["regrade", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "the task changed: 1 flips" in printed
    assert "the VM changed: 0 flips" in printed
    assert "double some-model-tools-s1: pass -> fail (wrong value)" in printed
    assert "(double -3) gave -6, expected 7" in printed


def test_another_vm_or_grader_is_named_as_the_cause(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an older VM or grader said otherwise is listed under it."""
    right, wrong = read_records(run)
    old_vm = replace(right, outcome=Outcome.FAIL, vm="wasm 1.35.0 (0a0b0c0d)")
    old_grader = replace(wrong, outcome=Outcome.PASS, grader=0)
    write_records(run / "records.jsonl", [old_vm, old_grader])
    main(["regrade", str(run)])
    printed = capsys.readouterr().out
    assert "the VM changed: 1 flips" in printed
    assert "the grader changed: 1 flips" in printed


def test_void_records_are_kept_as_they_are(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to grade in an item that never had an answer."""
    right, _ = read_records(run)
    void = replace(
        right, key="key-3", sample=3, outcome=Outcome.VOID, reason=Void.API, answer=None, stop=None
    )
    write_records(run / "records.jsonl", [right, void])
    main(["regrade", str(run)])
    assert "1 records without an answer (void)" in capsys.readouterr().out
    assert [r.outcome for r in read_records(run / "regraded-1")] == ["pass", "void"]


def test_a_run_that_was_taken_up_counts_as_compare_counts_it(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item that was void first and then passed has passed, wherever the run is read."""
    right, _ = read_records(run)
    void = replace(right, outcome=Outcome.VOID, reason=Void.API, answer=None, stop=None, score=None)
    write_records(run / "records.jsonl", [void, right])
    assert main(["regrade", str(run)]) == 0
    assert "without an answer" not in capsys.readouterr().out
    summary = (run / "regraded-1" / "summary.md").read_text()
    row = read_table(summary.splitlines(), "some-model-tools")["all"]
    assert (row["passed"], row["void"]) == ("1", "0")
    assert main(["compare", str(run), str(run / "regraded-1")]) == 0
    assert "pass rate 100 %" in capsys.readouterr().out


def test_a_half_written_last_line_is_dropped(run: Path) -> None:
    """A killed process may leave half a line; the whole ones count."""
    with (run / "records.jsonl").open("a") as file:
        file.write('{"schema": 1, "key": "ab')
    assert len(read_records(run)) == 2


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param("missing", "there is no run folder", id="no-folder"),
        pytest.param("empty", "holds no records", id="no-records"),
    ],
)
def test_a_folder_that_is_no_run_is_named(
    tmp_path: Path, prepare: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what is missing, and the status is that of a missing file."""
    folder = tmp_path / prepare
    if prepare == "empty":
        folder.mkdir()
    assert main(["regrade", str(folder)]) == 3
    assert message in capsys.readouterr().err


def test_tasks_that_moved_are_asked_for(
    run: Path, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of tasks that are not there any more is not graded with other tasks."""
    tasks.rename(tasks.with_name("moved"))
    assert main(["regrade", str(run)]) == 3
    assert "give --tasks" in capsys.readouterr().err
