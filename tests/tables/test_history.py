"""The runs of a folder: listed, damaged ones named, trends drawn."""

from pathlib import Path

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.report.history import history_lines
from pytest_sema_bench.tables.history import read_history, sparkline, trends
from tests.samples.outcomes import records_of, tasks_of, write_run


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Three runs of one suite, a smaller one, a damaged one and a baseline's folder."""
    for day, letters in ((1, "pppp"), (3, "pfff"), (2, "ppff")):
        write_run(
            tmp_path / f"r{day}",
            records_of(tasks_of(letters)),
            start=f"2026-11-0{day}T03:00:00+00:00",
            gate={"outcome": "regressed"} if day == 3 else None,
        )
    write_run(tmp_path / "small", records_of(tasks_of("f")), start="2026-11-02T09:00:00+00:00")
    damaged = write_run(tmp_path / "x", records_of(tasks_of("p")))
    (damaged / "run.json").write_text("{")
    (tmp_path / "baselines").mkdir()
    return tmp_path


def test_runs_come_by_date_with_what_they_found(reports: Path) -> None:
    """Rate, cost, commit, suite and the verdict where there was one."""
    runs = read_history(reports).runs
    assert [Path(run.folder).name for run in runs] == ["r1", "r2", "small", "r3"]
    assert [run.models[0].rate for run in runs] == [1.0, 0.5, 0.0, 0.25]
    assert [run.gate for run in runs] == [None, None, None, "regressed"]
    assert runs[0].models[0].cost_usd == pytest.approx(2.0)
    assert runs[0].suite == runs[3].suite != runs[2].suite


def test_damaged_runs_are_named_and_skipped(reports: Path) -> None:
    """The others are listed all the same."""
    (text,) = read_history(reports).damaged
    assert "x/run.json:1: not JSON" in text


def test_a_trend_is_of_one_suite(reports: Path) -> None:
    """A run of fewer tasks says nothing about the same rate."""
    (trend,) = trends(read_history(reports).runs)
    assert (trend.name, trend.rates) == ("m-tools", (1.0, 0.5, 0.25))


def test_blocks_rise_with_the_rate() -> None:
    """Nought is the lowest, all is the highest."""
    assert sparkline((0.0, 0.5, 1.0)) == "▁▅█"


def test_the_list_ends_with_trends_and_what_is_damaged(reports: Path) -> None:
    """A line each, below the runs."""
    text = "\n".join(history_lines(read_history(reports)))
    assert "m-tools  █▅▃  now 25 %" in text
    assert "skipped, damaged:" in text


def test_no_runs_are_no_mistake(tmp_path: Path) -> None:
    """An empty folder says how to make the first."""
    assert next(iter(history_lines(read_history(tmp_path)))).startswith("no runs yet")


def test_no_folder_is_a_mistake(tmp_path: Path) -> None:
    """A mistyped folder is not an empty one."""
    with pytest.raises(BenchError, match="there is no folder"):
        read_history(tmp_path / "none")
