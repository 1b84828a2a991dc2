"""--sema-must-pass: tasks whose failure is a regression, with or without a baseline."""

import pytest

from tests.chat_server import ChatServer
from tests.plugin.bench_dir import BenchDir
from tests.plugin.gated import BASELINE, GatedDir

REGRESSED, CANNOT_TELL = 1, 10


@pytest.fixture
def gated(bench_dir: BenchDir, chat_server: ChatServer) -> GatedDir:
    """A project of eight sums."""
    return GatedDir(bench_dir, chat_server)


def test_what_must_pass_decides_alone(gated: GatedDir) -> None:
    """Without a baseline the other failures are shown, and the status is 0."""
    result = gated.run("p" + "f" * 7, "--sema-must-pass=adding-1")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, failed=7)
    result.stdout.fnmatch_lines(["gate: NO EVIDENCE OF REGRESSION: *"])


def test_one_failed_sample_is_a_regression(gated: GatedDir) -> None:
    """Status 1, though the baseline expected the failure; the reason is said."""
    gated.save_baseline("f" + "p" * 7)
    result = gated.run("f" + "p" * 7, BASELINE, "--sema-must-pass=L1 and not adding-2", "-n2")
    assert result.ret == REGRESSED
    result.assert_outcomes(xfailed=1, passed=7)
    result.stdout.fnmatch_lines(
        [
            "gate: REGRESSED: it got worse (exit status 1)",
            "- regressed: m-tools: L1-01-adding-1 must pass: 1 of 1 failed (wrong value)",
        ]
    )


def test_without_a_verdict_nobody_can_tell(gated: GatedDir) -> None:
    """A server's refusal is no failure and no pass."""
    result = gated.run("v" + "p" * 7, "--sema-must-pass=adding-1")
    assert result.ret == CANNOT_TELL
    result.stdout.fnmatch_lines(["*L1-01-adding-1 must pass and has no verdict (api error)"])


def test_a_must_pass_task_that_was_left_out_is_a_doubt(gated: GatedDir) -> None:
    """With -k, and nothing chosen that the expression means, nobody can tell."""
    result = gated.run("p" * 8, "--sema-must-pass=adding-1", "-k", "adding-2")
    assert result.ret == CANNOT_TELL
    result.stdout.fnmatch_lines(["*no task of the run is meant by the must-pass expr*'adding-1'"])


REFUSED = {
    "a name that no task has": ("addinng-1", "*addinng-1*"),
    "half an expression": ("L1 and", "must-pass expression 'L1 and'*"),
    "no expression": ("", "--sema-must-pass: found '', expected a text that says something*"),
    "a call": ("exit()", "must-pass expression 'exit()'*expected names joined by and, or, not*"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_an_expression_that_means_nothing_is_refused(
    gated: GatedDir, text: str, message: str
) -> None:
    """A usage error before anything is asked."""
    line = gated.refused(f"--sema-must-pass={text}")
    pytest.LineMatcher([line]).fnmatch_lines([message])


def test_a_malformed_task_is_named_with_its_line(gated: GatedDir) -> None:
    """The rule looks at all tasks early; what it finds broken there is the user's, not ours."""
    path = gated.path / "sums" / "L1" / "08-adding-8.yaml"
    path.write_text(path.read_text().replace("reference:", "refrence:"))
    result = gated.bench_dir.run("--sema-model=reference", "--sema-must-pass=adding-1")
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    assert "INTERNALERROR" not in f"{result.stdout}{result.stderr}"
    assert "unknown key 'refrence'" in f"{result.stdout}{result.stderr}"
