"""--sema-report-dir: where run folders go."""

import pytest

from tests.plugin.bench_dir import REFERENCE, BenchDir

_ONE = (REFERENCE, "-k", "adding")


def test_run_folders_go_where_they_are_told(bench_dir: BenchDir) -> None:
    """The folder is made if need be, ignores itself for git, and is named at the end."""
    result = bench_dir.run(*_ONE, "--sema-report-dir=out/deep")
    (run,) = bench_dir.path.glob("out/deep/*/")
    result.stdout.fnmatch_lines([f"run folder: out/deep/{run.name}"])
    assert (bench_dir.path / "out" / "deep" / ".gitignore").is_file()
    assert not (bench_dir.path / "reports").exists()


def test_each_run_has_a_folder_of_its_own(bench_dir: BenchDir) -> None:
    """A second run leaves the first one's folder alone."""
    bench_dir.run(*_ONE)
    bench_dir.run(*_ONE)
    assert len(list(bench_dir.path.glob("reports/*/records.jsonl"))) == 2


def test_a_folder_that_cannot_be_made_is_a_usage_error(bench_dir: BenchDir) -> None:
    """What stands in the way is named, before anything is asked."""
    (bench_dir.path / "taken").write_text("a file")
    result = bench_dir.run(*_ONE, "--sema-report-dir=taken")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-report-dir: cannot make *taken*: Not a directory"])
