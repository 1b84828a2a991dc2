"""Streamed replies: what their events amount to, and how the client takes them from a server."""

import dataclasses
import json
from typing import Any

import pytest

from pytest_sema_bench.chat import ChatReply, Patience
from pytest_sema_bench.chat.permit import Billing
from pytest_sema_bench.chat.stream import CutOff, is_stream, read_stream
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import Tokens
from tests.asking import BODY, KEY, QUICK, NotingLimiter, use
from tests.chat_server import USAGE, ChatServer, End, Step, delta, raw, refuse, say, stream

STOP = delta("stop")


def call_delta(**entry: Any) -> dict[str, Any]:
    """A chunk with one entry of `tool_calls`."""
    return delta(tool_calls=[entry])


def part(arguments: object = None, name: str | None = None) -> dict[str, Any]:
    """What stands in `function` of such an entry."""
    return {"arguments": arguments} | ({} if name is None else {"name": name})


def as_text(*chunks: object) -> str:
    """The text of a stream."""
    return stream(chunks).payload.decode()


def message_of(*chunks: object) -> dict[str, Any]:
    """The message that a stream amounts to."""
    message: dict[str, Any] = read_stream(as_text(*chunks, STOP))["choices"][0]["message"]
    return message


def test_the_pieces_become_the_reply_that_was_not_streamed() -> None:
    """Texts are joined; usage, model and finish reason stand where they stand without streaming."""
    whole = read_stream(
        as_text(
            {**delta(role="assistant", content=""), "model": "served", "provider": "Up"},
            delta(content="Fo"),
            delta(content="ur."),
            STOP,
            {"choices": [], "usage": USAGE, "model": None},
        )
    )
    assert whole["choices"] == [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Four."},
        }
    ]
    assert (whole["model"], whole["provider"], whole["usage"]) == ("served", "Up", USAGE)


MESSAGES: dict[str, tuple[list[object], dict[str, Any]]] = {
    "nulls anywhere": (
        [
            {"choices": None},
            {"choices": [None]},
            delta(role=None, content=None, tool_calls=None, reasoning_content=None),
            {"choices": [{"index": 0, "delta": None, "finish_reason": None}], "usage": None},
            delta(content="4"),
        ],
        {"content": "4"},
    ),
    "reasoning_content": (
        [delta(reasoning_content="Let "), delta(reasoning_content="me."), delta(content="4")],
        {"content": "4", "reasoning_content": "Let me."},
    ),
    "reasoning and its details": (
        [
            delta(reasoning="Le", reasoning_details=[{"type": "reasoning.text", "text": "Le"}]),
            delta(reasoning="t", reasoning_details=[{"type": "reasoning.text", "text": "t"}]),
            delta(reasoning_details=[{"type": "reasoning.text", "signature": "s"}]),
            delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "AA", "id": "r"}]),
            delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "BB", "id": "q"}]),
        ],
        {
            "content": None,
            "reasoning": "Let",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Let", "signature": "s"},
                {"type": "reasoning.encrypted", "data": "AA", "id": "r"},
                {"type": "reasoning.encrypted", "data": "BB", "id": "q"},
            ],
        },
    ),
    "content in parts": (
        [delta(content=[{"type": "text", "text": t}]) for t in ("Fo", "ur")],
        {"content": [{"type": "text", "text": "Four"}]},
    ),
    "another choice is left out": (
        [delta(content="4"), {"choices": [{"index": 1, "delta": {"content": "5"}}]}],
        {"content": "4"},
    ),
    "a whole message instead of deltas": (
        [{"choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}}]}],
        {"content": "4"},
    ),
    "a whole message after the deltas": (
        [delta(content="4"), {"choices": [{"index": 0, "message": {"content": "4"}}]}],
        {"content": "4"},
    ),
}


@pytest.mark.parametrize(("chunks", "message"), MESSAGES.values(), ids=MESSAGES)
def test_deltas_are_one_message(chunks: list[object], message: dict[str, Any]) -> None:
    """Each field grows in its own place, and null means that there is nothing new."""
    assert message_of(*chunks) == {"role": "assistant", **message}


def entry(call_id: str | None, name: str, arguments: object) -> dict[str, Any]:
    """A tool call as it should come out."""
    call = {"function": {"name": name, "arguments": arguments}}
    return call if call_id is None else {"id": call_id, **call}


CALLS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "by index": (
        [
            call_delta(index=0, id="a", function=part("", "f")),
            call_delta(index=1, id="b", function=part("", "g")),
            call_delta(index=0, function=part('{"x"')),
            call_delta(index=1, function=part("{}")),
            call_delta(index=0, function=part(": 1}")),
        ],
        [entry("a", "f", '{"x": 1}'), entry("b", "g", "{}")],
    ),
    "nulls and empty ids in what follows": (
        [
            call_delta(index=0, id="a", function=part(None, "f")),
            call_delta(index=0, id="", function={"name": None, "arguments": "{}"}),
            call_delta(index=0, id=None, function=None),
        ],
        [entry("a", "f", "{}")],
    ),
    "id and name said again with each piece": (
        [
            call_delta(index=0, id="a", function=part("{", "f")),
            call_delta(index=0, id="a", function=part("}", "f")),
        ],
        [entry("a", "f", "{}")],
    ),
    "Ollama: no index, whole calls": (
        [
            call_delta(id="a", function=part("{}", "f")),
            call_delta(id="b", function=part("[]", "f")),
        ],
        [entry("a", "f", "{}"), entry("b", "f", "[]")],
    ),
    "no index and no id": (
        [
            call_delta(function=part("{", "f")),
            call_delta(function=part("}")),
            call_delta(function=part("{}", "f")),
        ],
        [entry(None, "f", "{}"), entry(None, "f", "{}")],
    ),
    "no index, the same id": (
        [
            call_delta(id="a", function=part("{", "f")),
            call_delta(id="b", function=part("[", "g")),
            call_delta(id="a", function=part("}")),
        ],
        [entry("a", "f", "{}"), entry("b", "g", "[")],
    ),
    "Gemini: all of index 0": (
        [
            call_delta(index=0, id="a", function=part("{}", "f")),
            call_delta(index=0, id="b", function=part("[]", "f")),
        ],
        [entry("a", "f", "{}"), entry("b", "f", "[]")],
    ),
    "another id without a name goes on": (
        [
            call_delta(index=0, id="a", function=part("{", "f")),
            call_delta(index=0, id="a2", function=part("}")),
        ],
        [entry("a2", "f", "{}")],
    ),
    "arguments as an object": (
        [call_delta(index=0, id="a", function=part({"x": 1}, "f"))],
        [entry("a", "f", {"x": 1})],
    ),
    "entries that are none": (
        [delta(tool_calls=[None, 3]), delta(tool_calls="x")],
        [],
    ),
}


@pytest.mark.parametrize(("chunks", "calls"), CALLS.values(), ids=CALLS)
def test_tool_calls_are_put_together(
    chunks: list[dict[str, Any]], calls: list[dict[str, Any]]
) -> None:
    """Pieces find their call by index, by id or by their order, and ids stay as they came."""
    assert message_of(*chunks).get("tool_calls", []) == calls


TEXTS: dict[str, str] = {
    "comments": f": OPENROUTER PROCESSING\n\n: x\n{as_text(delta(content='4'), STOP)}",
    "carriage returns": as_text(delta(content="4"), STOP).replace("\n", "\r\n"),
    "no blank lines": as_text(delta(content="4"), STOP).replace("\n\n", "\n"),
    "no blank after the colon": as_text(delta(content="4"), STOP).replace("data: ", "data:"),
    "an object over several lines": "data: "
    + json.dumps(delta("stop", content="4"), indent=1).replace("\n", "\ndata: "),
    "other fields": f"id: 7\nretry: 10\nevent: message\n{as_text(delta(content='4'))}",
    "no [DONE]": as_text(delta("stop", content="4")).replace("data: [DONE]", ""),
    "something after [DONE]": as_text(delta(content="4")) + "data: nonsense\n\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_event_stream_may_be_written_in_many_ways(text: str) -> None:
    """What is around the events does not matter."""
    assert is_stream(text)
    assert read_stream(text)["choices"][0]["message"]["content"] == "4"


def test_a_line_separator_inside_a_text_ends_no_line() -> None:
    """JSON allows U+2028 and U+0085 unescaped in a string."""
    text = "data: " + json.dumps(delta("stop", content="a\u2028b\x85c"), ensure_ascii=False)
    assert read_stream(text)["choices"][0]["message"]["content"] == "a\u2028b\x85c"


def test_a_megabyte_in_small_pieces_is_read() -> None:
    """A quarter of a million pieces take seconds at most, not the square of that."""
    piece = f"data: {json.dumps(delta(content='abcd'))}\n\n"
    text = piece * 250_000 + "data: [DONE]\n\n"
    assert len(read_stream(text)["choices"][0]["message"]["content"]) == 1_000_000


CUT: dict[str, str] = {
    "nothing": "",
    "comments only": ": x\n\n: y\n\n",
    "no end": as_text(delta(content="4")).replace("data: [DONE]", ""),
    "within an event": 'data: {"choices": [{"delta": {"con',
    "no JSON": "data: <html>\n\ndata: [DONE]\n\n",
    "no object": "data: [1]\n\ndata: [DONE]\n\n",
    "too deep": f"data: {'[' * 100_000}\n\n",
}


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
def test_a_stream_without_an_end_is_cut_off(text: str) -> None:
    """Neither a finish reason nor `[DONE]`: there may have been more."""
    with pytest.raises(CutOff):
        read_stream(text)


def ask(server: ChatServer, **options: Any) -> ChatReply:
    """The reply to a body for which a stream is asked from the start."""
    options = {"adapt": ["stream"], **options}
    return use(lambda client: client.complete(BODY), server.url, **options)


FOUR = [delta(role="assistant", content=""), delta(content="Fo"), delta(content="ur."), STOP]
COUNTED = {"choices": [], "usage": USAGE}


def test_a_stream_is_asked_for_with_its_usage(chat_server: ChatServer) -> None:
    """The request says so, and the reply is as one that was not streamed."""
    chat_server.play([stream([*FOUR, COUNTED])])
    got = ask(chat_server)
    sent = chat_server.requests[0].body
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert got.streamed
    assert got.message == {"role": "assistant", "content": "Four."}
    assert got.call.finish_reason == "stop"
    assert got.call.tokens == Tokens(prompt=100, cached=40, completion=10, reasoning=4)
    assert got.call.adaptations == ("stream",)


def test_usage_inside_a_choice_counts(chat_server: ChatServer) -> None:
    """Moonshot puts it there."""
    last = delta("stop")
    last["choices"][0]["usage"] = USAGE
    chat_server.play([stream([delta(content="4"), last])])
    assert ask(chat_server).call.tokens == Tokens(prompt=100, cached=40, completion=10, reasoning=4)


def test_a_server_that_does_not_stream_is_read_all_the_same(chat_server: ChatServer) -> None:
    """And so is one that streams without being asked."""
    chat_server.play([say("Four.")])
    assert ask(chat_server).message["content"] == "Four."
    chat_server.play([stream(FOUR)])
    assert ask(chat_server, adapt=[]).message["content"] == "Four."


def test_a_wrong_content_type_does_not_matter(chat_server: ChatServer) -> None:
    """The text shows what it is."""
    headers = {"Content-Type": "application/json"}
    chat_server.play([dataclasses.replace(stream(FOUR), headers=headers)])
    assert ask(chat_server).message["content"] == "Four."


def test_nothing_is_waited_for_after_done(chat_server: ChatServer) -> None:
    """A server that keeps the connection open after `[DONE]` has answered."""
    chat_server.play([stream(FOUR, end=End.DRIP)])
    assert ask(chat_server).call.retries == 0
    assert chat_server.n_requests == 1


CUT_STEPS: dict[str, Step] = {
    "the connection": stream(FOUR[:2], done=False, end=End.DROP),
    "the text": stream(FOUR[:2], done=False),
    "an event": raw(b'data: {"choices": [{"delta"'),
    "before anything": stream([], done=False, end=End.DROP),
}


@pytest.mark.parametrize("step", CUT_STEPS.values(), ids=CUT_STEPS)
def test_a_stream_that_was_cut_off_is_asked_for_again(step: Step, chat_server: ChatServer) -> None:
    """Half an answer is never taken for one, and what it cost is not known."""
    limiter = NotingLimiter()
    chat_server.play([step, stream([*FOUR, COUNTED])])
    got = ask(chat_server, limiter=limiter)
    assert (got.message["content"], got.call.retries) == ("Four.", 1)
    assert [result.billing for result in limiter.results] == [Billing.UNKNOWN, Billing.USAGE]


def test_a_cut_stream_that_had_told_its_usage_cost_that(chat_server: ChatServer) -> None:
    """Its tokens are spent, whatever came of them."""
    limiter = NotingLimiter()
    chat_server.play([stream([delta(content="4"), COUNTED], done=False), stream(FOUR)])
    ask(chat_server, limiter=limiter)
    first = limiter.results[0]
    assert (first.billing, first.tokens and first.tokens.completion) == (Billing.USAGE, 10)


def test_an_error_inside_a_stream_is_classified_by_its_code(chat_server: ChatServer) -> None:
    """A full server is asked again; an empty account is not."""
    full = {"error": {"code": 429, "message": "busy"}, "choices": [delta("error")["choices"][0]]}
    chat_server.play([stream([FOUR[1], full]), stream(["event: error\ndata: oops\n\n"]), say("4")])
    assert ask(chat_server).call.retries == 2
    chat_server.play([stream([FOUR[1], {"error": {"code": 402, "message": "pay"}}])])
    with pytest.raises(ModelError, match=r"pay.*top it up") as caught:
        ask(chat_server)
    assert (caught.value.status, caught.value.attempts) == (402, 1)


def test_a_key_in_pieces_is_removed(chat_server: ChatServer) -> None:
    """It is whole only once the pieces are put together."""
    pieces = [delta(content=KEY[:7]), delta(content=KEY[7:]), STOP]
    chat_server.play([stream(pieces)])
    assert ask(chat_server).message["content"] == "[key removed]"


def test_a_stream_that_drips_is_left_at_the_deadline(chat_server: ChatServer) -> None:
    """Comments that keep a connection alive do not keep a call alive."""
    chat_server.play([stream([": wait\n\n"], done=False, end=End.DRIP)])
    patience = Patience(reply_s=0.1, attempts=1)
    with pytest.raises(ModelError, match="no complete reply within"):
        ask(chat_server, patience=patience)


def test_a_server_that_refuses_stream_options_gets_none(chat_server: ChatServer) -> None:
    """And one that refuses a reply that is not streamed gets asked for a stream."""
    chat_server.play(
        [
            refuse(400, "Requests with max_tokens > 4096 must have stream=true"),
            refuse(400, "Unknown parameter: 'stream_options'."),
            stream(FOUR),
        ]
    )
    got = ask(chat_server, adapt=[], patience=QUICK)
    assert got.call.adaptations == ("stream", "no-stream-options")
    assert got.call.retries == 0
    assert "stream_options" not in chat_server.requests[2].body
