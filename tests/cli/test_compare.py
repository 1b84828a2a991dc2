"""`sema-bench compare` and `baseline save` as a person uses them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from tests.conftest import Capture
from tests.samples.outcomes import records_of, tasks_of, write_run

BASE = "p" * 30 + "f" * 10


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs a, b (as a), worse (six broken) and half (of the tasks)."""
    for name, letters in (
        ("a", BASE),
        ("b", BASE),
        ("worse", "ffffff" + BASE[6:]),
        ("half", BASE[:20]),
    ):
        write_run(tmp_path / name, records_of(tasks_of(letters)))
    write_run(tmp_path / "stopped", records_of(tasks_of(BASE)), state="incomplete")
    return tmp_path


STATUS = {
    "the same": (["b"], 0),
    "worse": (["worse"], 1),
    "half of it": (["half"], 10),
    "stopped": (["stopped"], 11),
    "half of it on purpose": (["half", "--subset"], 0),
    "a must-pass task failed": (["b", "--must-pass", "L1-39-list"], 1),
    "below the floor": (["b", "--fail-under", "80"], 1),
    "an expression that is none": (["b", "--must-pass", "L1 and"], 2),
    "a name that is none": (["b", "--must-pass", "palindrone"], 2),
    "a floor that is none": (["b", "--fail-under", "101"], 2),
    "no such run": (["none"], 3),
}


@pytest.mark.parametrize("name", STATUS)
def test_the_gate_ends_with_its_status(name: str, runs: Path, capsys: Capture) -> None:
    """0, 1, 10, 11; 2 for the command line and 3 for what cannot be read."""
    (run, *options), status = STATUS[name]
    assert main(["compare", str(runs / "a"), str(runs / run), "--gate", *options]) == status
    printed = capsys.readouterr()
    assert (printed.err != "") == (status in {2, 3})


def test_without_the_gate_the_status_is_0(runs: Path, capsys: Capture) -> None:
    """Looking is not judging."""
    assert main(["compare", str(runs / "a"), str(runs / "worse")]) == 0
    assert "gate:" not in capsys.readouterr().out


def test_rules_without_the_gate_are_a_mistake(runs: Path, capsys: Capture) -> None:
    """A floor that nobody looks at would be a trap."""
    assert main(["compare", str(runs / "a"), str(runs / "b"), "--fail-under", "5"]) == 2
    assert "they need --gate" in capsys.readouterr().err


def test_the_text_says_what_a_person_wants_to_know(runs: Path, capsys: Capture) -> None:
    """What broke and why, the rates, the test, and what could have been seen."""
    main(["compare", str(runs / "a"), str(runs / "worse"), "--gate"])
    lines = capsys.readouterr().out.splitlines()
    text = "\n".join(lines)
    assert "pass rate 75 % (60–86 %), now 60 % (45–74 %); 40 tasks, 1 sample of each" in text
    assert "exact paired test: p = 0.016 for a fall (one-sided), p = 0.031 for any change" in lines
    assert "newly broken: 6" in lines
    assert "  L1-00-list  wrong value" in lines
    assert "gate: REGRESSED: it got worse (exit status 1)" in lines
    assert "  to fire, 5 tasks had to be newly broken, given those newly solved" in lines
    assert any(line.startswith("  the smallest fall that 40 such tasks show") for line in lines)
    assert any(line.startswith("  to see a fall of ten points: ") for line in lines)


def test_markdown_has_tables_and_lists(runs: Path, capsys: Capture) -> None:
    """For a step summary or a comment on a pull request."""
    main(["compare", str(runs / "a"), str(runs / "worse"), "--gate", "--format", "markdown"])
    text = capsys.readouterr().out
    assert "### m-tools" in text
    assert "\n- L1-00-list  wrong value\n" in text
    assert "\n\n| level" in text
    assert "**gate: REGRESSED" in text


def test_json_holds_the_comparison_and_the_verdict(runs: Path, capsys: Capture) -> None:
    """Numbers as numbers."""
    assert main(["compare", str(runs / "a"), str(runs / "worse"), "--gate", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    (comparison,) = facts["comparisons"]
    assert comparison["p_worse"] == pytest.approx(1 / 64)
    assert [entry["task"] for entry in comparison["worse"]][:1] == ["L1-00-list"]
    assert comparison["total"]["difference"] == pytest.approx(-0.15)
    assert (facts["gate"]["outcome"], facts["gate"]["exit_status"]) == ("regressed", 1)
    assert facts["gate"]["tests"][0]["fired"] is True


def test_a_saved_baseline_stands_for_its_run(runs: Path, capsys: Capture) -> None:
    """The comparison with it is the same as with the run folder, but for what each item took."""
    path = runs / "baselines" / "m.json"
    assert main(["baseline", "save", str(runs / "a"), "-o", str(path)]) == 0
    assert "m-tools: 40 tasks, 30 of 40 passed" in capsys.readouterr().out
    facts = []
    for base in (path, runs / "a"):
        main(["compare", str(base), str(runs / "worse"), "--json"])
        facts += json.loads(capsys.readouterr().out)["comparisons"]
    of_file, of_run = facts
    assert of_file["effort"] == []
    assert of_run["effort"]
    not_kept = ("effort", "repaired", "first_parses")
    assert [{k: v for k, v in fact.items() if k not in not_kept} for fact in facts] == [
        {k: v for k, v in of_run.items() if k not in not_kept}
    ] * 2


def test_a_thin_baseline_is_saved_with_a_warning(tmp_path: Path, capsys: Capture) -> None:
    """A baseline with many void items could never be judged by."""
    run = write_run(tmp_path / "a", records_of(tasks_of("ppvv")))
    assert main(["baseline", "save", str(run), "-o", str(tmp_path / "b.json")]) == 0
    assert "2 of 4 items have no verdict" in capsys.readouterr().out


def test_shards_are_compared_as_one_run(tmp_path: Path, capsys: Capture) -> None:
    """Three runs of a third each cover the baseline."""
    tasks = tasks_of(BASE)
    whole = write_run(tmp_path / "whole", records_of(tasks))
    shards = []
    for n in range(3):
        part = dict(list(tasks.items())[n::3])
        shards.append(str(write_run(tmp_path / f"shard{n}", records_of(part))))
    assert main(["compare", str(whole), *shards, "--gate"]) == 0
    assert "40 tasks" in capsys.readouterr().out


def test_hostile_text_is_escaped(tmp_path: Path, capsys: Capture) -> None:
    """Escape sequences, bidi marks and table bars in names do no harm."""
    hostile = "\x1b[31m\u202e|<b>`"
    for name, letters in (("a", "p" * 5), ("b", "f" * 5)):
        records = [
            replace(record, category=hostile, model=f"m{hostile}")
            for record in records_of(tasks_of(letters))
        ]
        write_run(tmp_path / name, records)
    for style in ("text", "markdown"):
        main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--gate", "--format", style])
        text = capsys.readouterr().out
        assert not set("\x1b\u202e`<") & set(text)
        assert hostile.count("|") == 1
        assert "|‹b>" not in text
