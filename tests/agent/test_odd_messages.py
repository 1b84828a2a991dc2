"""What models and servers write, in all the forms it comes in, and what the loop makes of it."""

import json
from typing import Any

import pytest

from pytest_sema_bench.records.outcome import Outcome, Reason, Stop
from tests.asking import Converse
from tests.chat_server import (
    ChatServer,
    call_tool,
    call_tools,
    reply,
    say,
    tool_call,
)
from tests.samples.double_task import RIGHT, WRONG

ARGUMENTS: dict[str, tuple[object, int, str]] = {
    "broken JSON": ('{"code": "(+ 1', 0, "Error: the arguments are not JSON"),
    "empty": ("", 0, "Error: the arguments are not JSON"),
    "null": (None, 0, "Error: the arguments must be an object"),
    "a list": ("[1]", 0, "Error: the arguments must be an object"),
    "missing key": ("{}", 0, "Error: argument 'code' is missing"),
    "an object instead of a string": ({"code": "(+ 1 2)"}, 1, "Value: 3"),
}


@pytest.mark.parametrize(("arguments", "n_repairs", "text"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_broken_arguments_are_answered_and_the_conversation_goes_on(
    arguments: object, n_repairs: int, text: str, converse: Converse, chat_server: ChatServer
) -> None:
    """A broken call costs a round, not the run; what could be understood is counted."""
    run, verdict = converse([call_tools([tool_call(arguments)]), say(RIGHT)])
    assert verdict.outcome is Outcome.PASS
    counts = (run.rounds, run.tool_calls, run.n_repairs, run.n_misfits)
    assert counts == (1, {"eval_code": 1}, n_repairs, 1 - n_repairs)
    answer = chat_server.requests[1].messages[-1]
    assert (answer["role"], answer["tool_call_id"]) == ("tool", "call_1")
    assert answer["content"].startswith(text)


def test_an_unknown_tool_is_answered(converse: Converse, chat_server: ChatServer) -> None:
    """The answer says which tools there are, and the call is counted under the model's name."""
    run, verdict = converse([call_tool("1", name="shell"), say(RIGHT)])
    assert verdict.outcome is Outcome.PASS
    assert run.tool_calls == {"shell": 1}
    assert chat_server.requests[1].messages[-1]["content"] == (
        "Error: there is no tool 'shell'. Tools: eval_code."
    )


def test_a_tool_name_of_200_kb_is_not_kept_whole(converse: Converse) -> None:
    """The record's count of tool calls stays readable."""
    run, _ = converse([call_tool("1", name="x" * 200_000), say(RIGHT)])
    assert run.tool_calls == {"x" * 80: 1}


def test_two_calls_in_one_message_are_answered_in_order(
    converse: Converse, chat_server: ChatServer
) -> None:
    """Each call has an answer of its own; together they are one round."""
    calls = [tool_call(f'{{"code": "(+ {n} 0)"}}', call_id=f"id-{n}") for n in (1, 2)]
    run, _ = converse([call_tools(calls), say(RIGHT)])
    assert (run.rounds, run.tool_calls) == (1, {"eval_code": 2})
    assert chat_server.requests[1].messages[-2:] == [
        {"role": "tool", "tool_call_id": "id-1", "content": "Value: 1"},
        {"role": "tool", "tool_call_id": "id-2", "content": "Value: 2"},
    ]


IDS: dict[str, tuple[list[Any], list[Any]]] = {
    "as they came": (["call 1/ü", "x" * 300], ["call 1/ü", "x" * 300]),
    "repeated": (["a", "a"], ["a", "a"]),
    "missing": ([None, None], ["call_1_0", "call_1_1"]),
    "one missing": (["a", None], ["a", "call_1_1"]),
    "empty": (["", "b"], ["call_1_0", "b"]),
    "a number": ([7, 8], [7, 8]),
}


@pytest.mark.parametrize(("sent", "expected"), IDS.values(), ids=IDS)
def test_each_call_is_answered_under_its_id(
    sent: list[Any], expected: list[Any], converse: Converse, chat_server: ChatServer
) -> None:
    """Ids are echoed as they came; a missing one is made up, in the call and in its answer."""
    calls = [tool_call('{"code": "1"}', call_id=call_id) for call_id in sent]
    _, verdict = converse([call_tools(calls), say(RIGHT)])
    assert verdict.outcome is Outcome.PASS
    replayed, *answers = chat_server.requests[1].messages[-3:]
    assert [call["id"] for call in replayed["tool_calls"]] == expected
    assert [answer["tool_call_id"] for answer in answers] == expected


def test_one_call_that_is_no_list_is_a_call(converse: Converse, chat_server: ChatServer) -> None:
    """It is answered under its id like any other, and counted as repaired."""
    call = tool_call('{"code": "(+ 1 2)"}')
    run, verdict = converse([reply({"content": None, "tool_calls": call}), say(RIGHT)])
    assert (verdict.outcome, run.tool_calls, run.n_repairs) == (Outcome.PASS, {"eval_code": 1}, 1)
    answer = chat_server.requests[1].messages[-1]
    assert answer == {"role": "tool", "tool_call_id": "call_1", "content": "Value: 3"}


def test_a_call_as_the_api_had_it_before_is_a_call(
    converse: Converse, chat_server: ChatServer
) -> None:
    """`function_call` is answered as that API wants it."""
    function = {"name": "eval_code", "arguments": '{"code": "(+ 1 2)"}'}
    run, verdict = converse([reply({"content": None, "function_call": function}), say(RIGHT)])
    assert (verdict.outcome, run.tool_calls, run.n_repairs) == (Outcome.PASS, {"eval_code": 1}, 1)
    answer = chat_server.requests[1].messages[-1]
    assert answer == {"role": "function", "name": "eval_code", "content": "Value: 3"}


@pytest.mark.parametrize("call", [None, "eval_code", 7, [], {}, {"id": "a", "function": "x"}])
def test_a_call_that_is_no_call_is_answered(
    call: object, converse: Converse, chat_server: ChatServer
) -> None:
    """Whatever stands in `tool_calls`, each entry gets one answer."""
    run, verdict = converse([call_tools([call]), say(RIGHT)])
    assert verdict.outcome is Outcome.PASS
    assert run.tool_calls == {"?": 1}
    assert "there is no tool" in chat_server.requests[1].messages[-1]["content"]


REPLAYED: dict[str, dict[str, Any]] = {
    "reasoning_content": {
        "reasoning_content": "Hm, \u201c(double n)\u201d \u2026\n\nlet me\ttry \\"
    },
    "reasoning and details": {
        "reasoning": "r",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "AAAA", "index": 0}],
    },
    "numbers, nulls, order of keys": {
        "z": 1.0,
        "a": [0.1, 1e-09, None, True],
        "": {"b": 2, "a": 1},
    },
    "half a surrogate pair": {"reasoning_content": "\ud83d"},
    "content beside the call": {"content": "I try it:"},
}


@pytest.mark.parametrize("fields", REPLAYED.values(), ids=REPLAYED)
def test_a_message_is_sent_back_byte_for_byte(
    fields: dict[str, Any], converse: Converse, chat_server: ChatServer
) -> None:
    """The next request holds the bytes of the message that the server sent."""
    step = call_tool("1", **fields)
    sent = json.dumps(json.loads(step.payload)["choices"][0]["message"]).encode()
    assert sent in step.payload
    converse([step, step, say(RIGHT)])
    assert [request.raw.count(sent) for request in chat_server.requests] == [0, 1, 2]


def test_a_message_without_a_role_gets_one(converse: Converse, chat_server: ChatServer) -> None:
    """Some servers leave the role out and refuse a request without it."""
    converse([reply({"tool_calls": [tool_call("{}")]}), say(RIGHT)])
    assert chat_server.requests[1].messages[2]["role"] == "assistant"


def test_reasoning_is_kept_apart_from_the_answer(converse: Converse) -> None:
    """Code in the reasoning is no answer, but stays in the transcript."""
    run, verdict = converse([say(WRONG, reasoning_content=RIGHT, reasoning=RIGHT)])
    assert run.answer == WRONG
    assert verdict.outcome is Outcome.FAIL
    assert run.transcript.messages[-1]["reasoning_content"] == RIGHT
    run, verdict = converse([say("", reasoning_content=RIGHT)])
    assert (run.answer, run.stop, verdict.reason) == ("", Stop.THOUGHT, Reason.NO_ANSWER)


PARTS: list[object] = [
    {"type": "thinking", "thinking": WRONG},
    {"type": "text", "text": RIGHT[:20]},
    RIGHT[20:30],
    None,
    {"type": "text", "text": None},
    {"type": "text", "text": RIGHT[30:]},
]
CONTENT: dict[str, tuple[object, str]] = {
    "text": (RIGHT, RIGHT),
    "parts": (PARTS, RIGHT),
    "a part that is no list": ({"type": "text", "text": RIGHT}, RIGHT),
    "plain strings": ([RIGHT[:20], RIGHT[20:]], RIGHT),
    "null": (None, ""),
    "empty": ("", ""),
    "blank": (" \n", " \n"),
    "no parts": ([], ""),
    "a number": (5, ""),
    "an object": ({"output": RIGHT}, ""),
}


@pytest.mark.parametrize(("content", "answer"), CONTENT.values(), ids=CONTENT)
def test_content_comes_in_several_forms(content: Any, answer: str, converse: Converse) -> None:
    """Text is the answer, strings and text parts are joined, anything else is an empty answer."""
    run, verdict = converse([say(content)])
    assert run.answer == answer
    right = answer == RIGHT
    assert run.stop is (Stop.ANSWERED if right else Stop.EMPTY)
    assert verdict.reason is (Reason.RIGHT if right else Reason.NO_ANSWER)


def test_prose_without_code_is_no_answer(converse: Converse) -> None:
    """A model that only talks fails, with a reason of its own."""
    run, verdict = converse([say("I would multiply the number by two.")])
    assert (run.stop, verdict.outcome) == (Stop.ANSWERED, Outcome.FAIL)
    assert (verdict.reason, verdict.score) == (Reason.NO_ANSWER, 0.0)


@pytest.mark.parametrize("calls", [None, [], {}, "eval_code"], ids=str)
def test_no_tool_calls_is_an_answer_whatever_the_finish_reason(
    calls: object, converse: Converse
) -> None:
    """A server that says "tool_calls" and sends none has sent the final message."""
    message = {"role": "assistant", "content": RIGHT, "tool_calls": calls}
    run, verdict = converse([reply(message, finish_reason="tool_calls")])
    assert (run.stop, run.rounds, verdict.outcome) == (Stop.ANSWERED, 0, Outcome.PASS)


def test_tool_calls_are_answered_whatever_the_finish_reason(converse: Converse) -> None:
    """A server that says "stop" and sends a call wants an answer to it."""
    message = {"role": "assistant", "content": "", "tool_calls": [tool_call('{"code": "1"}')]}
    run, verdict = converse([reply(message, finish_reason="stop"), say(RIGHT)])
    assert (run.rounds, verdict.outcome) == (1, Outcome.PASS)
