"""Acceptance bars: read, held against intervals, and what the command line ends with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.bars import BarOutcome, BarVerdict, Metric, judge_bars, read_bar
from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.stats.interval import difference_interval
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens
from tests.conftest import Capture
from tests.samples.outcomes import records_of, results_from, tasks_of, write_run

BEFORE, BETTER = "p" * 30 + "f" * 30, "p" * 55 + "f" * 5
BAD = {
    "no-bar": ("pass", "found 'pass', expected such as"),
    "another-sign": ("pass > 10", "expected such as"),
    "no-metric": ("speed >= 1", "there is pass, repair_rate, rounds"),
    "points-in-per-cent": ("pass >= +10%", "pass is in points"),
}


def held(bar: str, before: list[Record], after: list[Record]) -> BarVerdict:
    """What one bar came to."""
    (verdict,) = judge_bars(compare(results_from(before), results_from(after)), [read_bar(bar)])
    return verdict


def used(letters: str, **fields: Any) -> list[Record]:
    """Records with such outcomes and fields."""
    return records_of(tasks_of(letters), **fields)


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=[*BAD])
def test_what_is_no_bar_is_refused(text: str, message: str) -> None:
    """The error says what a bar looks like, and which metrics there are."""
    with pytest.raises(SettingsError) as caught:
        read_bar(text)
    assert message in str(caught.value)


def test_a_bar_reads_as_it_is_written() -> None:
    """With blanks or without, its sign and its place."""
    bar = read_bar(" repair_rate[L3,tools]>=-5 ")
    assert (bar.metric, bar.bound, bar.where) == (Metric.REPAIR, -5.0, ("L3", "tools"))
    assert str(bar) == "repair_rate[L3, tools] >= -5"
    assert str(read_bar("tokens <= 20%")) == "tokens <= +20"


@pytest.mark.parametrize(
    ("bar", "outcome"),
    [
        ("pass >= +10", BarOutcome.MET),
        ("pass >= +40", BarOutcome.CANNOT_TELL),
        ("pass >= +60", BarOutcome.MISSED),
        ("pass <= +60", BarOutcome.MET),
        ("pass <= +40", BarOutcome.CANNOT_TELL),
        ("pass <= +10", BarOutcome.MISSED),
    ],
)
def test_a_bar_is_held_against_the_interval(bar: str, outcome: BarOutcome) -> None:
    """Met if all of it is on the right side, missed if none is: the paired interval of compare."""
    verdict = held(bar, used(BEFORE), used(BETTER))
    before, after = ([float(x == "p") for x in letters] for letters in (BEFORE, BETTER))
    low, high = difference_interval(before, after, [1] * 60, [1] * 60)
    assert verdict.outcome is outcome
    assert verdict.interval == pytest.approx((100 * low, 100 * high))
    assert verdict.difference == pytest.approx(100 * 25 / 60)


def test_repair_is_that_of_the_items_that_saw_an_error() -> None:
    """On tasks where both sides saw one; others say nothing of it."""
    clean: list[dict[str, Any]] = []
    after = [
        replace(record, vm_errors=clean) if number % 2 else record
        for number, record in enumerate(used("p" * 60))
    ]
    verdict = held("repair_rate >= +10", used(BEFORE), after)
    assert (verdict.n_tasks, verdict.outcome) == (30, BarOutcome.MET)
    assert verdict.difference == pytest.approx(50)
    blind = held("repair_rate >= +10", used(BEFORE), used(BETTER, vm_errors=clean))
    assert blind.outcome is BarOutcome.CANNOT_TELL
    assert "saw an error" in (blind.why or "")


EFFORT: dict[str, tuple[dict[str, Any], float]] = {
    "rounds <= -0.5": ({"rounds": 1}, -1.0),
    "tool_calls <= -0.5": ({"tool_calls": {"eval_code": 1}}, -1.0),
    "tokens <= -40": ({"tokens": Tokens(prompt=2)}, -60.0),
    "cost <= -40": ({"cost_usd": 0.25}, -50.0),
}


@pytest.mark.parametrize(("bar", "change"), EFFORT.items(), ids=[*EFFORT])
def test_effort_has_the_unit_of_its_metric(bar: str, change: tuple[dict[str, Any], float]) -> None:
    """Rounds and calls are a number an item, tokens and cost per cent of what they were."""
    fields, difference = change
    verdict = held(bar, used("p" * 20), used("p" * 20, **fields))
    assert verdict.outcome is BarOutcome.MET
    assert verdict.difference == pytest.approx(difference)
    few = held(bar, used("p" * 5), used("p" * 5, **fields))
    assert (few.outcome, few.why) == (
        BarOutcome.CANNOT_TELL,
        "5 tasks are too few for an interval; 6 are not",
    )


def test_what_is_not_known_cannot_be_told() -> None:
    """A price that nobody knows is no cost of nothing."""
    verdict = held("cost <= +10", used("p" * 20), used("p" * 20, cost_usd=None))
    assert (verdict.outcome, verdict.interval) == (BarOutcome.CANNOT_TELL, None)
    assert "cost is not known of every item" in (verdict.why or "")


def test_a_bar_can_be_about_a_level_or_an_arm() -> None:
    """Only its tasks, or its configurations, count; a name that is none is refused."""
    sides = [
        [*used(letters), *used(letters, config="bare")] for letters in (BEFORE, "f" * 30 + "p" * 30)
    ]
    compared = compare(*map(results_from, sides))
    names = [
        [v.name for v in judge_bars(compared, [read_bar(f"pass{where} >= 0")])]
        for where in ("", "[tools]", "[m-bare, L3]", "[L3]")
    ]
    assert names == [["m-bare", "m-tools"], ["m-tools"], ["m-bare"], ["m-bare", "m-tools"]]
    (level,) = judge_bars(compared, [read_bar("pass[m-bare, L3] >= 0")])
    assert level.n_tasks == 20
    with pytest.raises(SettingsError, match="'L9' is not compared; there is L1, L2, L3, "):
        judge_bars(compared, [read_bar("pass[L9] >= 0")])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs before, better, half (of the tasks) and stopped."""
    for name, letters in (("before", BEFORE), ("better", BETTER), ("half", BETTER[:30])):
        write_run(tmp_path / name, records_of(tasks_of(letters)))
    write_run(tmp_path / "stopped", records_of(tasks_of(BETTER)), state="incomplete")
    return tmp_path


STATUS = {
    "met": (["better", "--require", "pass >= +10", "--require", "repair_rate >= -5"], 0),
    "one of two missed": (["better", "--require", "pass >= +10", "--require", "pass >= +60"], 1),
    "missed and nobody knows": (
        ["better", "--require", "pass >= 40", "--require", "pass >= 60"],
        1,
    ),
    "cannot tell": (["better", "--require", "pass >= +40"], 10),
    "half of it": (["half", "--require", "pass >= -10"], 10),
    "half of it on purpose": (["half", "--subset", "--require", "pass >= -20"], 0),
    "stopped": (["stopped", "--require", "pass >= +10"], 11),
    "stopped and missed": (["stopped", "--require", "pass >= +60"], 1),
    "the gate fires": (["better", "--gate", "--fail-under", "99", "--require", "pass >= 0"], 1),
    "no bar": (["better", "--require", "pass"], 2),
    "no such level": (["better", "--require", "pass[L7] >= 0"], 2),
}


@pytest.mark.parametrize("name", STATUS)
def test_compare_ends_with_the_status_of_its_bars(name: str, runs: Path, capsys: Capture) -> None:
    """As the gate does: 0 all met, 1 one missed, 10 cannot tell, 11 incomplete, 2 no bar."""
    (run, *options), status = STATUS[name]
    assert main(["compare", str(runs / "before"), str(runs / run), *options]) == status
    assert (capsys.readouterr().err != "") == (status == 2)


def test_each_bar_is_shown_with_its_interval(runs: Path, capsys: Capture) -> None:
    """In text, in Markdown and for programs."""
    command = ["compare", str(runs / "before"), str(runs / "better"), "--require", "pass >= +10"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "bars: ACCEPTED: every bar is met (exit status 0)" in text
    assert "pass >= +10  m-tools       60  +41.7 points  +28.0 to +53.7  met" in text
    main([*command, "--format", "markdown"])
    assert "**bars: ACCEPTED" in capsys.readouterr().out
    main([*command, "--json"])
    told = json.loads(capsys.readouterr().out)["require"]
    assert (told["exit_status"], told["bars"][0]["outcome"]) == (0, "met")
    assert told["bars"][0]["bar"] == "pass >= +10"
