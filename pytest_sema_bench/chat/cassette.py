"""Exchanges with a server kept in files that people can read and git can diff, and played back.

One JSON file per conversation, `<task>/<model>-<config>-s<sample>.json`, with its exchanges in
order: failed attempts too. A text of several lines is written as `{"lines": […]}`; what a request
repeats of the one before it is not written again. Credentials are headers, and no header of a
request is ever written.
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pytest_sema_bench.chat.wire import RawResponse, Unreachable, Wire
from pytest_sema_bench.errors import CannotWrite, NoRecording
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.redaction import Redactor

_SHOWN_CHARS = 80
_KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms", "x-request-id")
_STYLES: dict[str, dict[str, Any]] = {
    "compact": {"separators": (",", ":"), "ensure_ascii": False},
    "compact ascii": {"separators": (",", ":"), "ensure_ascii": True},
    "spaced": {"separators": (", ", ": "), "ensure_ascii": False},
    "spaced ascii": {"separators": (", ", ": "), "ensure_ascii": True},
}
"""How servers write JSON: with the name of the style, the very bytes can be made again."""


class RecordingWire:
    """Passes requests on and writes every exchange to the conversation's file."""

    def __init__(self, wire: Wire, folder: Path, redactor: Redactor) -> None:
        self._wire = wire
        self._folder = folder
        self._redactor = redactor
        self._exchanges: dict[str, list[dict[str, Any]]] = {}
        self._bodies: dict[str, dict[str, Any]] = {}

    @property
    def path(self) -> str:
        """Path of the requests' URL."""
        return self._wire.path

    @property
    def place(self) -> str:
        """Where requests go."""
        return self._wire.place

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The response to one request, kept on disk when this returns. Raises Unreachable."""
        name = conversation or "conversation"
        try:
            answer = await self._wire.post(content, conversation)
        except Unreachable as failure:
            self._keep(name, content, {"failure": str(failure), "sent": failure.sent})
            raise
        except asyncio.CancelledError:
            self._keep(name, content, {"failure": "no complete reply in time", "sent": True})
            raise
        self._keep(name, content, {"response": _written_response(answer)})
        return answer

    def end(self, conversation: str) -> None:
        """Free what is remembered of a conversation that is over."""
        self._exchanges.pop(conversation, None)
        self._bodies.pop(conversation, None)

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

    def _keep(self, name: str, content: bytes, end: dict[str, Any]) -> None:
        body = json.loads(content)
        request = {"method": "POST", "path": self.path}
        request |= _written_body(body, self._bodies.get(name))
        self._bodies[name] = body
        exchanges = self._exchanges.setdefault(name, [])
        exchanges.append({"request": request, **end})
        text = json.dumps(
            {"conversation": name, "exchanges": exchanges}, indent=1, ensure_ascii=False
        )
        # A surrogate without its pair, which JSON can hold and UTF-8 cannot, stays an escape.
        try:
            with whole_file(self._folder / f"{name}.json", "backslashreplace") as file:
                file.write(self._redactor.clean(text) + "\n")
        except OSError as error:
            raise CannotWrite(self._folder, error) from error


class ReplayWire:
    """Answers from recorded conversations, each exchange in its turn, without any network."""

    def __init__(self, folder: Path, path: str) -> None:
        self.path = path
        self.place = f"the recording in {folder}"
        self._folder = folder
        self._n_played: dict[str, int] = {}
        self._bodies: dict[str, dict[str, Any]] = {}

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The recorded response. Raises NoRecording, and Unreachable where that was recorded."""
        name = conversation or "conversation"
        file = self._folder / f"{name}.json"
        exchanges = _read(file)
        number = self._n_played.get(name, 0)
        if number >= len(exchanges):
            raise NoRecording(
                f"{file} holds {len(exchanges)} exchanges and this is request {number + 1} of the "
                "conversation; record it anew with --sema-record"
            )
        exchange = exchanges[number]
        try:
            body = _read_body(exchange["request"], self._bodies.get(name))
            recorded = {**{k: exchange["request"][k] for k in ("method", "path")}, "body": body}
            asked = {"method": "POST", "path": self.path, "body": json.loads(content)}
            if difference := first_difference(recorded, asked):
                raise NoRecording(f"{file}, exchange {number + 1}: {difference}")
            self._n_played[name], self._bodies[name] = number + 1, body
            if "response" not in exchange:
                raise Unreachable(exchange["failure"], sent=exchange["sent"])
            return _read_response(exchange["response"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NoRecording(f"{file}, exchange {number + 1} is damaged: {error!r}") from error

    def end(self, conversation: str) -> None:
        """Free what is remembered of a conversation that is over."""
        self._bodies.pop(conversation, None)

    async def close(self) -> None:
        """Nothing to close."""


def first_difference(recorded: object, asked: object, where: str = "") -> str | None:
    """Where two JSON values differ first, in words; None if they are equal."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in [*recorded, *(name for name in asked if name not in recorded)]:
            pair = recorded.get(name, _ABSENT), asked.get(name, _ABSENT)
            if found := first_difference(*pair, f"{where}.{name}".lstrip(".")):
                return found
        return None
    if isinstance(recorded, list) and isinstance(asked, list):
        for index, pair in enumerate(zip_longest(recorded, asked, fillvalue=_ABSENT)):
            if found := first_difference(*pair, f"{where}[{index}]"):
                return found
        return None
    if type(recorded) is type(asked) and recorded == asked:
        return None
    shown = [_shown(value, other) for value, other in ((recorded, asked), (asked, recorded))]
    return f"the request differs at {where}: recorded {shown[0]}, now {shown[1]}"


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


def _shown(value: object, other: object) -> str:
    """A value in few characters; of two long texts, from shortly before they part."""
    if not (isinstance(value, str) and isinstance(other, str)):
        text = repr(value)
        return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    pairs = enumerate(zip(value, other, strict=False))
    parting = next((i for i, (a, b) in pairs if a != b), min(len(value), len(other)))
    start = max(0, parting - _SHOWN_CHARS // 4)
    part = value[start : start + _SHOWN_CHARS]
    head, tail = "…" * (start > 0), "…" * (start + _SHOWN_CHARS < len(value))
    return f"{head}{part!r}{tail}"


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        exchanges = json.loads(file.read_text("utf-8"))["exchanges"]
    except FileNotFoundError:
        raise NoRecording(f"there is no recording {file}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoRecording(f"{file} is no recording: {error!r}") from error
    if not isinstance(exchanges, list):
        raise NoRecording(f"{file} is no recording: 'exchanges' is no list")
    return exchanges


def _written_body(body: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """A request body without what it repeats of the one before it."""
    before = before or {}
    same = [name for name, value in body.items() if name in before and before[name] == value]
    written = {name: value for name, value in body.items() if name not in same}
    messages, earlier = written.get("messages"), before.get("messages", [])
    n = len(earlier)
    if n and isinstance(messages, list) and messages[:n] == earlier:
        written["messages"] = {"as_before": n, "then": messages[n:]}
    fields = {"as_before": same} if same else {}
    return {**fields, "body": _in_lines(written)}


def _read_body(request: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    body = _from_lines(request["body"])
    before = before or {}
    messages = body.get("messages")
    if isinstance(messages, dict):
        body["messages"] = before["messages"][: messages["as_before"]] + messages["then"]
    return {**{name: before[name] for name in request.get("as_before", ())}, **body}


def _written_response(answer: RawResponse) -> dict[str, Any]:
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name in _KEPT_HEADERS or "ratelimit" in name
    }
    return {"status": answer.status, "headers": headers, **_written_payload(answer.payload)}


def _written_payload(payload: bytes) -> dict[str, Any]:
    """The bytes as JSON if they can be made again from it, else as text, else in base64."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload).decode("ascii")}
    try:
        value = json.loads(text)
        written = _in_lines(value)
        for style, how in _STYLES.items():
            if json.dumps(_from_lines(written), **how) == text:
                return {"style": style, "json": written}
    except (ValueError, RecursionError):
        pass
    return {"text": text.split("\n")}


def _read_response(response: Mapping[str, Any]) -> RawResponse:
    if "json" in response:
        text = json.dumps(_from_lines(response["json"]), **_STYLES[response["style"]])
        payload = text.encode("utf-8", "surrogatepass")
    elif "text" in response:
        payload = "\n".join(response["text"]).encode("utf-8")
    else:
        payload = base64.b64decode(response["base64"])
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return RawResponse(status=response["status"], headers=headers, payload=payload)


_OURS = frozenset({"lines", "object"})


def _in_lines(value: Any) -> Any:
    """The value with each text of several lines as `{"lines": […]}`.

    An object that looks like one of ours is wrapped in `{"object": …}`.
    """
    if isinstance(value, str) and "\n" in value:
        return {"lines": value.split("\n")}
    if isinstance(value, dict):
        written = {name: _in_lines(item) for name, item in value.items()}
        return {"object": written} if len(value) == 1 and _OURS & set(value) else written
    if isinstance(value, list):
        return [_in_lines(item) for item in value]
    return value


def _from_lines(value: Any) -> Any:
    if isinstance(value, dict):
        if list(value) == ["lines"]:
            return "\n".join(value["lines"])
        if list(value) == ["object"]:
            value = value["object"]
        return {name: _from_lines(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_from_lines(item) for item in value]
    return value
