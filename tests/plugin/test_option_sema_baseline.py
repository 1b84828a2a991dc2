"""--sema-baseline: the exit status is the gate's, and pytest's report says what is news."""

import json
import shlex
import signal
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from tests.chat_server import HANG, ChatServer
from tests.plugin.bench_dir import LONGEST_S, BenchDir, wait_until
from tests.plugin.gated import ALL_PASS, BASELINE, FIVE_BROKEN, FOUR_BROKEN, GatedDir

REGRESSED, CANNOT_TELL, INCOMPLETE = 1, 10, 11


@pytest.fixture
def gated(bench_dir: BenchDir, chat_server: ChatServer) -> GatedDir:
    """A project of eight sums."""
    return GatedDir(bench_dir, chat_server)


def test_what_the_baseline_leads_to_expect_is_told_from_news(
    gated: GatedDir, workers: tuple[str, ...]
) -> None:
    """Failed before and now: xfailed; newly solved: xpassed; newly broken: failed; status 0."""
    gated.save_baseline("ppppppff")
    result = gated.run("fpppppfp", BASELINE, "-rxX", *workers)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(failed=1, passed=5, xfailed=1, xpassed=1)
    result.stdout.fnmatch_lines_random(
        [
            "XFAIL *adding-7[[]m-tools[]] - it failed in the baseline too",
            "XPASS *adding-8[[]m-tools[]] - newly solved: it failed in the baseline",
            "gate: NO EVIDENCE OF REGRESSION: * (exit status 0)",
            "  the smallest fall that 8 such tasks show *",
            "  *a fall of ten points*",
        ]
    )


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_five_newly_broken_tasks_are_a_regression(gated: GatedDir, n_workers: str) -> None:
    """Status 1, with p, the tasks and their reasons; run.json and summary.md say so too."""
    gated.save_baseline(ALL_PASS)
    result = gated.run(FIVE_BROKEN, BASELINE, n_workers)
    assert result.ret == REGRESSED
    result.assert_outcomes(failed=5, passed=3)
    result.stdout.fnmatch_lines(
        [
            "gate: REGRESSED: it got worse (exit status 1)",
            "- regressed: m-tools: 5 tasks got worse, 0 better; p = 0.031",
            "newly broken: 5",
            "  L1-01-adding-1  wrong value",
        ]
    )
    run = json.loads((gated.bench_dir.run_folder / "run.json").read_text())
    assert (run["exit_status"], run["gate"]["outcome"]) == (REGRESSED, "regressed")
    summary = (gated.bench_dir.run_folder / "summary.md").read_text().splitlines()
    assert "**gate: REGRESSED: it got worse (exit status 1)**" in summary
    assert "- L1-05-adding-5  wrong value" in summary


def test_a_task_that_changed_is_not_expected_to_fail(gated: GatedDir) -> None:
    """The baseline knows other tasks by these names: plain failures, and status 10, no pass."""
    gated.save_baseline("f" * 8, task_hash="0123")
    result = gated.run("fp" * 4, BASELINE)
    assert result.ret == CANNOT_TELL
    result.assert_outcomes(failed=4, passed=4)
    result.stdout.fnmatch_lines(
        ["gate: CANNOT TELL: * (exit status 10)", "*the task changed: 0123, now *"]
    )


def test_under_95_percent_nobody_can_tell(gated: GatedDir) -> None:
    """One of eight without a verdict is too many; void stays an error, expected to fail or not."""
    gated.save_baseline("p" * 6 + "ff")
    result = gated.run("p" * 6 + "fv", BASELINE)
    assert result.ret == CANNOT_TELL
    result.assert_outcomes(passed=6, xfailed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["- cannot tell: m-tools: only 88 % of the baseline can be compared, 95 % is needed"]
    )


def test_a_part_chosen_on_purpose_is_judged_as_such(gated: GatedDir) -> None:
    """With -k the tasks that were left out do not lower the coverage."""
    gated.save_baseline(ALL_PASS)
    assert gated.run(ALL_PASS, BASELINE, "-k", "adding-1 or adding-2").ret == pytest.ExitCode.OK
    chosen = [f"sums/L1/0{n}-adding-{n}.yaml" for n in range(1, 6)]
    assert gated.run(FIVE_BROKEN, BASELINE, *chosen).ret == REGRESSED


def test_the_whole_suite_by_its_name_is_no_part(gated: GatedDir) -> None:
    """Tasks that were deleted since are missed by `pytest sums` as they are by `pytest`."""
    gated.save_baseline(ALL_PASS)
    for number in (7, 8):
        (gated.path / "sums" / "L1" / f"0{number}-adding-{number}.yaml").unlink()
    assert gated.run(ALL_PASS, BASELINE, "sums").ret == CANNOT_TELL


def test_a_model_that_the_baseline_does_not_hold_cannot_be_judged(gated: GatedDir) -> None:
    """Of several models none is taken for another; those of the baseline are named."""
    gated.save_groups(gated.group(ALL_PASS, model="a"), gated.group("f" * 8, model="b"))
    result = gated.run("f" + "p" * 7, BASELINE)
    assert result.ret == CANNOT_TELL
    result.assert_outcomes(failed=1, passed=7)
    result.stdout.fnmatch_lines(["*m-tools: not in the baseline, which holds a-tools, b-tools"])


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_a_run_that_stops_early_is_incomplete(gated: GatedDir, n_workers: str) -> None:
    """With -x the first newly broken task ends the run, an expected failure does not.

    The status is 11; xdist takes -x for an interrupt, as it does without a baseline: 2.
    """
    gated.save_baseline("f" + "p" * 7)
    result = gated.run("ff" + "h" * 6, BASELINE, "-x", n_workers)
    if n_workers == "-n2":
        # The other worker may end the run before the expected failure is told.
        outcomes = result.parseoutcomes()
        assert outcomes.pop("xfailed", 1) == 1
        assert outcomes == {"failed": 1}
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.no_fnmatch_line("gate:*")
    else:
        result.assert_outcomes(xfailed=1, failed=1)
        assert result.ret == INCOMPLETE
        result.stdout.fnmatch_lines(["gate: INCOMPLETE: the run did not get to its end, *"])


def test_an_interrupted_run_ends_as_pytest_says(gated: GatedDir) -> None:
    """Ctrl-C is status 2 with a baseline too, and nothing is judged."""
    gated.save_baseline(ALL_PASS)
    gated.server.play([HANG])
    run = gated.bench_dir.start(*gated.bench_dir.asking(gated.server), BASELINE, "-n2")
    wait_until(lambda: gated.server.n_requests > 0)
    run.send_signal(signal.SIGINT)
    assert run.wait(LONGEST_S) == pytest.ExitCode.INTERRUPTED
    assert not any(line.startswith("gate:") for line in gated.bench_dir.output)


def test_a_failing_test_of_the_users_own_stays_red(gated: GatedDir) -> None:
    """The gate has no say in it, whatever it makes of the model."""
    gated.save_baseline(ALL_PASS)
    own = gated.add_test("def test_own(): assert False\n")
    result = gated.run(ALL_PASS, BASELINE, "sums", own, "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["gate: NO EVIDENCE OF REGRESSION*"])


OWN = {
    "a passing test": ("def test_own(): pass\n", 0),
    "an error in tear-down": (
        "import pytest\n@pytest.fixture\ndef x():\n    yield\n    1 / 0\ndef test_own(x): pass\n",
        1,
    ),
    "a file that cannot be imported": ("import nothing_of_this_name\n", 1),
}


@pytest.mark.parametrize(("text", "status"), OWN.values(), ids=OWN)
def test_other_tests_count_beside_the_gate(gated: GatedDir, text: str, status: int) -> None:
    """Whatever goes wrong in the user's own tests is status 1; four newly broken tasks are not."""
    gated.save_baseline(ALL_PASS)
    own = gated.add_test(text)
    result = gated.run(FOUR_BROKEN, BASELINE, "sums", own, "--continue-on-collection-errors")
    assert result.ret == status
    assert result.parseoutcomes()["failed"] == 4
    result.stdout.fnmatch_lines(["  to fire, 5 tasks had to be newly broken, *"])


def test_a_task_file_that_cannot_be_read_is_not_passed_over(gated: GatedDir) -> None:
    """With --continue-on-collection-errors the others run, and the run is red all the same."""
    gated.save_baseline(ALL_PASS[:7])
    path = gated.path / "sums" / "L1" / "08-adding-8.yaml"
    path.write_text(path.read_text().replace("reference:", "refrence:"))
    result = gated.run(ALL_PASS, BASELINE, "--continue-on-collection-errors")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=7, errors=1)


def test_nothing_selected_is_pytests_status(gated: GatedDir) -> None:
    """Where no item runs there is nothing to judge."""
    gated.save_baseline(ALL_PASS)
    assert gated.run(ALL_PASS, BASELINE, "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_first_run_says_how_to_keep_a_baseline(
    gated: GatedDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0 though tasks failed; the command works as printed, and the next run is judged."""
    path = "baselines/m.json"
    result = gated.run("ppppppff", f"--sema-baseline={path}", "--sema-baseline-new")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(
        [
            "m-tools: 6 of 8 passed, 8 tasks",
            f"There is no baseline {path} yet, so this run was compared with nothing. To keep it:",
        ]
    )
    assert not any(line.startswith("gate:") for line in result.outlines)
    (command,) = (line for line in result.outlines if "sema-bench baseline save" in line)
    program, *arguments = shlex.split(command)
    assert program == "sema-bench"
    assert main(arguments) == 0
    assert "m-tools" in capsys.readouterr().out
    again = gated.run("ppppppff", f"--sema-baseline={path}")
    assert again.ret == pytest.ExitCode.OK
    again.assert_outcomes(passed=6, xfailed=2)


def test_a_first_run_without_any_verdict_is_no_pass(gated: GatedDir) -> None:
    """Where the server refused everything nobody can tell, and nothing is offered to be kept."""
    result = gated.run("v" * 8, BASELINE, "--sema-baseline-new")
    result.assert_outcomes(errors=8)
    assert result.ret == CANNOT_TELL


def test_a_baseline_that_is_not_there_is_a_usage_error(gated: GatedDir) -> None:
    """A gate that compares with a mistyped name would be green for ever."""
    line = gated.refused("--sema-baseline=typo.json")
    assert line.startswith("--sema-baseline: there is no file or run folder typo.json; ")
    assert "--sema-baseline-new" in line
    gated.save_baseline("f" * 8)
    again = gated.run(ALL_PASS, BASELINE, "--sema-baseline-new")
    again.assert_outcomes(xpassed=8)  # once there is one, it is what counts


def test_a_run_folder_is_a_baseline_too(gated: GatedDir) -> None:
    """No file has to be saved to compare with the last run, not even in pyproject.toml."""
    gated.run("ppppppff").assert_outcomes(passed=6, failed=2)
    pyproject = gated.path / "pyproject.toml"
    name = gated.bench_dir.run_folder.relative_to(gated.path)
    pyproject.write_text(f'{pyproject.read_text()}\nbaseline = "{name}"\n')
    result = gated.run("ppppppff")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=6, xfailed=2)


def test_a_run_that_is_taken_up_is_judged_as_a_whole(gated: GatedDir) -> None:
    """Verdicts from before count, and failed ones are expected failures as in a new run."""
    gated.save_baseline("p" * 7 + "f")
    assert gated.run("p" * 6 + "vf", BASELINE).ret == CANNOT_TELL
    n_requests = gated.server.n_requests
    result = gated.run(ALL_PASS, BASELINE, "--sema-resume")
    assert gated.server.n_requests == n_requests + 1
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=7, xfailed=1)


BROKEN = {
    "no JSON": ("{\n <<<<<<< HEAD\n", ":2: not JSON: * (a merge left its marks?)"),
    "no baseline": ("[]\n", ':1: no baseline: it has no "sema-bench baseline"*'),
    "another format": (
        '{\n "sema-bench baseline": 99}\n',
        ":2: format 99; this version reads 1 to 2",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_baseline_ends_the_run_before_anything_is_asked(
    gated: GatedDir, text: str, message: str
) -> None:
    """A usage error with file and line."""
    path: Path = gated.path / "base.json"
    path.write_text(text)
    line = gated.refused(BASELINE)
    pytest.LineMatcher([line]).fnmatch_lines([f"--sema-baseline: base.json{message}"])


def test_a_folder_that_is_no_run_is_refused(gated: GatedDir) -> None:
    """The error says what a run folder would hold."""
    assert "no run folder: it holds no records*.jsonl" in gated.refused("--sema-baseline=sums")
