"""Faults by class: what is tried again, what ends a key or a model, what the limiter is told."""

import asyncio
import socket
from typing import Any

import pytest

from pytest_sema_bench.chat import ChatClient, Patience
from pytest_sema_bench.chat.permit import AttemptResult, Billing, Quota
from pytest_sema_bench.errors import BudgetSpent, ModelError, NotAsked
from pytest_sema_bench.records.transcript import Tokens
from tests.asking import BODY, NotingLimiter, ask, body, fail, inside, use
from tests.chat_server import (
    CUT_OFF,
    DRIP,
    DROP,
    HANG,
    USAGE,
    ChatServer,
    Step,
    call_tools,
    complete,
    raw,
    refuse,
    reply,
    say,
)

COUNTED = Tokens(prompt=100, cached=40, completion=10, reasoning=4)


THROTTLED: dict[str, Step] = {
    "429": refuse(429),
    "503": refuse(503),
    "529": refuse(529),
    "Z.ai": body(429, "too many", code="1302"),
    "Gemini's quota of a minute": body(429, "You exceeded your current quota"),
    "inside a 200": inside(429),
    "inside a 200, in words": inside("rate_limit_exceeded"),
    "inside a 200, Z.ai": inside("1302"),
}


@pytest.mark.parametrize("step", THROTTLED.values(), ids=THROTTLED)
def test_a_full_server_is_asked_again_and_the_limiter_told(
    step: Step, chat_server: ChatServer
) -> None:
    """Each of the attempts, and the last one that it was the last."""
    _, results = fail(chat_server, step)
    assert [result.throttled for result in results] == [True] * 3
    assert [result.gave_up for result in results] == [False, False, True]
    assert {result.billing for result in results} == {Billing.NOTHING}


EMPTY_CHOICE = {"index": 0, "message": {"content": "4"}}
BROKEN: dict[str, tuple[Step, Billing]] = {
    "408": (refuse(408), Billing.NOTHING),
    "500": (refuse(500), Billing.NOTHING),
    "502 with a page": (raw(b"<html>Bad gateway</html>", status=502), Billing.NOTHING),
    "not there": (DROP, Billing.UNKNOWN),
    "cut off": (CUT_OFF, Billing.UNKNOWN),
    "a page": (raw(b"<html>"), Billing.UNKNOWN),
    "broken gzip": (raw(b"x", headers={"Content-Encoding": "gzip"}), Billing.UNKNOWN),
    "an error inside": (complete({"error": {"message": "x"}}), Billing.UNKNOWN),
    "an error inside, with its code": (inside(502), Billing.UNKNOWN),
    "vLLM's error inside": (complete({"object": "error", "message": "x"}), Billing.UNKNOWN),
    "an error of the choice": (
        complete({"choices": [{**EMPTY_CHOICE, "error": {"code": 502, "message": "x"}}]}),
        Billing.UNKNOWN,
    ),
    "an error as finish reason": (
        complete({"choices": [{**EMPTY_CHOICE, "finish_reason": "error"}], "usage": USAGE}),
        Billing.USAGE,
    ),
    "usage and no message": (complete({"choices": [], "usage": USAGE}), Billing.USAGE),
}


@pytest.mark.parametrize(("step", "billing"), BROKEN.values(), ids=BROKEN)
def test_what_a_broken_attempt_cost(step: Step, billing: Billing, chat_server: ChatServer) -> None:
    """An error status costs nothing, usage is believed, and anything else may have cost all."""
    _, results = fail(chat_server, step)
    assert [result.billing for result in results] == [billing] * 3
    assert {result.tokens for result in results} == {COUNTED if billing is Billing.USAGE else None}
    assert not any(result.throttled or result.answered for result in results)
    assert results[-1].gave_up


@pytest.mark.parametrize("step", [HANG, DRIP], ids=["hangs", "drips"])
def test_an_attempt_over_its_deadline_may_have_cost_all(
    step: Step, chat_server: ChatServer
) -> None:
    """The server may still be at work; and blanks that drip are no reply."""
    patience = Patience(reply_s=0.1, attempts=2, first_wait_s=0)
    _, results = fail(chat_server, step, patience=patience)
    assert [result.billing for result in results] == [Billing.UNKNOWN] * 2
    patience = Patience(reply_s=60, total_s=0.2)
    _, (result,) = fail(chat_server, step, patience=patience)
    assert (result.billing, result.gave_up) == (Billing.UNKNOWN, True)


@pytest.mark.parametrize(("host", "n_tries"), [("127.0.0.1", 3), ("no-such-host.invalid", 1)])
def test_what_was_never_sent_cost_nothing(host: str, n_tries: int) -> None:
    """Refused connections, unknown hosts."""
    limiter = NotingLimiter()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://{host}:{free.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match="cannot reach the server"):
            use(lambda client: client.complete(BODY), url, limiter=limiter)
    assert [result.billing for result in limiter.results] == [Billing.NOTHING] * n_tries


def test_a_good_reply_is_told_with_its_tokens(chat_server: ChatServer) -> None:
    """And with what the headers say is left; without usage nobody knows what it cost."""
    limiter = NotingLimiter()
    step = say("Four.")
    headers = {**step.headers, "x-ratelimit-remaining-requests": "9"}
    chat_server.play([Step(headers=headers, payload=step.payload)])
    ask(chat_server, limiter)
    chat_server.play([reply({"content": "4"}, usage=None)])
    ask(chat_server, limiter)
    assert limiter.results == [
        AttemptResult(
            billing=Billing.USAGE, tokens=COUNTED, answered=True, quota=Quota(n_requests=9)
        ),
        AttemptResult(billing=Billing.UNKNOWN, answered=True),
    ]


def test_the_gate_is_asked_before_each_attempt(chat_server: ChatServer) -> None:
    """With the model, the bytes that are sent and the most that may come."""
    limiter = NotingLimiter()
    body = {**BODY, "max_tokens": 77}
    chat_server.play([refuse(500), say("4")])
    use(lambda client: client.complete(body), chat_server.url, limiter=limiter)
    n_bytes = len(chat_server.requests[0].raw)
    asked = {"model_id": "m", "n_prompt_bytes": n_bytes, "max_tokens": 77, "begun": False}
    assert limiter.asked == [asked] * 2


def test_time_at_the_gate_is_not_the_calls(chat_server: ChatServer) -> None:
    """A run that is held back by its limits fails no call for it."""
    patience = Patience(reply_s=60, total_s=1.5)
    chat_server.play([say("4")])
    assert ask(chat_server, NotingLimiter(delay_s=1.7), patience=patience).message["content"] == "4"


def test_no_permit_is_held_while_waiting(chat_server: ChatServer) -> None:
    """Others may be sent in the meantime; what the server asked for is passed on."""
    chat_server.play([refuse(429, Retry_After="3600")])
    limiter = NotingLimiter()

    async def until_it_waits(client: ChatClient) -> None:
        call = asyncio.ensure_future(client.complete(BODY))
        while not limiter.results:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        assert (call.done(), limiter.n_open, len(limiter.asked)) == (False, 0, 1)
        call.cancel()
        await asyncio.wait([call])

    patience = Patience(longest_wait_s=7200)
    use(until_it_waits, chat_server.url, limiter=limiter, patience=patience)
    assert [result.wait_s for result in limiter.results] == [3600.0]


def test_a_cancelled_call_gives_its_permit_back(chat_server: ChatServer) -> None:
    """It was sent, so it may have cost all."""
    chat_server.play([HANG])
    limiter = NotingLimiter()

    async def cancel(client: ChatClient) -> None:
        call = asyncio.ensure_future(client.complete(BODY))
        while not chat_server.n_requests:
            await asyncio.sleep(0.005)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()

    use(cancel, chat_server.url, limiter=limiter)
    assert limiter.results == [AttemptResult(billing=Billing.UNKNOWN)]


class Shut:
    """A limiter that lets nobody pass."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def acquire(self, **_: Any) -> Any:
        """Raises what it was made with."""
        raise self._error


@pytest.mark.parametrize("error", [NotAsked("broken"), BudgetSpent("spent")], ids=repr)
def test_what_the_gate_raises_passes_through(error: Exception, chat_server: ChatServer) -> None:
    """It is no failure of the server, and nothing is sent."""
    with pytest.raises(type(error)) as caught:
        use(lambda client: client.complete(BODY), chat_server.url, limiter=Shut(error))
    assert caught.value is error
    assert chat_server.n_requests == 0


def message(**fields: Any) -> Step:
    """A reply with this message."""
    return reply({"role": "assistant", **fields})


DOUBTFUL: dict[str, Step] = {
    "null": message(content=None),
    "nothing": reply({}),
    "empty": message(content="", tool_calls=None, reasoning=None),
    "blank": message(content="\n\n"),
    "no parts": message(content=[], tool_calls=[]),
    "empty parts": message(content=[{"type": "text", "text": ""}]),
    "no calls": call_tools([]),
    "no calls, with text": call_tools([], content="I call a tool."),
    "no calls, with reasoning": call_tools([], reasoning="Hm."),
    "a broken letter": raw(b'{"choices": [{"message": {"content": "caf\xe9"}}]}'),
}


@pytest.mark.parametrize("step", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_doubtful_reply_is_asked_for_again(step: Step, chat_server: ChatServer) -> None:
    """Once it is good, it is taken; if it stays as it is, it is taken after three more."""
    limiter = NotingLimiter()
    patience = Patience(first_wait_s=0, longest_wait_s=0)
    chat_server.play([step, say("4")])
    assert ask(chat_server, patience=patience).message["content"] == "4"
    chat_server.play([step])
    got = ask(chat_server, limiter, patience=patience)
    assert got.call.retries == 3
    assert [result.answered for result in limiter.results] == [False, False, False, True]
    counted = got.call.tokens is not None
    billing = Billing.USAGE if counted else Billing.UNKNOWN
    assert {result.billing for result in limiter.results} == {billing}


SURE: dict[str, Step] = {
    "cut by the limit": reply({"content": None}, finish_reason="length"),
    "cut by the limit, in another word": reply({"content": ""}, finish_reason="max_tokens"),
    "reasoning only": message(content=None, reasoning_content="Hm."),
    "reasoning only, in details": message(reasoning_details=[{"type": "x"}]),
    "a refusal": message(content=None, refusal="No."),
    "parts": message(content=[{"type": "text", "text": "4"}]),
    "tool calls": call_tools([{"id": "a"}]),
    "text that ends for tool calls": reply({"content": "4"}, finish_reason="tool_calls"),
}


@pytest.mark.parametrize("step", SURE.values(), ids=SURE)
def test_what_is_the_models_own_doing_is_taken_at_once(step: Step, chat_server: ChatServer) -> None:
    """Asking again would be paid for, and choose among answers."""
    chat_server.play([step])
    assert ask(chat_server).call.retries == 0
    assert chat_server.n_requests == 1


def test_facts_of_a_router_are_kept(chat_server: ChatServer) -> None:
    """Who answered, and with which build."""
    chat_server.play([reply({"content": "4"}, provider="Up", system_fingerprint="fp_1")])
    call = ask(chat_server).call
    assert (call.upstream, call.fingerprint, call.adaptations) == ("Up", "fp_1", ())


def test_an_error_says_what_was_sent_where_and_how_often(chat_server: ChatServer) -> None:
    """Host and path, never the query; status, excerpt, attempts and advice."""
    chat_server.play([refuse(500, "boom\x1b[31m\nagain")])
    with pytest.raises(ModelError) as caught:
        use(lambda client: client.complete(BODY), chat_server.url + "?api-version=7")
    host = chat_server.url.removeprefix("http://")
    assert str(caught.value) == (
        f"{host}/chat/completions: the server answered 500: boom\\x1b[31m again (attempts: 3)"
    )
    assert chat_server.requests[0].path == "/v1/chat/completions?api-version=7"
