"""Streamed replies: server-sent events put together to the completion they are parts of.

The events are read from the whole text by a few lines of our own. The library httpx-sse does
not fit: it takes only replies with the right content type, which servers get wrong, and decodes
bytes before invalid UTF-8 in them can be seen.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

Completion = dict[str, Any]


class CutOff(Exception):
    """A stream that ends before its reply does, or is none; `usage` is what it had told of it."""

    def __init__(self, text: str, usage: object = None) -> None:
        super().__init__(text)
        self.usage = usage


def is_stream(text: str) -> bool:
    """Whether a reply is a stream, whatever its content type says."""
    return text.lstrip().startswith(("data:", "event:", "id:", "retry:", ":"))


def read_stream(text: str) -> Completion:
    """The completion that a stream amounts to, in the form of one that was not streamed.

    A stream with an error inside gives it as the completion's `error`. Raises CutOff.
    """
    parts = _Parts()
    for name, data in _events(text):
        if data.strip() == "[DONE]":
            parts.ended = True
            break
        parts.add(_read(name, data, parts))
        if parts.error is not None:
            break
    if not parts.ended and parts.finish_reason is None and parts.error is None:
        raise CutOff("the stream was cut off", parts.usage)
    return parts.completion()


# Line ends of the event stream format only: https://html.spec.whatwg.org/multipage/
# server-sent-events.html#event-stream-interpretation. `str.splitlines` would also split at
# U+2028, which JSON allows inside a string.
_LINE_END = re.compile(r"\r\n|\n|\r")


def _events(text: str) -> Iterator[tuple[str, str]]:
    """Name and data of each event; comments, which keep connections alive, are left out."""
    name, data = "", list[str]()
    for line in [*_LINE_END.split(text), ""]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            # Some servers put no blank line between events: a new object is a new event.
            if len(data) == 1 and _is_json(data[0]):
                yield name, data.pop()
            data.append(value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _read(name: str, data: str, parts: "_Parts") -> Completion:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        chunk = None
    if name == "error" and not (isinstance(chunk, dict) and chunk.get("error")):
        return {"error": {"message": data}}
    if not isinstance(chunk, dict):
        raise CutOff(f"the stream holds what is no JSON object: {data}", parts.usage)
    return chunk


class _Parts:
    """What has come of a reply."""

    def __init__(self) -> None:
        self.ended = False
        self.error: object = None
        self.usage: object = None
        self.finish_reason: object = None
        self._choice: dict[str, object] = {}
        self._around: dict[str, object] = {}
        self._message: dict[str, Any] = {}
        self._calls: list[dict[str, Any]] = []
        self._slots: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Completion) -> None:
        """Take in one chunk. Nulls anywhere in it mean that there is nothing new."""
        self.error = chunk.get("error") or None
        self.usage = chunk.get("usage") or self.usage
        for name, value in chunk.items():
            if name not in ("choices", "usage", "error", "object") and value is not None:
                self._around.setdefault(name, value)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                self._add_choice(choice)

    def _add_choice(self, choice: dict[str, Any]) -> None:
        # Moonshot reports usage inside the last choice
        # (platform.moonshot.ai/docs/api/chat, "Return content", streamed).
        self.usage = choice.get("usage") or self.usage
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        for name, value in choice.items():
            if name not in ("delta", "message", "usage") and value is not None:
                self._choice[name] = value
        delta = choice.get("delta")
        if not isinstance(delta, dict) and not self._message and not self._calls:
            delta = choice.get("message")
        if isinstance(delta, dict):
            self._add_delta(delta)

    def _add_delta(self, delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                for entry in value if isinstance(value, list) else ():
                    if isinstance(entry, dict):
                        self._add_call(entry)
            elif name == "role":
                self._message["role"] = value or "assistant"
            elif value is not None:
                self._message[name] = _joined(self._message.get(name), value)

    def _add_call(self, entry: dict[str, Any]) -> None:
        call = self._call_of(entry)
        for name, value in entry.items():
            if name == "function" and isinstance(value, dict):
                _add_function(call.setdefault("function", {}), value)
            elif name != "index" and value not in (None, ""):
                call[name] = value

    def _call_of(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The call that an entry goes on with, or a new one.

        By index. Ollama leaves the index out and Gemini's endpoint numbers parallel calls all
        0, so an entry with a name and another id is a new call whatever its index says, and
        without index and id a name starts a new call (ollama/ollama#7881).
        """
        index, call_id = entry.get("index"), entry.get("id") or None
        function = entry.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        known = self._slots.get(index) if isinstance(index, int) else None
        if known is None and not isinstance(index, int):
            same_id = [call for call in self._calls if call_id and call.get("id") == call_id]
            last = self._calls[-1:] if not (named or call_id) else []
            known = next(iter([*same_id, *last]), None)
        elif known is not None and named and call_id and known.get("id") not in (None, call_id):
            known = None
        if known is None:
            known = {}
            self._calls.append(known)
        if isinstance(index, int):
            self._slots[index] = known
        return known

    def completion(self) -> Completion:
        """All of it, in the form of a reply that was not streamed."""
        message = _plain({"role": "assistant", "content": None, **self._message})
        # The opening chunk has "" where a reply that is not streamed has null.
        message["content"] = message["content"] or None
        if self._calls:
            message["tool_calls"] = _plain(self._calls)
        whole = {**self._around, "choices": [{**self._choice, "message": message}]}
        if self.usage is not None:
            whole["usage"] = self.usage
        return whole if self.error is None else {**whole, "error": self.error}


class _Text(list[str]):
    """The pieces of a text, joined once at the end: adding one by one takes time in its square."""


def _plain(value: Any) -> Any:
    """The value with its texts joined."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return value


def _joined(known: Any, more: Any) -> Any:
    """Texts are put together, lists entry by entry, of anything else the last counts."""
    if isinstance(more, str):
        known = known if isinstance(known, _Text) else _Text()
        known.append(more)
        return known
    if isinstance(more, list):
        together = known if isinstance(known, list) and not isinstance(known, _Text) else []
        for entry in more:
            _add_entry(together, entry)
        return together
    return more


def _add_function(function: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if name == "name" and [value] == function.get("name"):  # said again with each piece
            continue
        if value is not None:
            function[name] = _joined(function.get(name), value)


_GROWING = ("text", "summary")


def _add_entry(entries: list[Any], entry: Any) -> None:
    """Add to a list such as `reasoning_details`, whose texts come in pieces of the same kind.

    Source: openrouter.ai/docs/use-cases/reasoning-tokens, "Streaming response".
    """
    if not isinstance(entry, dict):
        entries.append(entry)
        return
    if not (entries and isinstance(entries[-1], dict) and _goes_on(entries[-1], entry)):
        entries.append({})
    last = entries[-1]
    for name, value in entry.items():
        if value is not None or name not in last:
            last[name] = _joined(last.get(name), value) if name in _GROWING else value


def _goes_on(last: dict[str, Any], entry: dict[str, Any]) -> bool:
    same = last.get("type") == entry.get("type") and last.get("index") == entry.get("index")
    return same and any(name in entry for name in (*_GROWING, "signature"))
