"""The chat client against a real HTTP server: what it sends, takes, retries and gives up on."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from pytest_sema_bench.chat import ChatClient, ChatReply, Patience
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import Tokens
from tests.asking import BODY, KEY, QUICK, use
from tests.chat_server import (
    CUT_OFF,
    DRIP,
    DROP,
    HANG,
    USAGE,
    ChatServer,
    Step,
    complete,
    raw,
    refuse,
    reply,
    say,
)

Complete = Callable[..., ChatReply]


@pytest.fixture
def ask(chat_server: ChatServer) -> Complete:
    """Send one body to the chat server."""

    def send(body: dict[str, Any] = BODY, patience: Patience = QUICK) -> ChatReply:
        return use(lambda client: client.complete(body), chat_server.url, patience=patience)

    return send


def test_a_reply_is_message_usage_and_facts_of_the_call(
    chat_server: ChatServer, ask: Complete
) -> None:
    """The message comes as the server sent it, the usage as the server reports it."""
    chat_server.play([say("Four.", refusal=None, extra={"a": [1]})])
    got = ask()
    assert got.message == {
        "role": "assistant",
        "content": "Four.",
        "refusal": None,
        "extra": {"a": [1]},
    }
    assert got.call.tokens == Tokens(prompt=100, cached=40, completion=10, reasoning=4)
    assert (got.call.finish_reason, got.call.served_model) == ("stop", "served-name")
    assert got.call.retries == 0


def test_the_request_is_the_body_with_the_key_in_a_header(
    chat_server: ChatServer, ask: Complete
) -> None:
    """The body arrives as it was given, at the path that OpenAI's API has, the key as a bearer."""
    ask()
    (request,) = chat_server.requests
    assert request.body == BODY
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"


def test_without_a_key_no_header_is_sent(chat_server: ChatServer) -> None:
    """A local server that wants no key gets none, not an empty one."""
    use(lambda client: client.complete(BODY), chat_server.url + "/", key=None)
    assert "authorization" not in chat_server.requests[0].headers
    assert chat_server.requests[0].path == "/v1/chat/completions"


def test_half_a_surrogate_pair_travels_there_and_back(
    chat_server: ChatServer, ask: Complete
) -> None:
    """A model that sends broken Unicode can be sent its own message again."""
    chat_server.play([raw(b'{"choices": [{"message": {"content": "\\ud83d"}}]}')])
    broken = ask().message
    assert broken == {"content": "\ud83d"}
    ask({**BODY, "messages": [*BODY["messages"], broken]})
    assert chat_server.requests[-1].messages[-1] == broken


USAGES: dict[str, tuple[object, Tokens | None]] = {
    "missing": (None, None),
    "no object": ("many", None),
    "empty": ({}, None),
    "no details": ({"prompt_tokens": 7, "completion_tokens": 3}, Tokens(prompt=7, completion=3)),
    "details null": (
        {"prompt_tokens": 7, "prompt_tokens_details": None, "completion_tokens_details": None},
        Tokens(prompt=7),
    ),
    "counts that are no numbers": (
        {"prompt_tokens": "7", "completion_tokens": None, "prompt_tokens_details": 5},
        None,
    ),
    "counts that cannot be": ({"prompt_tokens": -7, "completion_tokens": True}, None),
    "cache hits in DeepSeek's field": (
        {"prompt_tokens": 7, "prompt_cache_hit_tokens": 5},
        Tokens(prompt=7, cached=5),
    ),
    "full": (USAGE, Tokens(prompt=100, cached=40, completion=10, reasoning=4)),
}


@pytest.mark.parametrize(("usage", "tokens"), USAGES.values(), ids=USAGES)
def test_usage_that_says_nothing_is_none(
    usage: object, tokens: Tokens | None, chat_server: ChatServer, ask: Complete
) -> None:
    """No count at all is not the same as zero tokens; nothing odd in it breaks the call."""
    chat_server.play([reply({"content": "Four."}, usage=usage)])
    assert ask().call.tokens == tokens


FACTS: dict[str, tuple[Step, str | None, str | None]] = {
    "absent": (raw(b'{"choices": [{"message": {"content": "4"}}]}'), None, None),
    "null": (reply({"content": "4"}, finish_reason=None, model=None), None, None),
    "of another type": (
        complete({"choices": [{"message": {"content": "4"}, "finish_reason": 1}], "model": 4}),
        None,
        None,
    ),
    "BOM in front": (
        raw(b'\xef\xbb\xbf{"choices": [{"message": {"content": "4"}}], "model": "x"}'),
        None,
        "x",
    ),
    "wrong charset named": (
        raw(
            '{"choices": [{"message": {"content": "4"}}], "model": "é"}'.encode(),
            headers={"Content-Type": "application/json; charset=latin-1"},
        ),
        None,
        "é",
    ),
}


@pytest.mark.parametrize(("step", "finish_reason", "served_model"), FACTS.values(), ids=FACTS)
def test_a_sloppy_completion_is_taken(
    step: Step,
    finish_reason: str | None,
    served_model: str | None,
    chat_server: ChatServer,
    ask: Complete,
) -> None:
    """Only the message is needed; whatever else is missing or odd is None."""
    chat_server.play([step])
    call = ask().call
    assert (call.finish_reason, call.served_model) == (finish_reason, served_model)
    assert chat_server.n_requests == 1


def test_invalid_utf_8_becomes_replacement_characters(
    chat_server: ChatServer, ask: Complete
) -> None:
    """A broken byte inside a text costs that character, not the reply."""
    chat_server.play([raw(b'{"choices": [{"message": {"content": "caf\xe9 4"}}]}')])
    assert ask().message == {"content": "caf\ufffd 4"}


PASSING: dict[str, Step] = {
    **{str(status): refuse(status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)},
    "dropped before the reply": DROP,
    "dropped within the reply": CUT_OFF,
    "no JSON": raw(b"<html>Bad gateway</html>"),
    "empty body": raw(b""),
    "JSON but no object": complete([1, 2]),
    "null": complete(None),
    "an error with status 200": complete({"error": {"message": "overloaded"}}),
    "no choices": complete({"choices": []}),
    "choices null": complete({"choices": None}),
    "message null": reply(None),
    "message a string": reply("Four."),
    "JSON too deep to read": raw(b"[" * 200_000),
    "a number too long to read": raw(b'{"choices": [{"message": {}, "n": ' + b"1" * 5000 + b"}]}"),
    "broken gzip": raw(b"not gzip", headers={"Content-Encoding": "gzip"}),
    "no HTTP": Step(headers={"X": "a\r\nbroken header line"}),
    "a header too long": Step(headers={"X": "a" * 100_000}),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING)
def test_trouble_that_may_pass_is_tried_again(
    trouble: Step, chat_server: ChatServer, ask: Complete
) -> None:
    """After two failures the third attempt is taken, and the retries are counted."""
    chat_server.play([trouble, trouble, say("Four.")])
    got = ask()
    assert got.message["content"] == "Four."
    assert got.call.retries == 2
    assert chat_server.n_requests == 3


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING)
def test_trouble_that_stays_is_a_model_error(
    trouble: Step, chat_server: ChatServer, ask: Complete
) -> None:
    """After the last attempt the error says how many there were."""
    chat_server.play([trouble])
    with pytest.raises(ModelError) as caught:
        ask()
    assert caught.value.attempts == 3
    assert chat_server.n_requests == 3


@pytest.mark.parametrize("status", [301, 307, 400, 401, 402, 403, 404, 422])
def test_a_refusal_is_final(status: int, chat_server: ChatServer, ask: Complete) -> None:
    """What will not change is not tried again, and the error carries the server's words."""
    chat_server.play([refuse(status, "the model is gone", x_request_id="req-7")])
    with pytest.raises(ModelError, match="the model is gone") as caught:
        ask()
    assert chat_server.n_requests == 1
    assert (caught.value.status, caught.value.request_id) == (status, "req-7")
    assert caught.value.attempts == 1


def test_the_key_is_removed_from_what_the_server_says(
    chat_server: ChatServer, ask: Complete
) -> None:
    """A server that echoes the key in an error does not get it into the error's text."""
    chat_server.play([refuse(401, f"wrong key {KEY}, I say {KEY}")])
    with pytest.raises(ModelError) as caught:
        ask()
    assert KEY not in str(caught.value)
    assert "wrong key [key removed]" in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_key_is_removed_from_a_reply(chat_server: ChatServer, ask: Complete) -> None:
    """Nor does a server get it into a message, which ends in transcripts."""
    chat_server.play([say(f"Your key is {KEY}.")])
    assert ask().message["content"] == "Your key is [key removed]."


def test_a_long_error_is_cut(chat_server: ChatServer, ask: Complete) -> None:
    """An error page of a megabyte leaves a short message on one line."""
    chat_server.play([raw(b"<p>oh\n</p>" * 100_000, status=400)])
    with pytest.raises(ModelError) as caught:
        ask()
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


HANGS = {"hangs": HANG, "drips": DRIP, "drips an error": dataclasses.replace(DRIP, status=500)}


@pytest.mark.parametrize("step", HANGS.values(), ids=HANGS)
def test_an_attempt_ends_at_its_deadline(
    step: Step, chat_server: ChatServer, ask: Complete
) -> None:
    """A server that hangs or sends a byte now and then is left, and asked again."""
    chat_server.play([step])
    patience = Patience(reply_s=0.1, attempts=2, first_wait_s=0.001)
    with pytest.raises(ModelError, match=r"no complete reply within 0.1 s") as caught:
        ask(patience=patience)
    assert caught.value.attempts == 2


@pytest.mark.parametrize("step", HANGS.values(), ids=HANGS)
def test_a_call_ends_at_its_deadline(step: Step, chat_server: ChatServer, ask: Complete) -> None:
    """The total time holds, whatever is left of attempts and of the time for one."""
    chat_server.play([step])
    with pytest.raises(ModelError, match=r"no answer within 0.2 s, attempts: 1; "):
        ask(patience=Patience(reply_s=60, total_s=0.2, attempts=6))


def test_the_deadline_ends_a_wait_and_tells_the_last_failure(
    chat_server: ChatServer, ask: Complete
) -> None:
    """A server that says "in an hour" is not waited for longer than the call may take."""
    chat_server.play([refuse(429, "slow down", Retry_After="3600", x_request_id="req-9")])
    patience = Patience(total_s=0.5, longest_wait_s=7200)
    with pytest.raises(ModelError, match="slow down") as caught:
        ask(patience=patience)
    assert (caught.value.status, caught.value.request_id) == (429, "req-9")


def in_seconds(seconds: float, text: str | None = None) -> str:
    """An HTTP date in the future; in the format `text` if there is one."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.strftime(text) if text else format_datetime(moment, usegmt=True)


SOON = {
    "0": "0",
    "fraction": "0.01",
    "negative": "-5",
    "date in the past": in_seconds(-100),
    "date without a zone": in_seconds(-100, "%a %b %d %H:%M:%S %Y"),
    "not a number": "nan",
    "words": "in a while",
    "empty": "",
}


@pytest.mark.parametrize("header", SOON.values(), ids=SOON)
def test_retry_after_that_has_passed_or_says_nothing(
    header: str, chat_server: ChatServer, ask: Complete
) -> None:
    """A moment in the past means now; an odd header means the usual wait."""
    chat_server.play([refuse(429, Retry_After=header), say("Four.")])
    assert ask().call.retries == 1


LATER: dict[str, Callable[[], str]] = {
    "seconds": lambda: "3600",
    "fractions": lambda: "3600.5",
    "HTTP date": lambda: in_seconds(3600),
    "asctime date": lambda: in_seconds(3600, "%a %b %d %H:%M:%S %Y"),
    "for ever": lambda: "inf",
}


@pytest.mark.parametrize("header", LATER.values(), ids=LATER)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(
    status: int, header: Callable[[], str], chat_server: ChatServer, ask: Complete
) -> None:
    """What the server asks for counts, and not the shorter wait of our own."""
    chat_server.play([refuse(status, Retry_After=header()), say("Four.")])
    with pytest.raises(ModelError, match="no answer within"):
        ask(patience=Patience(total_s=0.5, first_wait_s=0.001, longest_wait_s=7200))
    assert chat_server.n_requests == 1


def test_retry_after_is_capped(chat_server: ChatServer, ask: Complete) -> None:
    """A server cannot make a run wait longer than the longest wait."""
    chat_server.play([refuse(429, Retry_After="3600"), say("Four.")])
    assert ask().call.retries == 1


def test_a_cancelled_call_raises_at_once(chat_server: ChatServer) -> None:
    """Cancelling is not mistaken for trouble that may pass."""
    chat_server.play([HANG])

    async def cancel(client: ChatClient) -> ChatReply:
        call = asyncio.ensure_future(client.complete(BODY))
        while not chat_server.n_requests:
            await asyncio.sleep(0.005)
        call.cancel()
        return await call

    with pytest.raises(asyncio.CancelledError):
        use(cancel, chat_server.url)
    assert chat_server.n_requests == 1
