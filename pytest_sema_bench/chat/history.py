"""The conversation so far as a server takes it back, and the refusals that ask for it.

A message is sent back byte for byte until a server refuses that; what came is kept elsewhere.
Servers check what they take in more than what they send out, so some refuse their own texts.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from pytest_sema_bench.chat.faults import Fault
from pytest_sema_bench.records.transcript import ChatMessage, message_text

Messages = Sequence[ChatMessage]

UNREADABLE = "unreadable"
"""The one argument of a call whose arguments are no object: the text as it came."""
_UNNAMED = "unknown"
_FIELDS = frozenset({"role", "content", "tool_calls", "tool_call_id", "name"})

# What validators say (pydantic, vLLM's and llama.cpp's parsers of arguments), and chat templates
# that trip over null or over arguments that are no object. A 500 is also the status of a server
# that has run out of memory, so one of these must stand in its text.
_ABOUT_HISTORY = (
    r"should be a valid|validation error|field required",
    r"tool call arguments|parse_error|expecting (value|property name|'.' delimiter)",
    r"unterminated string|extra data: line|invalid (control character|\\escape)|item pairs",
    r"\bNone(Type)?\b|\bnull\b|undefined",
)


def is_refused(fault: Fault, messages: Messages) -> bool:
    """Whether a refusal may be about messages that are sent back: its words can be anything."""
    told = fault.vague or (fault.status == 500 and fault.says(*_ABOUT_HISTORY))
    return told and tidied(messages) != messages


def tidied(messages: Messages) -> list[ChatMessage]:
    """The messages with a role and text in each, whole tool calls, and a name for each result."""
    tidy: list[ChatMessage] = []
    unanswered: list[dict[str, Any]] = []
    for turn, message in enumerate(messages):
        if message.get("role", "assistant") == "assistant":
            tidy.append(_tidy_assistant(message, turn))
            unanswered = list(tidy[-1].get("tool_calls", ()))
        elif message["role"] == "tool" and unanswered:
            # Results stand in the order of their calls, which may have had no id to go by.
            call = unanswered.pop(0)
            names = {"tool_call_id": call["id"], "name": call["function"]["name"]}
            tidy.append({**message, **names})
        else:
            tidy.append(message)
    return tidy


def _tidy_assistant(message: ChatMessage, turn: int) -> ChatMessage:
    calls = message.get("tool_calls") or []
    calls = [calls] if isinstance(calls, dict) else calls
    calls = [_tidy_call(call, f"call_{turn}_{index}") for index, call in enumerate(calls)]
    fields = {k: v for k, v in message.items() if v is not None and k != "tool_calls"}
    tool_calls = {"tool_calls": calls} if calls else {}
    return {"role": "assistant", **fields, "content": message_text(message), **tool_calls}


def _tidy_call(call: Any, made_up_id: str) -> dict[str, Any]:
    call = call if isinstance(call, dict) else {"function": {"arguments": call}}
    function = call.get("function")
    function = function if isinstance(function, dict) else {"arguments": function}
    name = function.get("name")
    return {
        "id": str(call.get("id") or made_up_id),
        "type": "function",
        "function": {
            "name": name if isinstance(name, str) and name else _UNNAMED,
            "arguments": _object(function.get("arguments")),
        },
    }


def _object(arguments: object) -> str:
    """The arguments as the text of a JSON object, unchanged if they are one."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return arguments if isinstance(arguments, str) else json.dumps(value)
    return json.dumps({UNREADABLE: arguments} if arguments else {})


def names_extra_field(fault: Fault, messages: Messages) -> bool:
    """Whether a refusal is about a field of a message that is none of the chat API's."""
    extra = {field for message in messages for field in message} - _FIELDS
    # As a word of its own: a complaint of `reasoning_content` does not name `reasoning`.
    told = any(re.search(rf"\b{re.escape(field)}\b", fault.body.message) for field in extra)
    return told and fault.says(r"unsupported|unrecognized|unknown|extra inputs|extra_forbidden")


def without_extra_fields(messages: Messages) -> list[ChatMessage]:
    """The messages without what is no part of the chat API, reasoning for one."""
    return [{k: v for k, v in message.items() if k in _FIELDS} for message in messages]


def wants_reasoning(fault: Fault, messages: Messages) -> bool:
    """Whether reasoning is missed beside a tool call."""
    return any(map(_lacks_reasoning, messages)) and fault.says(
        r"reasoning_content\W.{0,80}(missing|must be|required)",
        r"(missing|requires?)\W.{0,40}reasoning_content",
    )


def with_reasoning(messages: Messages) -> list[ChatMessage]:
    """The messages with the reasoning there is, or a blank, beside each tool call."""

    def filled(message: ChatMessage) -> ChatMessage:
        reasoning = message.get("reasoning")
        text = reasoning if isinstance(reasoning, str) and reasoning else " "
        return {**message, "reasoning_content": text}

    return [filled(message) if _lacks_reasoning(message) else message for message in messages]


def _lacks_reasoning(message: ChatMessage) -> bool:
    calls = _is_assistant(message) and message.get("tool_calls")
    return bool(calls) and not message.get("reasoning_content")


def refuses_empty(fault: Fault, messages: Messages) -> bool:
    """Whether an empty content of the assistant's is refused."""
    contents = [message.get("content") for message in messages if _is_assistant(message)]
    return any(content is None or _is_empty(content) for content in contents) and fault.says(
        r"must not be empty", r"content (is|cannot be|can't be) empty", r"non-?empty content"
    )


def not_empty(messages: Messages) -> list[ChatMessage]:
    """Null for what is empty beside tool calls, a blank where null does not help."""
    some = any(_is_assistant(message) and _is_empty(message.get("content")) for message in messages)

    def filled(message: ChatMessage) -> ChatMessage:
        content = message.get("content")
        if _is_empty(content):
            return {**message, "content": None if message.get("tool_calls") else " "}
        return {**message, "content": " "} if content is None and not some else message

    return [filled(message) if _is_assistant(message) else message for message in messages]


def _is_assistant(message: ChatMessage) -> bool:
    return message.get("role") == "assistant"


def _is_empty(content: object) -> bool:
    if isinstance(content, list):
        return all(isinstance(part, dict) and part.get("text") == "" for part in content)
    return isinstance(content, str) and not content.strip(" \n") and content != " "
