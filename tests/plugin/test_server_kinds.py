"""Whole runs against servers that are not as the chat API has it: graded, and said so."""

import pytest

from pytest_sema_bench.records.outcome import Outcome, Stop
from tests.chat_server import ChatServer, Request, Step, after, call_tool, say
from tests.plugin.bench_dir import BenchDir, read_table
from tests.server_kinds import as_text, behind, step_of

FLAGS = "vLLM --enable-auto-tool-choice --tool-call-parser hermes"


@pytest.mark.parametrize("kind", ["vLLM", "llama.cpp", "llama-cpp-python"])
def test_broken_arguments_are_graded_and_not_void(
    kind: str, bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """A server that refuses its own messages is asked again with tidy ones."""
    right = bench_dir.script()

    def play(request: Request) -> Step:
        return step_of(right, request) if request.turn else call_tool(arguments="{code: 1}")

    chat_server.play(behind(kind, play))
    bench_dir.ask(chat_server).assert_outcomes(passed=4)
    records = bench_dir.records()
    assert all(record.misfits == 1 for record in records)
    assert {name for record in records for name in record.adaptations} == {"tidy-history"}


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)])
def test_calls_that_arrive_as_text_are_read_and_said(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...]
) -> None:
    """One line names the server's flag as soon as it is seen, another stands below the table."""
    right = as_text(bench_dir.script())
    chat_server.play(lambda request: after(1.0, step_of(right, request)))
    result = bench_dir.ask(chat_server, *workers)
    result.assert_outcomes(passed=4)
    at_once = f"sema-bench: m: tool calls arrive as text (hermes)*{FLAGS}*"
    below = f"tool calls arrived as text (hermes) in 4 of 4 items*{FLAGS}*"
    result.stdout.fnmatch_lines([at_once, below])
    assert result.stdout.str().count("tool calls arrive as text") == 1
    assert all(record.repairs == 1 for record in bench_dir.records())


def test_an_entry_decides_what_becomes_of_calls_in_the_text(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """They can be refused, which says nothing about the model, or left as they are."""
    entry = f"base_url: {chat_server.url}, id: i, text_tool_calls"
    (bench_dir.path / "sema-models.yaml").write_text(
        f"models:\n  strict: {{{entry}: refuse}}\n  blind: {{{entry}: ignore}}\n"
    )
    chat_server.play(as_text(bench_dir.script()))
    result = bench_dir.run("--sema-model=strict")
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*text_tool_calls is refuse*", f"{FLAGS}*"])
    bench_dir.run("--sema-model=blind").assert_outcomes(failed=4)


def test_tools_that_nobody_calls_are_said(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """Perhaps the server does not pass them on; without tools there is nothing to say."""
    right = bench_dir.script()
    chat_server.play(lambda request: right(_without_tools(request)))
    remark = "tools: offered in 4 items and never called*"
    result = bench_dir.ask(chat_server)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([remark])
    bench_dir.ask(chat_server, "--sema-config=bare").stdout.no_fnmatch_line(remark)


def _without_tools(request: Request) -> Request:
    request.body.pop("tools", None)
    return request


def test_what_holds_no_answer_is_shown_as_what_it_is(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Reasoning only, or a refusal: counted as wrong, and not as an empty text."""

    def play(request: Request) -> Step:
        if "palindrome" in request.prompt:
            return say(None, refusal="I cannot help with that.")
        return say("", reasoning_content="Hm, (+ 1 2) it is.")

    chat_server.play(play)
    result = bench_dir.ask(chat_server)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["answer     (reasoning only)"])
    refused = "verdict    no answer: the model refused: I cannot help with that.*"
    result.stdout.fnmatch_lines([refused])
    result.stdout.fnmatch_lines(
        ["no answer: 4 of 4 hold reasoning only ×3 or a refusal ×1, and count as wrong"]
    )
    assert {record.stop for record in bench_dir.records()} == {Stop.THOUGHT, Stop.REFUSED}
    assert {record.outcome for record in bench_dir.records()} == {Outcome.FAIL}
    assert read_table(result.outlines, "m-tools")["all"]["passed"] == "0"
