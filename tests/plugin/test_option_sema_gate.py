"""--sema-gate: whether the verdict decides the exit status or is only shown."""

import json
from collections.abc import Callable

import pytest

from pytest_sema_bench.grading.grader import GRADER_VERSION
from tests.chat_server import ChatServer, Request, Step, complete
from tests.plugin.bench_dir import KEY_NAME, BenchDir
from tests.plugin.gated import ALL_PASS, BASELINE, FIVE_BROKEN, GatedDir

BUDGET_SPENT = 11
OFF = "--sema-gate=off"
_DEAR = f"""\
models:
  dear:
    base_url: URL
    key_env: {KEY_NAME}
    id: m
    price: {{input: 100, output: 400}}
    sampling: {{max_tokens: 200}}
"""


@pytest.fixture
def gated(bench_dir: BenchDir, chat_server: ChatServer) -> GatedDir:
    """A project of eight sums."""
    return GatedDir(bench_dir, chat_server)


def test_off_leaves_pytest_its_report_and_status(gated: GatedDir) -> None:
    """What failed before fails as ever, a run with failures is 1, and the verdict is shown."""
    gated.save_baseline("ppppppff")
    result = gated.run("ppppppfp", BASELINE, OFF, "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["gate: NO EVIDENCE OF REGRESSION*"])
    run = json.loads((gated.bench_dir.run_folder / "run.json").read_text())
    assert (run["exit_status"], run["gate"]["exit_status"]) == (1, 0)


def test_off_shows_a_regression_that_pytest_does_not_see(gated: GatedDir) -> None:
    """Where all tests pass the status is 0, whatever the rules say."""
    gated.save_baseline(ALL_PASS, grader=GRADER_VERSION + 1)
    result = gated.run(ALL_PASS, BASELINE, OFF)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["gate: CANNOT TELL*"])


def test_the_switch_may_stand_in_pyproject_and_the_command_line_wins(gated: GatedDir) -> None:
    """`gate = false` is `off`."""
    gated.save_baseline("f" * 8)
    pyproject = gated.path / "pyproject.toml"
    pyproject.write_text(f'{pyproject.read_text()}\ngate = false\nbaseline = "base.json"\n')
    assert gated.run(FIVE_BROKEN).ret == pytest.ExitCode.TESTS_FAILED
    assert gated.run(FIVE_BROKEN, "--sema-gate=on").ret == pytest.ExitCode.OK


def hide_usage(script: Callable[[Request], Step]) -> Callable[[Request], Step]:
    """The script, but each reply counts at its worst against a cap."""

    def play(request: Request) -> Step:
        body = json.loads(script(request).payload)
        return complete({**body, "usage": None})

    return play


def test_a_spent_budget_is_11_until_it_is_raised(gated: GatedDir) -> None:
    """With the gate on and off; taken up with a higher cap the run gets its verdict."""
    gated.save_groups(gated.group(ALL_PASS, model="dear"))
    text = _DEAR.replace("URL", gated.server.url)
    (gated.path / "sema-models.yaml").write_text(text)
    gated.server.play(hide_usage(gated.script(ALL_PASS)))
    args = ("--sema-model=dear", BASELINE, "--sema-concurrency=1")
    result = gated.bench_dir.run(*args, "--sema-max-cost=1.5")
    assert result.ret == BUDGET_SPENT
    assert 0 < result.parseoutcomes()["passed"] < 8
    result.stdout.fnmatch_lines(["gate: INCOMPLETE*(exit status 11)"])
    result = gated.bench_dir.run(*args, "--sema-max-cost=1.5", "--sema-resume", OFF)
    assert result.ret == BUDGET_SPENT
    result = gated.bench_dir.run(*args, "--sema-max-cost=9", "--sema-resume")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["gate: NO EVIDENCE OF REGRESSION*"])


def test_the_switch_is_on_or_off(gated: GatedDir) -> None:
    """Anything else is a usage error."""
    assert (
        gated.refused("--sema-gate=maybe") == "--sema-gate: found 'maybe', expected 'on' or 'off'"
    )


def test_a_run_without_pytests_cache_plugin_is_no_internal_error(gated: GatedDir) -> None:
    """`-p no:cacheprovider` takes --lf away; whether a run is limited is known without it."""
    result = gated.bench_dir.run_here(
        "--sema-model=reference", "--collect-only", "-p", "no:cacheprovider"
    )
    assert result.ret == pytest.ExitCode.OK
