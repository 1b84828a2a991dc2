"""Runs of different suites are never compared, merged or judged by accident."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.policy import Judge
from pytest_sema_bench.gate.task_results import merge
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.records.suite import SuiteId
from pytest_sema_bench.report.compare import comparison_lines
from pytest_sema_bench.report.runs import merge_runs
from pytest_sema_bench.settings import Settings
from pytest_sema_bench.suite.folder import suite_folder
from tests.conftest import Capture
from tests.samples.outcomes import records_of, results_of, write_run

CORE = SuiteId(name="core", version=1, hash="a")
FRONTIER = SuiteId(name="frontier", version=1, hash="b")
TASKS = {"L1-01-list": "p", "L2-01-list": "f"}


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A run of each suite."""
    return (
        write_run(tmp_path / "one", records_of(TASKS, suite=CORE)),
        write_run(tmp_path / "other", records_of(TASKS, suite=FRONTIER)),
    )


def test_a_run_knows_its_suite_from_its_records(runs: tuple[Path, Path]) -> None:
    """As a folder, and as a file of records alone."""
    assert [load_results(run).suite for run in runs] == [CORE, FRONTIER]
    assert load_results(runs[1] / "records.jsonl").suite == FRONTIER


def test_two_suites_are_not_compared(runs: tuple[Path, Path], capsys: Capture) -> None:
    """Neither side by side, nor as one, nor in one report; the message names both."""
    results = [load_results(run) for run in runs]
    with pytest.raises(SettingsError, match=r"one is of the suite core and .*other of frontier"):
        compare(*results)
    with pytest.raises(SettingsError, match="have no task in common"):
        merge(results)
    with pytest.raises(SettingsError, match="compare runs of one suite"):
        merge_runs([read_run(run) for run in runs])
    assert main(["compare", *map(str, runs)]) == 2
    assert "which have no task in common" in capsys.readouterr().err


def test_another_version_is_compared_and_named() -> None:
    """Tasks that are the same in both are comparable, whatever else changed."""
    base = replace(results_of(TASKS), suite=CORE)
    run = replace(results_of(TASKS), suite=replace(CORE, version=2, hash="c"))
    compared = compare(base, run)
    assert len(compared.comparisons[0].pairs) == 2
    assert "suite:    core 1, now core 2: what changed is not compared" in list(
        comparison_lines(compared)
    )


def test_a_run_without_a_suite_is_compared_as_before() -> None:
    """Older runs name none; their tasks' hashes say what is the same."""
    assert compare(results_of(TASKS), replace(results_of(TASKS), suite=CORE)).comparisons


def test_levels_come_in_the_order_of_the_suite() -> None:
    """That of the run, or where it does not say so that of the baseline."""
    base = replace(results_of(TASKS), levels=("L2", "L1"))
    (comparison,) = compare(base, results_of(TASKS)).comparisons
    assert [rates.label for rates in comparison.levels] == ["L2", "L1"]


def test_a_baseline_of_another_suite_is_refused_before_anything_is_paid_for(
    runs: tuple[Path, Path],
) -> None:
    """The judge is made when options are read."""
    settings = Settings(models=("m",), baseline=runs[1])
    with pytest.raises(SettingsError, match="the run is of the suite core and --sema-baseline="):
        Judge.of(settings, suite_folder("core"), subset=False, alone=True)
    assert Judge.of(settings, suite_folder("frontier"), subset=False, alone=True)
