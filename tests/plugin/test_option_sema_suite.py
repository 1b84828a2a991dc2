"""--sema-suite: a bundled suite by its name, or the folder of another one."""

import json
import shutil

import pytest

from pytest_sema_bench.records.suite import SuiteId
from tests.plugin.bench_dir import REFERENCE, BenchDir, read_table
from tests.samples.outcomes import records_of, write_run

SUITE = """
name: steps
version: 3
levels:
  - {name: Warm, meaning: the first steps, tasks: 1}
  - {name: Cold, meaning: the hard ones, tasks: 2}
"""


@pytest.fixture
def steps(bench_dir: BenchDir) -> BenchDir:
    """A project with a suite whose levels are neither called nor ordered like those of core."""
    for level, old, slug in (
        ("Warm", "L2/01-palindrome", "palindrome"),
        ("Cold", "L4/01-doubling", "doubling"),
    ):
        file = bench_dir.path / "steps" / level / f"01-{slug}.yaml"
        file.parent.mkdir(parents=True)
        text = (bench_dir.path / "tasks" / f"{old}.yaml").read_text()
        text = text.replace(f"id: {old[:2]}-", f"id: {level}-")
        file.write_text(text.replace(f"level: {old[1]}", f"level: {level}"))
    (bench_dir.path / "steps" / "suite.yaml").write_text(SUITE)
    return bench_dir


def test_a_suite_names_its_levels_and_their_order(steps: BenchDir) -> None:
    """Markers, tables, records, items and run.json speak of the suite that was run."""
    result = steps.run(REFERENCE, "--sema-suite=steps", "-m", "Warm or Cold", "--strict-markers")
    result.assert_outcomes(passed=2)
    assert list(read_table(result.outlines)) == ["Warm", "Cold", "all"]
    run = json.loads((steps.run_folder / "run.json").read_text())
    suite = {"name": "steps", "version": 3, "hash": run["suite"]["hash"]}
    assert run["suite"] == {**suite, "levels": ["Warm", "Cold"]}
    items = json.loads((steps.run_folder / "items.json").read_text())
    assert [item["suite"] for item in items] == [suite, suite]
    assert [record.suite and record.suite.as_json() for record in steps.records()] == [suite] * 2
    assert {record.level for record in steps.records()} == {"Warm", "Cold"}


def test_markers_come_with_their_meaning(steps: BenchDir) -> None:
    """`--markers` shows what the suite says of its levels."""
    result = steps.run_here(REFERENCE, "--sema-suite=steps", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.Warm: the first steps", "@pytest.mark.Cold: *"])


def test_pyproject_names_a_suite_beside_it(steps: BenchDir) -> None:
    """A suite's folder in the file is relative to it; the command line's tasks win over both."""
    (steps.path / "pyproject.toml").write_text('[tool.sema-bench]\nsuite = "steps"\n')
    assert len(steps.collect(REFERENCE)) == 2
    assert len(steps.collect(REFERENCE, "--sema-tasks=tasks")) == 4


def test_paths_on_the_command_line_name_their_suite(steps: BenchDir) -> None:
    """Its levels are markers, and run.json says where the tasks are, for regrade and resume."""
    (steps.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    result = steps.run(REFERENCE, "steps/Cold", "-m", "Cold", "--strict-markers")
    result.assert_outcomes(passed=1)
    run = json.loads((steps.run_folder / "run.json").read_text())
    assert run["settings"]["suite"] == str(steps.path / "steps")
    assert run["suite"]["name"] == "steps"


def test_a_baseline_of_another_suite_is_a_usage_error(steps: BenchDir) -> None:
    """Before anything is asked, whether an option or a path names the suite."""
    run = steps.path / "core-run"
    write_run(run, records_of({"L1-01-list": "p"}, suite=SuiteId(name="core", version=1, hash="h")))
    (steps.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    for suite in ("--sema-suite=steps", "steps/Cold"):
        result = steps.run_here(REFERENCE, suite, "--sema-baseline=core-run")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        text = "*the run is of the suite steps and --sema-baseline=*of core*"
        result.stderr.fnmatch_lines([text])


REFUSED = {
    "unknown": ("--sema-suite=fontier", "*'fontier' is neither a bundled suite (core, frontier)*"),
    "a folder without suite.yaml": ("--sema-suite=tasks", "*use --sema-tasks*"),
    "both": ("--sema-suite=core --sema-tasks=tasks", "*do not go together: choose one"),
}


@pytest.mark.parametrize(("args", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_suite_is_a_usage_error(args: str, message: str, bench_dir: BenchDir) -> None:
    """The error names the suites that there are, or the option that is meant."""
    result = bench_dir.run_here(REFERENCE, *args.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_a_run_has_tasks_of_one_suite(steps: BenchDir) -> None:
    """Folders of two suites on the command line are a collection error that names both."""
    shutil.copytree(steps.path / "steps", steps.path / "other")
    text = (steps.path / "other/suite.yaml").read_text().replace("steps", "other")
    (steps.path / "other/suite.yaml").write_text(text)
    for file in (steps.path / "other").glob("*/*.yaml"):
        file.write_text(file.read_text().replace("-01-", "-02-"))
        file.rename(file.with_name(file.name.replace("01", "02")))
    (steps.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    for args in (("steps", "other"), ("--sema-suite=steps", "other")):
        result = steps.run_here(REFERENCE, "--collect-only", *args)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        text = "*is of the suite other, but others of this run are of steps*"
        result.stdout.fnmatch_lines([text])
