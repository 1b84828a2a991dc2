"""Adaptations in use: a client learns them from a server, once, and tells the log."""

import asyncio
import logging

import pytest

from pytest_sema_bench.chat import ChatClient, ChatReply
from pytest_sema_bench.chat.permit import Billing
from pytest_sema_bench.errors import ModelError
from tests.asking import KEY, NotingLimiter, use
from tests.chat_server import ChatServer, Request, Step, complete, raw, refuse, say

USER = {"role": "user", "content": "Two and two?"}


def picky(request: Request) -> Step:
    """A server that takes neither temperature nor top_p, and says so one at a time."""
    for name in ("temperature", "top_p"):
        if name in request.body:
            return refuse(400, f"{name} is not supported, {KEY}")
    return say("Four.")


ASK = {"model": "m", "messages": [USER], "temperature": 0.5, "top_p": 0.5}


def test_a_refusal_is_adapted_to_once_and_remembered(
    chat_server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The second call sends no refused request, and no attempt of either was used up."""
    chat_server.play(picky)
    limiter = NotingLimiter()

    async def twice(client: ChatClient) -> list[ChatReply]:
        return [await client.complete(ASK), await client.complete(ASK)]

    with caplog.at_level(logging.INFO, logger="pytest_sema_bench.chat"):
        replies = use(twice, chat_server.url, limiter=limiter)
    assert [reply.call.retries for reply in replies] == [0, 0]
    assert {reply.call.adaptations for reply in replies} == {("no-top-p", "no-temperature")}
    assert chat_server.n_requests == 4
    assert [result.billing for result in limiter.results] == [
        Billing.NOTHING,
        Billing.NOTHING,
        Billing.USAGE,
        Billing.USAGE,
    ]
    assert not any(result.refusal or result.gave_up for result in limiter.results)
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "m: no-temperature from now on",
        "m: no-top-p from now on",
    ]
    assert KEY not in caplog.text


def test_another_model_behind_the_same_client_is_asked_as_it_is(chat_server: ChatServer) -> None:
    """What one model refuses another may need."""
    chat_server.play(picky)

    async def two(client: ChatClient) -> ChatReply:
        await client.complete(ASK)
        return await client.complete({**ASK, "model": "other"})

    use(two, chat_server.url)
    assert [request.body["model"] for request in chat_server.requests] == ["m"] * 3 + ["other"] * 3


def test_conversations_that_are_kept_apart_learn_for_themselves(chat_server: ChatServer) -> None:
    """What a conversation sends can be recorded and played back in any order of conversations."""
    chat_server.play(picky)

    async def two(client: ChatClient) -> ChatReply:
        for name in ("a", "b", "a"):
            reply = await client.complete(ASK, conversation=name)
        client.end("a")
        return reply

    use(two, chat_server.url, apart=True)
    asked = ["temperature" in request.body for request in chat_server.requests]
    assert asked == [True, False, False] * 2 + [False]


def test_calls_under_way_learn_from_each_other(chat_server: ChatServer) -> None:
    """Two that were refused at the same time both get their reply."""
    chat_server.play(picky)

    async def both(client: ChatClient) -> tuple[ChatReply, ChatReply]:
        return await asyncio.gather(client.complete(ASK), client.complete(ASK))

    for reply in use(both, chat_server.url):
        assert reply.message["content"] == "Four."


def test_named_adaptations_hold_from_the_start(chat_server: ChatServer) -> None:
    """The registry saves the call that a server would refuse; `extra` is in each body."""
    chat_server.play(picky)
    extra = {"thinking": {"type": "enabled"}}
    adapt = ["no-top-p", "no-temperature"]
    use(lambda client: client.complete(ASK), chat_server.url, adapt=adapt, extra=extra)
    (request,) = chat_server.requests
    assert request.body == {"model": "m", "messages": [USER], **extra}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_parameter_is_no_reason_to_give_the_model_up(
    status: int, chat_server: ChatServer
) -> None:
    """Whatever the status, and also inside a 200, if an adaptation fits it is tried first."""
    text = "No endpoints found that support the provided 'tool_choice' value"
    inside = complete({"error": {"code": status, "message": text}})
    body = {**ASK, "tool_choice": "auto"}
    for step in (refuse(status, text), inside):
        chat_server.play([step, say("Four.")])
        got = use(lambda client: client.complete(body), chat_server.url)
        assert got.call.adaptations == ("no-tool-choice",)


def test_a_server_that_refuses_in_spite_of_it_is_believed(chat_server: ChatServer) -> None:
    """No request is sent for ever: each adaptation is tried once."""
    chat_server.play([refuse(400, "temperature and top_p and tool_choice are odd")])
    with pytest.raises(ModelError, match="are odd") as caught:
        use(lambda client: client.complete(ASK), chat_server.url)
    assert (caught.value.attempts, chat_server.n_requests) == (1, 3)


def test_a_bound_that_sinks_with_each_request_is_followed_once(chat_server: ChatServer) -> None:
    """A server may name a lower one whenever it is asked."""
    chat_server.play(
        lambda request: refuse(
            400, f"This model takes max_tokens of at most {request.body['max_tokens'] - 1}"
        )
    )
    with pytest.raises(ModelError, match="at most 98"):
        use(lambda client: client.complete({**ASK, "max_tokens": 100}), chat_server.url)
    assert chat_server.n_requests == 2


FORMS: dict[str, bytes] = {
    "FastAPI": b'{"detail": [{"loc": ["body", "temperature"], "msg": "Extra inputs"}]}',
    "vLLM": b'{"object": "error", "message": "temperature: no", "code": 400}',
    "text": b'{"error": "temperature is unknown"}',
    "a list": b'[{"error": {"code": 400, "message": "Unknown name: temperature"}}]',
    "OpenRouter": b'{"error": {"message": "Provider returned error", "code": 400, '
    b'"metadata": {"raw": "{\\"message\\": \\"temperature\\"}"}}}',
    "no JSON": b"temperature is not supported",
}


@pytest.mark.parametrize("payload", FORMS.values(), ids=FORMS)
def test_the_refusal_may_be_written_in_many_forms(payload: bytes, chat_server: ChatServer) -> None:
    """Its words are found in all of them."""
    chat_server.play([raw(payload, status=400), say("Four.")])
    body = {"model": "m", "messages": [USER], "temperature": 0.5}
    got = use(lambda client: client.complete(body), chat_server.url)
    assert got.call.adaptations == ("no-temperature",)
