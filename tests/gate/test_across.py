"""A comparison across VMs: the difference is named, and all else stays as strict as before."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.gate.across import Across
from pytest_sema_bench.gate.baseline import read_baseline, write_baseline
from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.task_results import Results, group_records, merge
from pytest_sema_bench.records.record import Record
from tests.conftest import Capture
from tests.samples.outcomes import records_of, results_from, results_of, tasks_of, write_run

OLD, NEW = "wasm 1", "native 2.0.0 (6b143f3a)"


def on_new(letters: str) -> list[Record]:
    """Records of another VM."""
    return [replace(record, vm=NEW) for record in records_of(tasks_of(letters))]


def test_what_another_vm_graded_is_compared_if_that_is_meant() -> None:
    """Without the word every task is left out; with it each is a pair."""
    base, run = results_of(tasks_of("pppp")), results_from(on_new("pppf"))
    (strict,) = compare(base, run).comparisons
    (across,) = (compared := compare(base, run, across={Across.VM})).comparisons
    assert (len(strict.pairs), len(across.pairs)) == (0, 4)
    assert len(across.worse) == 1
    assert compared.meant == f"vm: {NEW} against {OLD}"
    assert compare(base, base, across={Across.VM}).meant == f"vm: {OLD} on both sides"
    assert compare(base, run).meant is None


@pytest.mark.parametrize("field", ["grader", "task_hash"])
def test_nothing_else_may_differ(field: str) -> None:
    """Another grader or task is left out as before."""
    records = on_new("pppp")
    value = 7 if field == "grader" else "other"
    changed = [replace(records[0], **{field: value}), *records[1:]]  # type: ignore[arg-type]
    (across,) = compare(
        results_of(tasks_of("pppp")), results_from(changed), across={Across.VM}
    ).comparisons
    assert (len(across.pairs), len(across.left_out)) == (3, 1)


def test_the_command_names_both_vms(tmp_path: Path, capsys: Capture) -> None:
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


ASKED = {"prompt": "primer 1", "tools": "eval_code 1", "docs": "lexical 1", "config": "tools 1"}


def asked(letters: str, config: str = "tools", **other: str) -> Results:
    """A run whose run.json says what it asked."""
    records = records_of(tasks_of(letters), config=config)
    labels = {f"m-{config}": {**ASKED, **other}}
    return Results(source="run", groups=group_records(records, asked=labels))


def test_what_was_asked_otherwise_is_told_or_must_be_meant() -> None:
    """Unnamed it is one line; with another difference named it leaves the tasks out."""
    base, run = asked("pppp"), asked("pppf", docs="lexical 2")
    (comparison,) = compare(base, run).comparisons
    assert comparison.differs == ("docs changed: lexical 1, now lexical 2",)
    assert len(comparison.pairs) == 4
    (meant,) = (compared := compare(base, run, across={Across.DOCS})).comparisons
    assert (len(meant.pairs), meant.differs) == (4, ())
    assert compared.meant == "docs: lexical 2 against lexical 1"
    (other,) = compare(base, run, across={Across.PROMPT}).comparisons
    assert not other.pairs
    assert "docs changed: lexical 1, now lexical 2; name" in other.left_out[0].why


def test_two_differences_can_be_meant() -> None:
    """`vm,docs`: a language and what is written about it change together."""
    records = [replace(record, vm=NEW) for record in records_of(tasks_of("pppp"))]
    labels = {"m-tools": {**ASKED, "docs": "sema 1"}}
    run = Results(source="run", groups=group_records(records, asked=labels))
    (both,) = (compared := compare(asked("pppp"), run, across={Across.VM, Across.DOCS})).comparisons
    assert len(both.pairs) == 4
    assert compared.meant == f"vm: {NEW} against {OLD}; docs: sema 1 against lexical 1"
    assert not compare(asked("pppp"), run, across={Across.VM}).comparisons[0].pairs


def test_configurations_are_paired_by_their_model() -> None:
    """Across configurations each model's only one is held against its only one before."""
    records = [
        group_records([r for m in "ab" for r in records_of(tasks_of("pf"), model=m, config=config)])
        for config in ("bare", "tools")
    ]
    base, run = (Results(source="run", groups=groups) for groups in records)
    assert compare(base, run).comparisons == ()
    compared = compare(base, run, across={Across.CONFIG})
    assert [(c.base.name, c.run.name) for c in compared.comparisons] == [
        ("a-bare", "a-tools"),
        ("b-bare", "b-tools"),
    ]


def test_a_baseline_keeps_what_was_asked(tmp_path: Path) -> None:
    """Its file is compared as strictly as the run that it was saved from."""
    write_baseline(tmp_path / "b.json", asked("pppp"))
    kept = read_baseline(tmp_path / "b.json")
    assert kept.groups[0].asked == ASKED
    assert compare(kept, asked("pppp", prompt="own 1")).comparisons[0].differs


def test_shards_that_asked_otherwise_are_like_neither() -> None:
    """A merged run says both labels, so it equals no run with one of them."""
    one, two = asked("pv"), asked("vp", docs="lexical 2")
    merged = merge([one, two])
    assert merged.groups[0].asked["docs"] == "lexical 1 and lexical 2"


def test_an_unknown_difference_is_refused(capsys: Capture) -> None:
    """The option, what was found and what there is, before anything is read."""
    assert main(["compare", "a", "b", "--across", "vm,weather"]) == 2
    told = capsys.readouterr().err
    assert (
        "--across: found 'weather', expected some of vm, dialect, docs, prompt, tools, config"
        in told
    )


def test_what_was_answered_in_another_dialect_is_compared_if_that_is_meant(tmp_path: Path) -> None:
    """Unnamed it is left out, from run to run and from a baseline; named it is a pair."""
    other = [replace(record, dialect="7:1 (a1b2c3d4)") for record in records_of(tasks_of("ppf"))]
    base, run = results_of(tasks_of("ppp")), results_from(other)
    (strict,) = compare(base, run).comparisons
    (named,) = (compared := compare(base, run, across={Across.DIALECT})).comparisons
    assert (len(strict.pairs), len(named.pairs)) == (0, 3)
    assert strict.left_out[0].why == "the dialect changed: plain Sema, now 7:1 (a1b2c3d4)"
    assert compared.meant == "dialect: 7:1 (a1b2c3d4) against plain Sema"
    write_baseline(tmp_path / "base.json", run)
    (kept,) = compare(read_baseline(tmp_path / "base.json"), run).comparisons
    assert len(kept.pairs) == 3
