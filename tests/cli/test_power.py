"""`sema-bench power`, `aa-check` and `history` as a person uses them."""

import json
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from tests.conftest import Capture
from tests.samples.outcomes import records_of, tasks_of, write_run


def test_power_prints_what_can_be_seen(capsys: Capture) -> None:
    """The table, the false alarms, the smallest fall, and how it was simulated."""
    assert main(["power", "--tasks", "60"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("60 tasks; samples of each: 1 in the baseline, 1 in the run")
    assert "false alarms: " in text
    assert "smallest fall of the rate that is seen in 80 of 100 runs: 1" in text
    assert "seed 0" in text


def test_power_gives_json(capsys: Capture) -> None:
    """The same as numbers."""
    assert main(["power", "--tasks", "30", "--samples", "2", "--base-samples", "3", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["design"]["n_base"], facts["design"]["n_run"]) == (3, 2)
    assert [entry["drop"] for entry in facts["chances"]] == [0, 0.05, 0.1, 0.15, 0.2, 0.3]


WRONG = {
    "no tasks": ["--tasks", "0"],
    "too many samples": ["--samples", "21"],
    "no baseline": ["--base-samples", "-1"],
    "a rate in percent": ["--rate", "60"],
    "a negative seed": ["--seed", "-1"],
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_sizes_that_make_no_sense_are_refused(options: list[str], capsys: Capture) -> None:
    """Status 2, with the option's name and what is expected."""
    assert main(["power", *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_aa_check_answers_for_each_model(tmp_path: Path, capsys: Capture) -> None:
    """How often the gate would have fired, as text and as JSON."""
    records = [r for m in "ab" for r in records_of(tasks_of("pf pp ff fp " * 5), model=m)]
    run = str(write_run(tmp_path / "r", records))
    assert main(["aa-check", run]) == 0
    text = capsys.readouterr().out
    assert "a-tools: 20 tasks, 2 samples of each" in text
    assert "1 sample against 1, 20 tasks: the gate fires in" in text
    assert main(["aa-check", run, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in facts["models"]] == ["a-tools", "b-tools"]


def test_aa_check_says_when_there_are_too_few_samples(tmp_path: Path, capsys: Capture) -> None:
    """One sample cannot be split."""
    run = write_run(tmp_path / "r", records_of(tasks_of("ppff")))
    assert main(["aa-check", str(run)]) == 0
    text = capsys.readouterr().out
    assert "4 tasks, 1 sample of each" in text
    assert "too few samples" in text
    assert "false one" not in text


def test_history_lists_and_draws(tmp_path: Path, capsys: Capture) -> None:
    """A line for each run, a trend for each model; JSON holds both."""
    write_run(tmp_path / "r1", records_of(tasks_of("ppff")))
    write_run(tmp_path / "r2", records_of(tasks_of("pppp")))
    assert main(["history", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "2026-11-24 03:00  012345678  m-tools" in text
    assert "▅█  now 100 %" in text
    assert main(["history", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["trends"] == [{"name": "m-tools", "rates": [0.5, 1.0]}]
