"""--sema-tasks: which suite."""

import shutil

import pytest

from tests.plugin.bench_dir import REFERENCE, BenchDir


def test_a_folder_or_a_file_replaces_the_suite(bench_dir: BenchDir) -> None:
    """Every YAML file below the folder is a task, whatever the folders are called."""
    shutil.copytree(bench_dir.path / "tasks" / "L5", bench_dir.path / "mine" / "L5")
    asked = bench_dir.collect(REFERENCE, "--sema-tasks=mine")
    assert asked == ["mine/L5/01-summing.yaml::summing[reference-tools]"]
    assert bench_dir.collect(REFERENCE, "--sema-tasks=mine/L5/01-summing.yaml") == asked


def test_the_bundled_suite_is_the_default(bench_dir: BenchDir) -> None:
    """Without the option sixty tasks are collected: 15, 15, 15, 10 and 5."""
    (bench_dir.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    names = bench_dir.collect(REFERENCE)
    folders = [name.split("/")[-2] for name in names]
    assert [folders.count(f"L{level}") for level in range(1, 6)] == [15, 15, 15, 10, 5]
    assert len(set(names)) == len(names)


def test_a_folder_without_tasks_is_a_usage_error(bench_dir: BenchDir) -> None:
    """It is named; a run of nothing would look like a run."""
    (bench_dir.path / "none").mkdir()
    result = bench_dir.run_here(REFERENCE, "--sema-tasks=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-tasks: no task files (?.yaml) in *none"])


def test_a_file_that_is_no_task_is_a_usage_error(bench_dir: BenchDir) -> None:
    """It is named by the option, before pytest misses it among what it can collect."""
    (bench_dir.path / "notes.md").touch()
    result = bench_dir.run_here(REFERENCE, "--sema-tasks=notes.md")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-tasks: *notes.md is no task file (?.yaml)"])
