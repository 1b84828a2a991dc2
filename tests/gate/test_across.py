"""A comparison across VMs: the difference is named, and all else stays as strict as before."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.gate.compare import Across, compare
from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.records.record import Record
from tests.samples.outcomes import records_of, results_of, tasks_of, write_run

OLD, NEW = "wasm 1", "native 2.0.0 (6b143f3a)"


def on_new(letters: str) -> list[Record]:
    """Records of another VM."""
    return [replace(record, vm=NEW) for record in records_of(tasks_of(letters))]


def results(records: list[Record]) -> Results:
    """A run of these records."""
    return Results(source="run", groups=group_records(records))


def test_what_another_vm_graded_is_compared_if_that_is_meant() -> None:
    """Without the word every task is left out; with it each is a pair."""
    base, run = results_of(tasks_of("pppp")), results(on_new("pppf"))
    (strict,) = compare(base, run).comparisons
    (across,) = (compared := compare(base, run, across=Across.VM)).comparisons
    assert (len(strict.pairs), len(across.pairs)) == (0, 4)
    assert len(across.worse) == 1
    assert compared.meant == f"vm: {NEW} against {OLD}"
    assert compare(base, base, across=Across.VM).meant == f"vm: {OLD} on both sides"
    assert compare(base, run).meant is None


@pytest.mark.parametrize("field", ["grader", "task_hash"])
def test_nothing_else_may_differ(field: str) -> None:
    """Another grader or task is left out as before."""
    records = on_new("pppp")
    value = 7 if field == "grader" else "other"
    changed = [replace(records[0], **{field: value}), *records[1:]]  # type: ignore[arg-type]
    (across,) = compare(
        results_of(tasks_of("pppp")), results(changed), across=Across.VM
    ).comparisons
    assert (len(across.pairs), len(across.left_out)) == (3, 1)


def test_the_command_names_both_vms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, verdict and JSON say which is held against which; the gate judges."""
    letters = "p" * 30
    write_run(tmp_path / "a", records_of(tasks_of(letters)))
    write_run(tmp_path / "b", on_new("f" * 8 + letters[8:]))
    argv = ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--gate"]
    assert main(argv) == 10
    assert "across" not in capsys.readouterr().out
    assert main([*argv, "--across", "vm"]) == 1
    text = capsys.readouterr().out
    assert f"across:   vm: {NEW} against {OLD}" in text
    assert "gate: REGRESSED" in text
    assert main([*argv, "--across", "vm", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["across"] == f"vm: {NEW} against {OLD}"
