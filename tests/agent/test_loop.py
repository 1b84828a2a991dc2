"""Whole conversations: a scripted server, the agent loop, the real VM, and the verdict."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.agent.loop import AgentRun, Stop, run_agent
from pytest_sema_bench.agent.tools import make_toolbox
from pytest_sema_bench.chat import ChatClient, HttpWire, Patience
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.grading import Grader, Outcome, Verdict
from pytest_sema_bench.grading.verdict import Reason
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.sema.vm import ErrorClass, SemaVM
from pytest_sema_bench.settings import Config, Limits, Sampling
from pytest_sema_bench.suite.task import Task, load_task
from tests.chat_server import (
    ChatServer,
    Script,
    Step,
    call_tool,
    call_tools,
    refuse,
    reply,
    say,
    tool_call,
)
from tests.samples.double_task import RIGHT, WRONG, write_double_task

TOOLS = Config(name="tools", tools=("eval_code",))
BARE = Config(name="bare")

Converse = Callable[..., tuple[AgentRun, Verdict]]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task that asks for `(double n)`."""
    return load_task(write_double_task(tmp_path / "tasks") / "double.yaml")


@pytest.fixture
def converse(
    event_loop_runner: asyncio.Runner, vm: SemaVM, chat_server: ChatServer, task: Task
) -> Converse:
    """Play a script to the end and grade what comes out."""

    async def run(script: Script, config: Config) -> tuple[AgentRun, Verdict]:
        chat_server.play(script)
        wire, patience = HttpWire(chat_server.url, "key"), Patience(attempts=3, first_wait_s=0.001)
        client = ChatClient(wire, redactor=Redactor(["key"]), patience=patience)
        toolbox = make_toolbox(config.tools, vm, Limits())
        try:
            run = await run_agent(
                task.full_prompt, client, model_id="m", config=config, toolbox=toolbox
            )
        finally:
            await client.close()
        return run, await Grader(vm).grade(task, run.answer, truncated=run.truncated)

    return lambda script, config=TOOLS: event_loop_runner.run(run(script, config))


def test_a_right_answer_at_once(converse: Converse, chat_server: ChatServer, task: Task) -> None:
    """One request, no tools, passed."""
    run, verdict = converse([say(RIGHT)])
    assert (run.stop, run.rounds, run.tool_calls) == (Stop.ANSWERED, 0, {})
    assert verdict.outcome is Outcome.PASS
    (request,) = chat_server.requests
    system, user = request.messages
    assert (system["role"], user) == ("system", {"role": "user", "content": task.full_prompt})
    assert "You write Sema" in system["content"]
    assert request.body["tool_choice"] == "auto"
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["eval_code"]


def test_an_error_of_the_vm_is_seen_and_mended(converse: Converse, chat_server: ChatServer) -> None:
    """The model gets the VM's own words under the id of its call, and its second try counts."""
    broken = call_tool("(define (double n) (twice n)) (double 2)", call_id="call_a")
    mended = call_tool("(define (double n) (* 2 n)) (double 2)", call_id="call_b")
    run, verdict = converse([broken, mended, say(RIGHT)])
    assert verdict.outcome is Outcome.PASS
    assert (run.stop, run.rounds, run.tool_calls) == (Stop.ANSWERED, 2, {"eval_code": 2})
    assert [(f.error_class, f.name) for f in run.failures] == [(ErrorClass.UNBOUND, "twice")]
    answers = [m for m in chat_server.requests[-1].messages if m["role"] == "tool"]
    assert [m["tool_call_id"] for m in answers] == ["call_a", "call_b"]
    assert answers[0]["content"].startswith("Error: Unbound variable: twice")
    assert answers[1]["content"] == "Value: 4"


def test_a_wrong_answer_without_any_tool_call(converse: Converse) -> None:
    """Nobody is made to use the tools; the verdict names the hidden case."""
    run, verdict = converse([say(WRONG)])
    assert (run.stop, run.rounds) == (Stop.ANSWERED, 0)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, Reason.WRONG_VALUE)
    assert verdict.failing_case is not None
    assert (verdict.failing_case.call, verdict.failing_case.got) == ("(double -3)", "9")


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
    assert (run.answer, run.stop, verdict.reason) == ("", Stop.EMPTY, Reason.NO_ANSWER)


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


def by_choice(free: Step, forced: Step) -> Script:
    """A script: one step while tools may be called, another when they may not."""
    return lambda request: forced if request.body["tool_choice"] == "none" else free


def test_the_last_answer_is_forced(converse: Converse, chat_server: ChatServer) -> None:
    """After three rounds the tools stay declared, but none may be called, and a notice says so."""
    run, verdict = converse(by_choice(call_tool("1"), say(RIGHT)))
    assert (run.stop, run.rounds, verdict.outcome) == (Stop.FORCED, 3, Outcome.PASS)
    choices = [request.body["tool_choice"] for request in chat_server.requests]
    assert choices == ["auto", "auto", "auto", "none"]
    last = chat_server.requests[-1]
    assert last.body["tools"] == chat_server.requests[0].body["tools"]
    assert last.messages[-1]["role"] == "user"
    assert "final answer now" in last.messages[-1]["content"]


def test_a_stray_call_instead_of_the_last_answer_is_none(
    converse: Converse, chat_server: ChatServer
) -> None:
    """A model that calls tools for ever is stopped: four requests, three calls, no answer."""
    run, verdict = converse([call_tool("1")])
    assert (run.stop, run.rounds, run.tool_calls) == (Stop.STRAY_CALL, 3, {"eval_code": 3})
    assert (run.answer, verdict.reason) == ("", Reason.NO_ANSWER)
    assert chat_server.n_requests == 4


def test_text_beside_a_stray_call_is_the_answer(converse: Converse) -> None:
    """The call is left alone, the text counts."""
    run, verdict = converse(by_choice(call_tool("1"), call_tool("1", content=RIGHT)))
    assert (run.stop, run.tool_calls) == (Stop.FORCED, {"eval_code": 3})
    assert verdict.outcome is Outcome.PASS


def test_the_number_of_rounds_is_the_configurations(
    converse: Converse, chat_server: ChatServer
) -> None:
    """With one round the second request is the last, and the prompt tells the model so."""
    config = Config(name="once", tools=("eval_code",), max_rounds=1)
    run, _ = converse([call_tool("1")], config)
    assert (run.rounds, chat_server.n_requests) == (1, 2)
    assert "at most 1 round" in chat_server.requests[0].messages[0]["content"]


def test_without_tools_none_are_offered_or_run(converse: Converse, chat_server: ChatServer) -> None:
    """The bare request knows no tools; a model that makes a call all the same has no answer."""
    run, verdict = converse([call_tool("1")], BARE)
    assert (run.stop, run.rounds, run.tool_calls) == (Stop.STRAY_CALL, 0, {})
    assert verdict.reason is Reason.NO_ANSWER
    (request,) = chat_server.requests
    assert not {"tools", "tool_choice"} & set(request.body)
    assert "tool" not in request.messages[0]["content"]


def test_a_cut_off_answer_is_told_apart(converse: Converse) -> None:
    """The token limit is named as the reason, unless what came is right all the same."""
    message = {"role": "assistant", "content": WRONG[:-10]}
    run, verdict = converse([reply(message, finish_reason="length")])
    assert (run.stop, verdict.reason) == (Stop.TRUNCATED, Reason.TRUNCATED)
    run, verdict = converse([reply({"content": RIGHT}, finish_reason="length")])
    assert (run.stop, verdict.outcome) == (Stop.TRUNCATED, Outcome.PASS)


def test_sampling_and_the_prompt_file_go_into_the_request(
    tmp_path: Path, converse: Converse, chat_server: ChatServer
) -> None:
    """What the configuration sets is sent, what it leaves open is not."""
    prompt = tmp_path / "prompt.md"
    prompt.write_text("Speak Sema.\n")
    sampling = Sampling(temperature=0.0, max_tokens=77)
    converse([say(RIGHT)], Config(name="own", system_prompt=prompt, sampling=sampling))
    assert chat_server.requests[0].body == {
        "model": "m",
        "messages": chat_server.requests[0].messages,
        "max_tokens": 77,
        "temperature": 0.0,
    }
    assert chat_server.requests[0].messages[0]["content"] == "Speak Sema."


def test_usage_retries_and_names_are_summed_up(converse: Converse) -> None:
    """Tokens add up over the calls, retries too; the last name that the server gave counts."""
    first = reply(json.loads(call_tool("1").payload)["choices"][0]["message"], usage=None)
    renamed = reply({"tool_calls": [tool_call("{}")]}, model="other-name")
    nameless = reply({"content": RIGHT}, model=None)
    run, _ = converse([first, refuse(500), renamed, nameless])
    assert run.tokens == Tokens(prompt=200, cached=80, completion=20, reasoning=8)
    assert (run.retries, run.served_model) == (1, "other-name")
    assert [call.retries for call in run.transcript.calls] == [0, 1, 0]


def test_trouble_with_the_api_is_no_answer_of_the_model(converse: Converse) -> None:
    """It is kept with what there is of the conversation, which was paid for, and its attempts."""
    run, _ = converse([call_tool("1"), refuse(500), refuse(400)])
    assert (run.stop, run.answer, run.tool_calls) == (None, "", {"eval_code": 1})
    assert [message["role"] for message in run.transcript.messages][2:] == ["assistant", "tool"]
    assert isinstance(run.broken_off_by, ModelError)
    assert run.retries == 1


def test_the_transcript_holds_it_all(converse: Converse, chat_server: ChatServer) -> None:
    """What was sent last, then what came last; each call with its figures."""
    run, _ = converse([call_tool("1"), say(RIGHT)])
    written = json.loads(json.dumps(run.transcript.as_json()))
    assert written["messages"][:-1] == chat_server.requests[-1].messages
    assert written["messages"][-1] == {"role": "assistant", "content": RIGHT}
    assert [call["finish_reason"] for call in written["calls"]] == ["tool_calls", "stop"]
    assert written["calls"][0]["tokens"]["prompt"] == 100
