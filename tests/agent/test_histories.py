"""Histories that a server refuses: the run goes on, and the transcript keeps what came."""

import json
from typing import Any

import pytest

from pytest_sema_bench.records.outcome import Outcome
from tests.asking import Converse
from tests.chat_server import ChatServer, Step, call_tool, call_tools, refuse, reply, say, tool_call
from tests.samples.double_task import RIGHT
from tests.server_kinds import KINDS, behind

BROKEN: dict[str, object] = {
    "no JSON": '{code: "(+ 1 2)"}',
    "cut off": '{"code": "(+ 1 2)"',
    "control tokens": '{"code": "(+ 1 2)"}<|tool_call_end|><|im_end|>',
    "blank": " ",
    "no text": {"code": "(+ 1 2)"},
}


@pytest.mark.parametrize("arguments", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("kind", ["vLLM", "llama.cpp", "a proxy"])
def test_broken_arguments_do_not_end_the_conversation(
    kind: str, arguments: object, converse: Converse, chat_server: ChatServer
) -> None:
    """The copy that is sent back holds an object; what came stays as it came, and is counted."""
    call = call_tools([tool_call(arguments)])
    run, verdict = converse(behind(kind, [call, call, say(RIGHT)]))
    assert (verdict.outcome, run.broken_off_by) == (Outcome.PASS, None)
    assert run.n_misfits + run.n_repairs == 2
    kept = run.transcript.messages[2]["tool_calls"][0]["function"]["arguments"]
    assert kept == arguments
    sent = chat_server.requests[-1].messages[2]["tool_calls"][0]["function"]["arguments"]
    assert isinstance(json.loads(sent), dict)
    assert [call.adaptations for call in run.transcript.calls] == [(), *2 * [("tidy-history",)]]


def bare_call(**fields: Any) -> Step:
    """A message without a role, with a call that has neither type nor id."""
    function = {"name": "eval_code", "arguments": '{"code": "1"}'}
    return reply({"tool_calls": [{"function": function}], **fields}, finish_reason="tool_calls")


HISTORIES: dict[str, Step] = {
    "null": call_tool("1"),
    "nothing but the call": bare_call(),
    "reasoning": call_tool("1", reasoning="r", reasoning_content="r", annotations=[]),
    "parts": call_tool("1", content=[{"type": "thinking", "thinking": "t"}, "I try:"]),
    "an array for arguments": call_tool(arguments="[1, 2]"),
    "text for a call": call_tools(["eval_code", None]),
    "a call that is no list": call_tools([])
    and reply({"content": None, "tool_calls": tool_call('{"code": "1"}')}),
}


@pytest.mark.parametrize("step", HISTORIES.values(), ids=HISTORIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_history_is_made_acceptable_to_every_kind_of_server(
    kind: str, step: Step, converse: Converse, chat_server: ChatServer
) -> None:
    """Whatever the server sent itself, it takes back after one refusal, or two."""
    run, verdict = converse(behind(kind, [step, step, say(RIGHT)]))
    assert (verdict.outcome, run.broken_off_by) == (Outcome.PASS, None)
    assert chat_server.n_requests <= 5


def test_a_server_that_takes_the_history_gets_it_as_it_came(
    converse: Converse, chat_server: ChatServer
) -> None:
    """Nothing is tidied for a server that has refused nothing."""
    run, _ = converse([call_tools([tool_call("{")]), say(RIGHT)])
    assert chat_server.requests[1].messages[2]["tool_calls"][0]["function"]["arguments"] == "{"
    assert [call.adaptations for call in run.transcript.calls] == [(), ()]


def test_a_refusal_that_a_tidy_history_does_not_mend_is_told_once(
    converse: Converse, chat_server: ChatServer
) -> None:
    """One more request finds out; nothing is remembered that did not help."""
    refusal = refuse(400, "I am a teapot")
    run, _ = converse(lambda request: refusal if request.turn else call_tool("1"))
    assert "I am a teapot" in str(run.broken_off_by)
    assert chat_server.n_requests == 3


def test_a_fault_of_the_server_is_no_reason_to_tidy_up(
    converse: Converse, chat_server: ChatServer
) -> None:
    """A 500 that says nothing about the request is tried again as it is."""
    run, verdict = converse([call_tool("1"), refuse(500, "CUDA out of memory"), say(RIGHT)])
    assert verdict.outcome is Outcome.PASS
    assert [call.adaptations for call in run.transcript.calls] == [(), ()]
