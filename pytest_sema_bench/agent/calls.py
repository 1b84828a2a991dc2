"""The tool calls that a message holds, wherever a server puts them.

`tool_calls` is a list in the chat API; some servers send one object, `function_call` is what the
API had before, and without a parser the calls stand in the text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.agent.text_calls import CallForm, find_calls, without_calls
from pytest_sema_bench.chat.reply import REASONING_FIELDS
from pytest_sema_bench.records.transcript import ChatMessage, message_text


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCall:
    """One call as it came; anything may stand in it."""

    name: object
    arguments: object
    call_id: object = None
    """Under which its answer goes back."""
    displaced: bool = False
    """It stood elsewhere than in a list of tool calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCalls:
    """What a message asks for, and how it is to be answered."""

    message: ChatMessage
    """As it came, but for ids that were missing."""
    calls: tuple[WantedCall, ...]
    text: str
    """What the message says beside its calls."""
    form: CallForm | None = None
    """Of calls that stood in the text."""

    def answers(self, results: list[str]) -> list[ChatMessage]:
        """The messages that give the results back, in the form in which they were asked for."""
        if self.form is not None:
            # A server that does not parse calls may not know results either. These are the marks
            # in which the templates of most models give them.
            marked = "\n".join(f"<tool_response>\n{text}\n</tool_response>" for text in results)
            return [{"role": "user", "content": marked}]
        if "function_call" in self.message and not self.message.get("tool_calls"):
            return [
                {"role": "function", "name": call.name, "content": text}
                for call, text in zip(self.calls, results, strict=True)
            ]
        return [
            {"role": "tool", "tool_call_id": call.call_id, "content": text}
            for call, text in zip(self.calls, results, strict=True)
        ]


def read_calls(
    message: ChatMessage, turn: int, is_offered: Callable[[str], bool] | None
) -> WantedCalls:
    """The calls in a message; those in its text only where `is_offered` tells what was offered."""
    text = message_text(message)
    if calls := message.get("tool_calls"):
        if isinstance(calls, dict):
            return WantedCalls(message=message, calls=(_native(calls, displaced=True),), text=text)
        if isinstance(calls, list):
            message, calls = _with_ids(message, calls, turn)
            return WantedCalls(message=message, calls=tuple(map(_native, calls)), text=text)
    if isinstance(legacy := message.get("function_call"), dict) and legacy:
        call = _native({"function": legacy}, displaced=True)
        return WantedCalls(message=message, calls=(call,), text=text)
    if is_offered is None:
        return WantedCalls(message=message, calls=(), text=text)
    # A parser of reasoning that finds no end takes calls for thoughts (vllm-project/vllm#32216).
    said = text if text.strip() else _thought(message)
    marked = find_calls(said, is_offered)
    return WantedCalls(
        message=message,
        calls=tuple(
            WantedCall(name=name, arguments=arguments, displaced=True)
            for stretch in marked
            for name, arguments in stretch.calls
        ),
        text=without_calls(said, marked) if marked and text.strip() else text,
        form=marked[0].form if marked else None,
    )


def _native(call: object, *, displaced: bool = False) -> WantedCall:
    table: dict[str, Any] = call if isinstance(call, dict) else {}
    function = table.get("function")
    function = function if isinstance(function, dict) else {}
    return WantedCall(
        name=function.get("name"),
        arguments=function.get("arguments"),
        call_id=table.get("id"),
        displaced=displaced,
    )


def _thought(message: ChatMessage) -> str:
    thoughts = (message.get(name) for name in REASONING_FIELDS)
    return next((thought for thought in thoughts if isinstance(thought, str) and thought), "")


def _with_ids(message: ChatMessage, calls: list[Any], turn: int) -> tuple[ChatMessage, list[Any]]:
    """Message and calls unchanged, unless a call has no id: then one is made up in both."""
    if all(isinstance(call, dict) and call.get("id") for call in calls):
        return message, calls
    named = [
        {**call, "id": call.get("id") or f"call_{turn}_{index}"} if isinstance(call, dict) else call
        for index, call in enumerate(calls)
    ]
    return {**message, "tool_calls": named}, named
