"""A conversation of a run as training data: what is kept of a message, which turns count."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_sema_bench.records.transcript import ChatMessage, message_text

_KEPT = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")
"""Fields that trainers know; servers add others of their own."""
# The tool's last part: what a program prints may look like an error, but a value follows it.
_LAST = re.compile(r"^(Error|Value): ", re.MULTILINE)


class Unusable(Exception):
    """The conversation is no training data; the text says why."""


def opening(messages: Sequence[Any]) -> tuple[ChatMessage, ...]:
    """What the conversation begins with, system prompt and question. Raises Unusable."""
    shown = tuple(_kept(message) for message in messages[:2])
    if [message.get("role") for message in shown] != ["system", "user"]:
        raise Unusable("the conversation does not begin with system and user")
    return shown


def weighted(messages: Sequence[Any]) -> tuple[ChatMessage, ...]:
    """The conversation, each answer with weight 1, or 0 where its calls met an error.

    Raises Unusable.
    """
    start = opening(messages)
    rest = [_kept(message) for message in messages[2:]]
    if not rest or rest[-1].get("role") != "assistant":
        raise Unusable("the conversation does not end with an answer")
    return (*start, *_weighted(rest))


def _weighted(messages: Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    for index, message in enumerate(messages):
        role = message.get("role")
        if role not in ("user", "assistant", "tool") or _are_results(message):
            raise Unusable("tool calls stand in its text or in an older form")
        if role != "assistant":
            yield message
            continue
        results = []
        for result in messages[index + 1 :]:
            if result.get("role") != "tool":
                break
            results.append(result)
        calls = message.get("tool_calls", [])
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            raise Unusable("tool calls stand in its text or in an older form")
        if len(calls) != len(results):
            raise Unusable("a tool call has no answer")
        yield {**message, "weight": int(not any(map(is_error, results)))}


def is_error(result: Mapping[str, Any]) -> bool:
    """Whether a tool's answer tells of an error."""
    found = _LAST.findall(message_text(dict(result)))
    return bool(found) and found[-1] == "Error"


def _are_results(message: ChatMessage) -> bool:
    return message.get("role") == "user" and "<tool_response>" in message_text(message)


def _kept(message: Any) -> ChatMessage:
    """The message with the fields that trainers know, its content as text."""
    if not isinstance(message, dict):
        raise Unusable("a message is no object")
    kept = {name: message[name] for name in _KEPT if message.get(name)}
    return {**kept, "content": message_text(message)}
