"""A reply read from the text of a response: message, usage and facts, nothing normalised."""

import json
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.chat.error_body import excerpt
from pytest_sema_bench.chat.faults import Fault, error_inside
from pytest_sema_bench.chat.stream import CutOff, is_stream, read_stream
from pytest_sema_bench.records.transcript import Call, ChatMessage, Tokens, message_text
from pytest_sema_bench.redaction import Redactor

REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Where servers put reasoning: DeepSeek, Moonshot, Fireworks and older vLLM; OpenRouter, Ollama
and newer vLLM (vllm-project/vllm#27572); OpenRouter; a few local servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """The assistant's message as it came, and what the call was like."""

    message: ChatMessage
    call: Call
    streamed: bool = False


def read_reply(text: str, redactor: Redactor, latency_s: float) -> ChatReply:
    """The reply in a body with status 200, its keys removed. Raises Fault if there is none."""
    streamed = is_stream(text)
    data = _read_streamed(text, redactor) if streamed else _read_whole(text)
    if not isinstance(data, dict):
        raise _unreadable(text, None)
    tokens = read_tokens(data.get("usage"))
    _raise_error_inside(data, text, tokens)
    try:
        choice = data["choices"][0]
        message = choice["message"]
    except (TypeError, KeyError, IndexError):
        raise _unreadable(text, tokens) from None
    if not isinstance(message, dict):
        raise _unreadable(text, tokens)
    call = Call(
        finish_reason=_string(choice.get("finish_reason")),
        served_model=_string(data.get("model")),
        tokens=tokens,
        latency_s=round(latency_s, 4),
        retries=0,
        upstream=_string(data.get("provider")),
        fingerprint=_string(data.get("system_fingerprint")),
    )
    return ChatReply(message=message, call=call, streamed=streamed)


def cleaned(text: str, redactor: Redactor) -> str:
    """The body of a response without keys, also those whose letters JSON has escaped."""
    text = redactor.clean(text)
    if "\\u" not in text:
        return text
    try:
        return redactor.clean(json.dumps(json.loads(text)))
    except (ValueError, RecursionError):
        return text


def doubt(reply: ChatReply) -> str | None:
    """Why a reply may be the server's failure rather than the model's doing; None if nothing is.

    A message with nothing at all in it, unless the token limit ended it; a turn that ends for
    tool calls and has none, as vLLM sends when its parser loses them (vllm-project/vllm#53255).
    A message that holds reasoning and no answer is the model's own doing.
    """
    message, reason = reply.message, reply.call.finish_reason
    if reason in ("length", "max_tokens") or message.get("tool_calls"):
        return None
    has_text = bool(message_text(message).strip())
    if reason == "tool_calls" and (message.get("tool_calls") == [] or not has_text):
        return "the reply ends for tool calls and holds none"
    others = ("refusal", "function_call", "audio", *REASONING_FIELDS)
    if has_text or any(message.get(name) for name in others):
        return None
    return "the reply is an empty message"


def reasoning_field(message: ChatMessage) -> str | None:
    """The field in which a message has its reasoning; None if it has none."""
    return next((name for name in REASONING_FIELDS if message.get(name)), None)


def read_tokens(usage: object) -> Tokens | None:
    """The counts of a usage object; None if there is no such thing or it counts nothing."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if not prompt and not completion:
        return None
    # DeepSeek has a field of its own for cache hits (api-docs.deepseek.com/guides/kv_cache).
    cached = _count(usage, "prompt_tokens_details", "cached_tokens")
    cached = cached or _count(usage, "prompt_cache_hit_tokens")
    return Tokens(
        prompt=prompt or 0,
        # A proxy may count cached tokens apart from the prompt's.
        cached=min(cached or 0, prompt or 0),
        completion=completion or 0,
        reasoning=_count(usage, "completion_tokens_details", "reasoning_tokens") or 0,
    )


def _read_whole(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable(text, None) from None


def _read_streamed(text: str, redactor: Redactor) -> Any:
    try:
        # A key that came in pieces is whole only now.
        return json.loads(redactor.clean(json.dumps(read_stream(text))))
    except CutOff as cut:
        usage = read_tokens(cut.usage)
        raise Fault(excerpt(str(cut)), status=200, tokens=usage) from None
    except RecursionError:
        raise _unreadable(text, None) from None


def _unreadable(text: str, tokens: Tokens | None) -> Fault:
    shown = excerpt(text) or "(nothing)"
    return Fault(f"the reply is not a chat completion: {shown}", status=200, tokens=tokens)


def _raise_error_inside(data: dict[str, Any], text: str, tokens: Tokens | None) -> None:
    if data.get("error"):
        raise error_inside(data["error"], text, tokens)
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict) and (choice.get("error") or choice.get("finish_reason") == "error"):
        raise error_inside(choice.get("error"), text, tokens)
    # vLLM's form, in which the body is the error object.
    if not choices and data.get("object") == "error":
        raise error_inside(data, text, tokens)


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(usage: dict[str, Any], *path: str) -> int | None:
    value: object = usage
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and isinstance(value, int) and value >= 0 else None
