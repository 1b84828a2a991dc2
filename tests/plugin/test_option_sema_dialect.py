"""--sema-dialect: a run in a language that nobody can have seen."""

import json

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.dialect.dialect import make_dialect
from tests.chat_server import ChatServer, say
from tests.plugin.bench_dir import REFERENCE, BenchDir

SEVEN = make_dialect(7, 1.0)
W = SEVEN.words


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_the_reference_model_speaks_it(bench_dir: BenchDir, workers: tuple[str, ...]) -> None:
    """It passes, and records, run.json and the table say in which dialect."""
    result = bench_dir.run(REFERENCE, "--sema-dialect=7", *workers)
    result.assert_outcomes(passed=4)
    assert {record.dialect for record in bench_dir.records()} == {SEVEN.label}
    run = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert run["dialect"] == SEVEN.label
    result.stdout.fnmatch_lines([f"dialect: answers are in the dialect {SEVEN.label} *"])


def test_a_model_reads_and_writes_nothing_else(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Prompt and tools are in the dialect, an answer in it is right, one in Sema is not."""
    right = f"({W['define']} (double-all xs) ({W['map']} ({W['fn']} (x) ({W['*']} 2 x)) xs))"
    chat_server.play([say(f"```sema\n{right}\n```")])
    result = bench_dir.ask(chat_server, "--sema-dialect=7", "-k", "doubling")
    (request,) = chat_server.requests
    system, prompt = (message["content"] for message in request.body["messages"][:2])
    assert W["define"] in system
    assert "foldl" not in system
    assert "(define" not in prompt
    result.assert_outcomes(passed=1, deselected=3)
    chat_server.play([say("```sema\n(define (double-all xs) (map (fn (x) (* 2 x)) xs))\n```")])
    result = bench_dir.ask(chat_server, "--sema-dialect=7", "-k", "doubling")
    result.assert_outcomes(failed=1, deselected=3)


@pytest.mark.parametrize("text", ["seven", "7:2", "7:0"])
def test_what_is_no_dialect_is_a_usage_error(bench_dir: BenchDir, text: str) -> None:
    """Before anything is asked."""
    result = bench_dir.run_here(REFERENCE, f"--sema-dialect={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --sema-dialect: found '{text}', expected SEED or *"])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--sema-config=sema-mcp",), "*the tools of sema-mcp are those of an MCP server*"),
        (("--sema-docs=sema",), "*searches the documentation of plain Sema*"),
    ],
    ids=["tools", "documentation"],
)
def test_servers_that_speak_plain_sema_are_refused(
    bench_dir: BenchDir, options: tuple[str, ...], why: str
) -> None:
    """A model would be told two languages at once."""
    result = bench_dir.run_here(REFERENCE, "--sema-dialect=7", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --sema-dialect: {why}"])


def test_a_verdict_in_one_language_is_none_in_another(
    bench_dir: BenchDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taking a run up asks everything again in another dialect; regrade speaks the run's."""
    bench_dir.run(REFERENCE, "--sema-dialect=7", "-k", "palindrome").assert_outcomes(
        passed=1, deselected=3
    )
    (before,) = bench_dir.records()
    folder = bench_dir.run_folder
    result = bench_dir.run(REFERENCE, "--sema-dialect=8", "--sema-resume", "-k", "palindrome")
    result.stdout.fnmatch_lines(["*there is no run of these models to take up*"])
    assert before.dialect == SEVEN.label
    assert main(["regrade", str(folder), "--tasks", str(bench_dir.path / "tasks")]) == 0
    assert "1 answers graded again, 0 flips" in capsys.readouterr().out
