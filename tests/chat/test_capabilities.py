"""`models check`: what a few calls find out about a server, and how few they are."""

import asyncio
from typing import Any

import pytest

from pytest_sema_bench.chat import Patience
from pytest_sema_bench.chat.capabilities import Capabilities, check_model
from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.redaction import Redactor
from tests.asking import KEY
from tests.chat_server import (
    USAGE,
    ChatServer,
    Request,
    Step,
    call_tool,
    delta,
    refuse,
    reply,
    say,
    stream,
)

NO_WAIT = Patience(attempts=2, first_wait_s=0, longest_wait_s=0)
PIECES = [delta(content="3"), delta("stop")]
COUNT = {"choices": [], "usage": USAGE}


def check(server: ChatServer, **options: Any) -> Capabilities:
    """What is found out about the chat server."""

    async def run() -> Capabilities:
        wire = HttpWire(server.url, KEY)
        try:
            return await check_model(
                wire, "m", redactor=Redactor([KEY]), patience=NO_WAIT, **options
            )
        finally:
            await wire.close()

    return asyncio.run(run())


def good(request: Request) -> Step:
    """A server that can do all of it."""
    if request.body.get("stream"):
        return stream([*PIECES, COUNT])
    return say("3") if request.turn else call_tool("(+ 1 2)", reasoning_content="Hm.")


def test_two_small_calls_are_enough_where_all_is_well(chat_server: ChatServer) -> None:
    """Tools, tool_choice none, streaming, usage and reasoning are known, and no entry is needed."""
    chat_server.play(good)
    found = check(chat_server)
    assert (found.n_calls, chat_server.n_requests) == (2, 2)
    assert [request.body["max_tokens"] for request in chat_server.requests] == [256, 256]
    assert (found.calls_tools, found.takes_tool_choice_none, found.streams) == (True, True, True)
    assert (found.reports_usage, found.reports_usage_streamed) == (True, True)
    assert found.reasoning_field == "reasoning_content"
    assert (found.adaptations, found.entry) == ((), "")
    assert (found.served_model, found.tokens.completion) == ("served-name", 20)


def test_the_second_call_goes_on_with_the_conversation(chat_server: ChatServer) -> None:
    """As a run does: the message as it came, its call answered under its id; then a broken call."""
    chat_server.play(good)
    check(chat_server)
    sent = chat_server.requests[1].body
    assert [message["role"] for message in sent["messages"]] == [
        "user",
        *2 * ["assistant", "tool"],
        "user",
    ]
    assert sent["messages"][1]["reasoning_content"] == "Hm."
    assert sent["messages"][2]["tool_call_id"] == "call_1"
    assert sent["tool_choice"] == "none"


def test_what_had_to_be_adapted_is_the_entry(chat_server: ChatServer) -> None:
    """In the words that the registry takes, ready to be copied."""

    def server(request: Request) -> Step:
        if "max_tokens" in request.body:
            return refuse(400, "'max_tokens' is not supported. Use 'max_completion_tokens'.")
        if request.body.get("tool_choice") == "none":
            return refuse(400, "this model does not support this tool_choice")
        return good(request)

    chat_server.play(server)
    found = check(chat_server)
    assert found.takes_tool_choice_none is False
    assert found.entry == "adapt: [max-completion-tokens, no-tool-choice]"
    check(chat_server, adapt=found.adaptations)


def test_a_server_that_only_streams_needs_the_entry(chat_server: ChatServer) -> None:
    """And whether it reports usage otherwise cannot be known."""

    def server(request: Request) -> Step:
        if request.body.get("stream"):
            return stream(PIECES)
        return refuse(400, "This model only support stream mode")

    chat_server.play(server)
    found = check(chat_server)
    assert found.entry == "adapt: [stream]"
    assert (found.streams, found.reports_usage, found.reports_usage_streamed) == (True, None, False)


def test_a_server_that_does_not_stream_is_found_out(chat_server: ChatServer) -> None:
    """One that answers whole, and one that refuses: then the halves are tried apart."""
    chat_server.play(lambda request: call_tool("1") if request.turn == 0 else say("3"))
    found = check(chat_server)
    assert (found.streams, found.reports_usage_streamed, found.n_calls) == (False, None, 2)
    chat_server.play(
        lambda request: refuse(400, "no streams") if "stream" in request.body else good(request)
    )
    found = check(chat_server)
    assert (found.streams, found.takes_tool_choice_none, found.n_calls) == (False, True, 4)


def test_a_call_in_spite_of_tool_choice_none_is_seen(chat_server: ChatServer) -> None:
    """The server takes the parameter and does not keep to it."""
    chat_server.play(lambda request: call_tool("1"))
    found = check(chat_server)
    assert found.takes_tool_choice_none is False
    assert found.entry == "adapt: [no-tool-choice]"


def test_tokens_spent_on_reasoning_leave_the_tools_unknown(chat_server: ChatServer) -> None:
    """No call within 256 tokens is no proof; a plain answer is."""
    chat_server.play(
        [reply({"content": None, "reasoning": "Hm."}, finish_reason="length"), say("3")]
    )
    found = check(chat_server)
    assert (found.calls_tools, found.reasoning_field) == (None, "reasoning")
    chat_server.play([say("3")])
    assert check(chat_server).calls_tools is False


def test_trouble_leaves_open_what_it_hides(chat_server: ChatServer) -> None:
    """A server that is down for a while has refused nothing."""
    chat_server.play(lambda request: refuse(500) if request.turn else call_tool("1"))
    found = check(chat_server)
    assert found.takes_tool_choice_none is None
    assert found.n_calls == 4


def test_a_server_that_does_not_answer_is_a_model_error(chat_server: ChatServer) -> None:
    """There is nothing to be found then, and the error says what to do."""
    chat_server.play([refuse(401, f"wrong key {KEY}")])
    with pytest.raises(ModelError, match="check the environment variable") as caught:
        check(chat_server)
    assert KEY not in str(caught.value)
    assert chat_server.n_requests == 1
