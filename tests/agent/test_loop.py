"""Whole conversations: a scripted server, the agent loop, the real VM, and the verdict."""

import json
from pathlib import Path

from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.sema.vm import ErrorClass
from pytest_sema_bench.settings import Config, Sampling
from pytest_sema_bench.suite.task import Task
from tests.asking import BARE, Converse
from tests.chat_server import (
    ChatServer,
    Script,
    Step,
    call_tool,
    refuse,
    reply,
    say,
    tool_call,
)
from tests.samples.double_task import RIGHT, WRONG


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
