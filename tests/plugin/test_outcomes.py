"""How items end, what they show, and what pytest's own options make of it."""

from xml.etree import ElementTree

import pytest

from pytest_sema_bench.cli import main
from tests.chat_server import HANG, ChatServer, call_tool, refuse, say
from tests.plugin.bench_dir import REFERENCE, WRONG, BenchDir, read_table

_HOSTILE = "\x1b[31mred \x00 ]]> <a&b> \u202e \ud800 \x85 " + "x" * 500


def test_right_wrong_and_void_are_passed_failed_and_error(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...]
) -> None:
    """A wrong answer fails its item; a server's refusal is an error in set-up, never wrong."""
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refuse(400, "bad key")))
    result = bench_dir.ask(chat_server, *workers)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    row = read_table(result.outlines, "m-tools")["all"]
    assert (row["tasks"], row["passed"], row["pass rate"], row["void"]) == ("4", "2", "67 %", "1")
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of doubling[[]m-tools[]]*",
            "void: api error; this is not counted as a wrong answer",
            "*/v1/chat/completions: the server answered 400: *bad key*",
            "void: 1 of 4 items say nothing about the model (api error ×1); the rates leave *",
        ]
    )


def test_a_wrong_answer_shows_what_was_wrong(
    bench_dir: BenchDir, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """At most fifteen lines: prompt, case, expected, got, the answer's end, tools, transcript."""
    chat_server.play(
        bench_dir.script(palindrome=lambda r: WRONG if r.turn else call_tool("(+ 1 2)"))
    )
    result = bench_dir.ask(chat_server, "-k", "palindrome")
    lines = _failure(result.outlines)
    assert len(lines) <= 15
    pytest.LineMatcher(lines).fnmatch_lines(
        [
            "verdict *1 of 2 cases failed*, score 0.3",
            "prompt *Write a Sema function `(palindrome? s)` *",
            'case *(palindrome? "abc")',
            "expected *#f",
            "got *#t",
            "answer *",
            "* (define (palindrome? s) #t)",
            "tools *eval_code ×1; 1 rounds, ended by: answered",
            "transcript sema-bench transcript reports/* L2-01-palindrome/m-tools-s1",
        ]
    )
    _, _, *command = lines[-1].split()
    assert main(command) == 0
    assert "-> eval_code\n   code: (+ 1 2)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options", [("-q",), ("-v",), ("-rA",), ("--tb=short", "-s")], ids=" ".join
)
def test_the_table_is_printed_however_much_pytest_says(
    bench_dir: BenchDir, chat_server: ChatServer, options: tuple[str, ...]
) -> None:
    """Verbosity changes what pytest says, not what the bench says; hostile text stays quiet."""
    chat_server.play(bench_dir.script(palindrome=say(_HOSTILE)))
    result = bench_dir.ask(chat_server, *options, "-k", "adding or palindrome")
    result.assert_outcomes(passed=1, failed=1, deselected=2)
    assert read_table(result.outlines, "m-tools")["all"]["passed"] == "1"
    assert not set("\x1b\x00\u202e") & set(str(result.stdout))


def test_without_a_terminal_the_folder_still_tells_all(bench_dir: BenchDir) -> None:
    """`-p no:terminal` prints one line that says where the table is."""
    result = bench_dir.run(REFERENCE, "-p", "no:terminal")
    assert result.ret == pytest.ExitCode.OK
    assert not any(result.outlines)
    path = bench_dir.run_folder.relative_to(bench_dir.path) / "summary.md"
    assert result.errlines == [f"sema-bench: the table is in {path}"]
    summary = (bench_dir.path / path).read_text().splitlines()
    assert read_table(summary)["all"]["passed"] == "4"


def test_junit_xml_tells_failures_from_errors(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """The report parses whatever a model or a server wrote, and counts wrong and void apart."""
    chat_server.play(
        bench_dir.script(
            palindrome=say(_HOSTILE), doubling=refuse(400, _HOSTILE.replace("\x00", ""))
        )
    )
    bench_dir.ask(chat_server, "--junit-xml=junit.xml")
    suite = ElementTree.parse(bench_dir.path / "junit.xml").find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["4", "1", "1"]
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["palindrome[m-tools]"]
    properties = [(p.get("name"), p.get("value")) for p in suite.iter("property")]
    assert [v for n, v in properties if n == "sema.outcome"] == ["pass", "fail", "void", "pass"]
    assert [v for n, v in properties if n == "sema.score"] == ["1.0", "0.0", "1.0"]


def test_last_failed_asks_only_what_failed(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """`--lf` repeats the wrong and the void items, and costs nothing for the others."""
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refuse(400)))
    bench_dir.ask(chat_server).assert_outcomes(passed=2, failed=1, errors=1)
    chat_server.requests.clear()
    chat_server.play(bench_dir.script())
    bench_dir.ask(chat_server, "--lf").assert_outcomes(passed=2)
    assert bench_dir.asked(chat_server) == {"palindrome", "doubling"}


@pytest.mark.parametrize(("option", "n_wrong"), [("-x", 1), ("--maxfail=2", 2)])
@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_stopping_early_cancels_what_is_in_flight(
    bench_dir: BenchDir, chat_server: ChatServer, option: str, n_wrong: int, n_workers: str
) -> None:
    """What was graded has its record, what was cut off is counted as missing, nobody waits."""
    wrong = say("no idea")
    chat_server.play(
        bench_dir.script(
            adding=wrong, palindrome=wrong if n_wrong == 2 else HANG, doubling=HANG, summing=HANG
        )
    )
    result = bench_dir.ask(chat_server, option, n_workers)
    result.assert_outcomes(failed=n_wrong)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert len(bench_dir.records()) == n_wrong
    missing = f"missing: {4 - n_wrong} of 4 items have no record; the rates leave them out"
    result.stdout.fnmatch_lines([f"{missing}, and --sema-resume asks them"])
    assert missing in (bench_dir.run_folder / "summary.md").read_text()


def _failure(lines: list[str]) -> list[str]:
    """What stands between the failed item's heading and the next one."""
    start = next(i for i, line in enumerate(lines) if "palindrome[" in line and line[0] == "_")
    return next(
        lines[start + 1 : i] for i in range(start + 1, len(lines)) if lines[i].startswith("==")
    )
