"""--sema-shard: a run divided among machines, and put together again."""

from pathlib import Path

import pytest

from pytest_sema_bench.catalog.models import RateLimits
from pytest_sema_bench.cli import main
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.run.plan import make_plan
from pytest_sema_bench.settings import Settings, Shard
from tests.plugin.bench_dir import REFERENCE, BenchDir

MODELS = """
models:
  m:
    provider: local
    id: m
    price: {input: 1, output: 2}
    limits: {concurrency: 5, tokens_per_minute: 6000}
providers:
  local: {base_url: "http://127.0.0.1:1/v1"}
"""


def test_merged_shards_show_the_table_of_the_undivided_run(
    bench_dir: BenchDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte but for the seconds, which differ from run to run; every item once."""
    asking = (REFERENCE, "--sema-samples=3", "--sema-config=bare,tools", "-q")
    runs = [bench_dir.run(*asking, f"--sema-shard={number}/3") for number in (1, 2, 3)]
    assert sum(run.parseoutcomes()["passed"] for run in runs) == 24
    folders = sorted(bench_dir.path.glob("reports/2*/"))
    whole = bench_dir.path / "reports" / "whole"
    assert main(["merge", *map(str, folders), "-o", str(whole)]) == 0
    capsys.readouterr()
    undivided = bench_dir.run(*asking)
    undivided.assert_outcomes(passed=24)
    of_all, of_shards = bench_dir.run_folder, read_run(whole)
    assert _timeless(whole) == _timeless(of_all)
    assert (whole / "items.json").read_text() == (of_all / "items.json").read_text()
    assert len(of_shards.written) == 24
    again = bench_dir.run(*asking, "--sema-resume=whole")
    again.stdout.fnmatch_lines(["sema-bench: whole is finished: its 24 verdicts are shown again"])


def _timeless(run: Path) -> list[str]:
    """The summary below its title, without the last column, which holds seconds."""
    lines = (run / "summary.md").read_text().splitlines()[1:]
    return [line.rpartition("|")[0].rpartition("|")[0] or line for line in lines]


def test_a_shard_is_resumed_by_its_number(bench_dir: BenchDir) -> None:
    """The run of another shard is another run."""
    asking = (REFERENCE, "--sema-samples=3", "--sema-resume")
    bench_dir.run(*asking, "--sema-shard=1/3")
    other = bench_dir.run(*asking, "--sema-shard=2/3")
    other.stdout.fnmatch_lines(["*there is no run of these models to take up*"])
    again = bench_dir.run(*asking, "--sema-shard=1/3")
    again.stdout.fnmatch_lines(["*is finished: its * verdicts are shown again"])


def test_a_shard_has_its_share_of_cap_and_pace(tmp_path: Path) -> None:
    """All of them together keep to what one run would."""
    (tmp_path / "sema-models.yaml").write_text(MODELS)
    settings = Settings(
        models=("m",), max_cost_usd=3.0, shard=Shard(number=2, n_shards=4), concurrency=8
    )
    plan = make_plan(settings, tmp_path)
    assert plan.cap_usd == 0.75
    assert plan.models[0].limits == RateLimits(concurrency=1, tokens_per_minute=1500)


def test_more_shards_than_calls_at_once_are_a_usage_error(bench_dir: BenchDir) -> None:
    """They could not keep to the pace together."""
    (bench_dir.path / "sema-models.yaml").write_text(MODELS)
    result = bench_dir.run_here("--sema-model=m", "--sema-shard=1/6")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-shard: m takes 5 calls at once, *fewer than 6 *"])


@pytest.mark.parametrize("given", ["0/3", "4/3", "3", "1/0", "a/b", "1/2/3", ""])
def test_a_share_that_is_none_is_a_usage_error(bench_dir: BenchDir, given: str) -> None:
    """The message says what one looks like."""
    result = bench_dir.run_here(REFERENCE, f"--sema-shard={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --sema-shard: found {given!r}, expected a share such *"])
