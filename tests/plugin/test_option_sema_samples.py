"""--sema-samples: how often to ask."""

import pytest

from tests.plugin.bench_dir import REFERENCE, BenchDir, read_table


def test_each_question_is_asked_k_times(bench_dir: BenchDir, workers: tuple[str, ...]) -> None:
    """Three samples are three items of each task, and the table tells runs from tasks."""
    result = bench_dir.run(REFERENCE, "--sema-samples=3", *workers)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=12)
    table = read_table(result.outlines)
    assert {level: (row["tasks"], row["runs"], row["passed"]) for level, row in table.items()} == {
        "L1": ("1", "3", "3"),
        "L2": ("1", "3", "3"),
        "L4": ("1", "3", "3"),
        "L5": ("1", "3", "3"),
        "all": ("4", "12", "12"),
    }
    assert len({(record.task, record.sample) for record in bench_dir.records()}) == 12
