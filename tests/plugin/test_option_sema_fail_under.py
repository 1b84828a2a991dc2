"""--sema-fail-under: a floor under each model's pass rate."""

import pytest

from tests.chat_server import ChatServer
from tests.plugin.bench_dir import BenchDir
from tests.plugin.gated import GatedDir

REGRESSED, CANNOT_TELL = 1, 10
SIX = "ppppppff"
"""Three quarters."""


@pytest.fixture
def gated(bench_dir: BenchDir, chat_server: ChatServer) -> GatedDir:
    """A project of eight sums."""
    return GatedDir(bench_dir, chat_server)


def test_the_floor_itself_is_enough(gated: GatedDir) -> None:
    """Six of eight are 75 %: failed items alone do not make the run red."""
    result = gated.run(SIX, "--sema-fail-under=75")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(["gate: NO EVIDENCE OF REGRESSION*"])


def test_below_the_floor_is_a_regression(gated: GatedDir) -> None:
    """A little below is below, and the rule's numbers are said."""
    result = gated.run(SIX, "--sema-fail-under=75.1", "-n2")
    assert result.ret == REGRESSED
    result.stdout.fnmatch_lines(["- regressed: m-tools: 6 of 8 passed, the floor is 75.1 %"])


def test_what_has_no_verdict_leaves_the_floor_open(gated: GatedDir) -> None:
    """Two void items of eight could have lifted the rate: nobody can tell."""
    result = gated.run("ppppffvv", "--sema-fail-under=75")
    assert result.ret == CANNOT_TELL
    result.stdout.fnmatch_lines(
        ["- cannot tell: m-tools: 4 of 6 passed and 2 more have no verdict, so the floor 75 % *"]
    )


def test_the_floor_may_stand_in_pyproject(gated: GatedDir) -> None:
    """A first run with a baseline to come is held to it, and the command is printed too."""
    pyproject = gated.path / "pyproject.toml"
    rules = 'fail-under = 80\nbaseline = "base.json"'
    pyproject.write_text(f"{pyproject.read_text()}\n{rules}\n")
    result = gated.run(SIX, "--sema-baseline-new")
    assert result.ret == REGRESSED
    result.stdout.fnmatch_lines(["gate: REGRESSED*", "*  sema-bench baseline save *"])


@pytest.mark.parametrize("text", ["101", "-1", "half", "nan", ""])
def test_a_floor_is_a_percentage(gated: GatedDir, text: str) -> None:
    """Anything else is a usage error before anything is asked."""
    line = gated.refused(f"--sema-fail-under={text}")
    assert line == f"--sema-fail-under: found '{text}', expected a percentage from 0 to 100"
