"""The suite that comes with the package, whole, as `make bench` runs it."""

import pytest

from tests.plugin.bench_dir import REFERENCE, BenchDir, read_table


def test_the_reference_model_solves_all_sixty_tasks(bench_dir: BenchDir) -> None:
    """Sixty items pass on the real VM: 15, 15, 15, 10 and 5, each with a tool call."""
    (bench_dir.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    result = bench_dir.run(REFERENCE, "-q")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=60)
    counts = {"L1": "15", "L2": "15", "L3": "15", "L4": "10", "L5": "5", "all": "60"}
    table = read_table(result.outlines)
    assert {level: row["tasks"] for level, row in table.items()} == counts
    assert {level: row["passed"] for level, row in table.items()} == counts
    assert {row["tools/task"] for row in table.values()} == {"1.0"}
