"""Recorded exchanges: what is written, that people can read it, and that it plays back exactly."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.chat.cassette import RecordingWire, ReplayWire, first_difference
from pytest_sema_bench.chat.wire import RawResponse, Unreachable
from pytest_sema_bench.errors import NoRecording
from pytest_sema_bench.redaction import Redactor

KEY = "sk-secret-0123456789"
PATH = "/v1/chat/completions"
NAME = "L1-01-adding/m-tools-s1"
Reply = RawResponse | Unreachable


class ScriptedWire:
    """A wire whose answers are given."""

    path = PATH
    place = "127.0.0.1:1"

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies)

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The next answer."""
        reply = self._replies.pop(0)
        if isinstance(reply, Unreachable):
            raise reply
        return reply

    def end(self, conversation: str) -> None:
        """Nothing to free."""

    async def close(self) -> None:
        """Nothing to close."""


def answer(payload: bytes, status: int = 200, **headers: str) -> RawResponse:
    """An answer with these bytes."""
    lower = {name.lower(): value for name, value in headers.items()}
    return RawResponse(status=status, headers=lower, payload=payload)


def body(*texts: str, **fields: Any) -> bytes:
    """A request with these messages."""
    messages = [{"role": "user", "content": text} for text in texts]
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


def record(folder: Path, exchanges: Sequence[tuple[bytes, Reply]], name: str | None = NAME) -> None:
    """Record these requests with what is answered."""
    wire = RecordingWire(ScriptedWire([reply for _, reply in exchanges]), folder, Redactor([KEY]))

    async def run() -> None:
        for content, _ in exchanges:
            try:
                await wire.post(content, name)
            except Unreachable:
                pass

    asyncio.run(run())


def replay(folder: Path, requests: Sequence[bytes], name: str | None = NAME) -> list[RawResponse]:
    """What the recording answers."""
    wire = ReplayWire(folder, PATH)

    async def run() -> list[RawResponse]:
        return [await wire.post(content, name) for content in requests]

    return asyncio.run(run())


PAYLOADS = {
    "compact JSON": b'{"a":[1,2.50],"b":null}',
    "spaced JSON": b'{"a": [1, 2], "b": "\xc3\xa9"}',
    "escaped JSON": b'{"a": "\\u00e9\\ud83d\\ude00"}',
    "half a surrogate pair": b'{"a": "\\ud83d"}',
    "JSON laid out": b'{\n  "a": 1\n}\n',
    "JSON with a name twice": b'{"a": 1, "a": 2}',
    "JSON with odd numbers": b'{"a": 1e400, "b": NaN, "c": 1.10}',
    "text of several lines": b'{"content":"one\\ntwo\\n"}',
    "an object like our own for lines": b'{"lines":["a","b"]}',
    "deep JSON": b"[" * 5000,
    "events": b'data: {"a": 1}\n\ndata: [DONE]\n\n',
    "line ends of Windows": b"<h1>\r\nBad\r\n\r\n",
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "nothing": b"",
    "zeros": b"\x00\x01",
    "a megabyte": b'{"a":"' + b"x" * 1_000_000 + b'"}',
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_an_answer_is_played_back_byte_for_byte(tmp_path: Path, name: str) -> None:
    """Whatever the bytes; the file is JSON in UTF-8."""
    payload = PAYLOADS[name]
    record(tmp_path, [(body("hi"), answer(payload))])
    assert [a.payload for a in replay(tmp_path, [body("hi")])] == [payload]
    json.loads((tmp_path / f"{NAME}.json").read_text("utf-8"))


ODD_MESSAGES: dict[str, Any] = {
    "half a surrogate pair": {"content": "\ud83d"},
    "several lines": {"content": "a\nb\n\n"},
    "an object like our own for lines": {"arguments": {"lines": ["a", "b"]}},
    "an object like our own for objects": {"arguments": {"object": {"lines": "a\nb"}}},
    "an object like our own for repeats": {"messages": {"as_before": 1, "then": []}},
    "numbers of both kinds": {"a": 1, "b": 1.0, "c": True},
}


@pytest.mark.parametrize("name", ODD_MESSAGES)
def test_a_request_that_is_the_same_is_recognised(tmp_path: Path, name: str) -> None:
    """What a model sent comes back in the next request, however odd."""
    message = {"role": "assistant", **ODD_MESSAGES[name]}
    requests = [json.dumps({"model": "m", "messages": [message] * n}).encode() for n in (1, 2)]
    record(tmp_path, [(content, answer(b"{}")) for content in requests])
    assert len(replay(tmp_path, requests)) == 2


def test_a_conversation_is_played_in_its_order(tmp_path: Path) -> None:
    """Failures too, with what the client needs to know of them."""
    asked = [body("a"), body("a"), body("a", "b"), body("a", "b", tool_choice="none")]
    replies: list[Reply] = [
        answer(b"later", 429, **{"Retry-After": "3", "X-RateLimit-Remaining": "0", "Date": "x"}),
        Unreachable("connection lost", sent=True),
        answer(b"1"),
        answer(b"2"),
    ]
    record(tmp_path, list(zip(asked, replies, strict=True)))
    wire = ReplayWire(tmp_path, PATH)

    async def run() -> None:
        first = await wire.post(asked[0], NAME)
        assert (first.status, first.payload) == (429, b"later")
        assert dict(first.headers) == {"retry-after": "3", "x-ratelimit-remaining": "0"}
        with pytest.raises(Unreachable, match="connection lost") as lost:
            await wire.post(asked[1], NAME)
        assert lost.value.sent
        assert [(await wire.post(content, NAME)).payload for content in asked[2:]] == [b"1", b"2"]

    asyncio.run(run())


def test_a_file_says_only_once_what_requests_repeat(tmp_path: Path) -> None:
    """A long conversation grows with its messages, not with their square."""
    texts = [f"message {n} " + "x" * 1000 for n in range(20)]
    requests = [body(*texts[: n + 1], tools=["a long schema" * 100]) for n in range(20)]
    record(tmp_path, [(content, answer(b"{}")) for content in requests])
    text = (tmp_path / f"{NAME}.json").read_text()
    assert [text.count(f"message {n} ") for n in range(20)] == [1] * 20
    assert text.count("a long schema") == 100
    assert len(replay(tmp_path, requests)) == 20


def test_no_credentials_are_written(tmp_path: Path) -> None:
    """Keys are removed by value, and only headers that matter are kept."""
    headers = {"Set-Cookie": "session=1", "Authorization": f"Bearer {KEY}", "X-Request-Id": KEY}
    reply = answer(f'{{"error": "{KEY}"}}'.encode(), 401, **headers)
    record(tmp_path, [(body(f"my key is {KEY}"), reply), (body("b"), Unreachable(KEY, sent=False))])
    text = (tmp_path / f"{NAME}.json").read_text()
    assert KEY not in text
    assert "session" not in text
    assert "uthorization" not in text
    assert text.count("[key removed]") == 4


DIFFERENCES: dict[str, tuple[bytes, str]] = {
    "a text": (body("two and two is five"), r"body\.messages\[0\]\.content: .* now '.*five'"),
    "a message more": (body("two and two", "more"), r"messages\[1\]: recorded nothing, now \{"),
    "a field more": (body("two and two", top_p=1), r"body\.top_p: recorded nothing, now 1"),
    "a kind of number": (body("two and two", n=1.0), r"body\.n: recorded nothing, now 1\.0"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_request_that_differs_has_no_answer(tmp_path: Path, name: str) -> None:
    """The error names the file, the exchange and the first difference."""
    asked, expected = DIFFERENCES[name]
    record(tmp_path, [(body("two and two"), answer(b"{}"))])
    with pytest.raises(NoRecording, match=rf"m-tools-s1\.json, exchange 1: .*{expected}"):
        replay(tmp_path, [asked])


def test_another_path_is_another_request(tmp_path: Path) -> None:
    """A recording belongs to an API, not to a host."""
    record(tmp_path, [(body("a"), answer(b"{}"))])
    with pytest.raises(NoRecording, match="differs at path: recorded '/v1/chat/comp"):
        asyncio.run(ReplayWire(tmp_path, "/other").post(body("a"), NAME))


def test_what_was_not_recorded_has_no_answer(tmp_path: Path) -> None:
    """A conversation that is missing, and one that ended earlier."""
    record(tmp_path, [(body("a"), answer(b"{}"))])
    with pytest.raises(NoRecording, match=r"there is no recording .*other\.json"):
        replay(tmp_path, [body("a")], "other")
    with pytest.raises(NoRecording, match="holds 1 exchanges and this is request 2"):
        replay(tmp_path, [body("a"), body("a")])


DAMAGED = {
    "no JSON": "{",
    "a list": "[]",
    "no exchanges": "{}",
    "exchanges of a wrong kind": '{"exchanges": 3}',
    "an exchange of a wrong kind": '{"exchanges": [3]}',
    "an exchange without a request": '{"exchanges": [{}]}',
    "a merge conflict": "<<<<<<< ours\n{}\n=======\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    """It is no recording, and no internal error."""
    (tmp_path / "a.json").write_text(DAMAGED[name])
    with pytest.raises(NoRecording, match=r"a\.json"):
        replay(tmp_path, [body("a")], "a")


def test_values_that_differ_are_shown_from_where_they_part() -> None:
    """Of long texts only the place where they part; equal values differ nowhere."""
    long = "x" * 500
    shown = first_difference({"a": [long + "1" + long]}, {"a": [long + "2" + long]})
    assert shown is not None
    assert shown.startswith("the request differs at a[0]: recorded …'x")
    assert "x1x" in shown
    assert "x2x" in shown
    assert len(shown) < 300
    assert first_difference({"a": [1]}, {"a": [1]}) is None
    assert first_difference(1, True) is not None
