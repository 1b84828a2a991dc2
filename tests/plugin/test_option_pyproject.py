"""[tool.sema-bench] in pyproject.toml: settings that stay."""

import pytest

from tests.plugin.bench_dir import REFERENCE, BenchDir


def _configure(bench_dir: BenchDir, text: str) -> None:
    (bench_dir.path / "pyproject.toml").write_text(f'[tool.sema-bench]\ntasks = "tasks"\n{text}\n')


def test_the_table_holds_what_the_options_hold(bench_dir: BenchDir) -> None:
    """Samples and configurations come from the file, paths relative to it."""
    _configure(bench_dir, 'samples = 2\nconfig = ["bare", "tools"]')
    assert len(bench_dir.collect(REFERENCE)) == 4 * 2 * 2


def test_the_command_line_wins(bench_dir: BenchDir) -> None:
    """An option that is given replaces the file's value."""
    _configure(bench_dir, 'samples = 2\nconfig = "bare"\ntimeout = 1.5')
    names = bench_dir.collect(REFERENCE, "--sema-samples=1", "--sema-config=tools")
    assert len(names) == 4
    assert all(name.endswith("[reference-tools]") for name in names)


def test_a_value_of_the_file_is_not_blamed_on_an_option(bench_dir: BenchDir) -> None:
    """What only later proves to be wrong names the file's line, too, unless an option said it."""
    _configure(bench_dir, 'samples = 2\nconfig = ["toolz"]')
    told = "unknown configuration 'toolz'; *"
    result = bench_dir.run_here(REFERENCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *pyproject.toml:4: tool.sema-bench.config: {told}"])
    result = bench_dir.run_here(REFERENCE, "--sema-config=toolz")
    result.stderr.fnmatch_lines([f"ERROR: --sema-config: {told}"])


def test_the_file_alone_never_asks_a_model(bench_dir: BenchDir) -> None:
    """A plain `pytest` costs nothing: `model` is not a key of the table."""
    _configure(bench_dir, "samples = 2")
    bench_dir.run_here("--collect-only").stdout.fnmatch_lines(["*1 test collected*"])
    _configure(bench_dir, 'model = "kimi-k2.6"')
    result = bench_dir.run_here(REFERENCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *pyproject.toml:3: *unknown key 'model'; known keys are*"])
