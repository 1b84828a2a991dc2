"""What a server supports, found out with as few calls as the answers need: three where all is well.

The first call offers a tool. The second goes on with that conversation as a run would: it answers
the tool call, and one with broken arguments that some model will make one day, forbids further
ones and asks for a stream. Only if it fails are its two halves tried apart. The last one is as
long as a conversation can get.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_sema_bench.chat.backoff import Patience
from pytest_sema_bench.chat.client import ChatClient
from pytest_sema_bench.chat.reply import ChatReply, reasoning_field
from pytest_sema_bench.chat.wire import Wire
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import ChatMessage, Tokens, message_text
from pytest_sema_bench.redaction import Redactor

_MAX_TOKENS = 256
_PATIENCE = Patience(reply_s=60, total_s=90, attempts=2, first_wait_s=1, longest_wait_s=10)
_TOOL = {
    "type": "function",
    "function": {
        "name": "eval_code",
        "description": "Evaluates an expression and gives its value.",
        "parameters": {
            "type": "object",
            "properties": {"code": {"type": "string", "description": "The expression."}},
            "required": ["code"],
        },
    },
}
_ASK: ChatMessage = {
    "role": "user",
    "content": "Call the tool eval_code with the code (+ 1 2), then say the value.",
}
_FORCE: ChatMessage = {"role": "user", "content": "Say the value now, without calling a tool."}
_BROKEN: list[ChatMessage] = [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_9",
                "type": "function",
                "function": {"name": "eval_code", "arguments": '{code: "(+ 1 2)"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_9", "content": "Error: the arguments are not JSON"},
]
"""What a strict server does not take back as it is."""
_FULL_S = Patience(reply_s=300, total_s=300, attempts=2, first_wait_s=1, longest_wait_s=10)
"""A machine without a GPU reads a long prompt for minutes."""
_SAY_OK: ChatMessage = {"role": "user", "content": "Say OK, and nothing else."}
_MOST_CHARS_PER_TOKEN = 6
"""English, Lisp and JSON take three to five: whoever counts fewer tokens has cut the prompt."""
_ABOUT_STREAMS = ("stream", "no-stream-options")
_Tried = ChatReply | ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What is known of a server and model; None where the calls did not tell."""

    calls_tools: bool | None
    takes_tool_choice_none: bool | None
    """False also if it takes the parameter and calls a tool nevertheless."""
    streams: bool | None
    reports_usage: bool | None
    reports_usage_streamed: bool | None
    reasoning_field: str | None
    """The field of the message that holds reasoning; None if none was seen."""
    adaptations: tuple[str, ...]
    """Those without which a run would lose a call, in the words of the registry."""
    said: str
    """Text of the first reply, in which calls may stand that the server has not read."""
    holds_full_prompt: bool | None
    """Whether a conversation of full length fits; None if that was not tried or is not known."""
    full_prompt_fault: str | None
    """Why it does not fit, or what kept that from being known."""
    served_model: str | None
    upstream: str | None
    tokens: Tokens
    """Of all calls together, as far as they were reported."""
    n_calls: int

    @property
    def entry(self) -> str:
        """The line for the model in `sema-models.yaml`; "" if it needs none."""
        return f"adapt: [{', '.join(self.adaptations)}]" if self.adaptations else ""


async def check_model(
    wire: Wire,
    model_id: str,
    *,
    redactor: Redactor,
    adapt: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
    full_prompt: str = "",
    max_tokens: int = _MAX_TOKENS,
    patience: Patience = _PATIENCE,
) -> Capabilities:
    """What this server supports for this model, with five calls at most.

    Each asks for 256 tokens, but the one with the `full_prompt`, if it is given, for `max_tokens`
    as a run would. Raises ModelError if the first is not answered, and whatever else
    the wire raises. The wire is left open.
    """
    check = _Check(wire, model_id, redactor, adapt, extra, patience)
    first = await check.ask([_ASK], "auto")
    messages = _gone_on(first.message)
    forced = streamed = await check.try_to_ask(messages, "none", stream=True)
    if isinstance(forced, ModelError):
        forced = await check.try_to_ask(messages, "none")
        streamed = await check.try_to_ask([_ASK], "auto", stream=True)
    full = await check.try_in_full(full_prompt, max_tokens) if full_prompt else None
    return _findings(check, first, forced, streamed, full, len(full_prompt))


class _Check:
    """The calls of one check."""

    def __init__(
        self,
        wire: Wire,
        model_id: str,
        redactor: Redactor,
        adapt: Sequence[str],
        extra: Mapping[str, Any] | None,
        patience: Patience,
    ) -> None:
        self.replies: list[ChatReply] = []
        self.n_calls = 0
        self._model_id = model_id

        def client(names: Sequence[str], patience: Patience) -> ChatClient:
            return ChatClient(wire, redactor=redactor, adapt=names, extra=extra, patience=patience)

        self._plain = client(adapt, patience)
        self._streamed = client([*dict.fromkeys([*adapt, "stream"])], patience)
        self._patient = client(adapt, replace(_FULL_S, first_wait_s=patience.first_wait_s))

    async def ask(
        self, messages: Sequence[ChatMessage], tool_choice: str, *, stream: bool = False
    ) -> ChatReply:
        """The reply, kept for the findings. Raises ModelError."""
        body = {
            "model": self._model_id,
            "messages": list(messages),
            "max_tokens": _MAX_TOKENS,
            "tools": [_TOOL],
            "tool_choice": tool_choice,
        }
        self.n_calls += 1
        reply = await (self._streamed if stream else self._plain).complete(body)
        self.replies.append(reply)
        return reply

    async def try_in_full(self, prompt: str, max_tokens: int) -> _Tried:
        """The reply to a long prompt, or why there is none."""
        body = {
            "model": self._model_id,
            "messages": [{"role": "system", "content": prompt}, _SAY_OK],
            "max_tokens": max_tokens,
        }
        self.n_calls += 1
        try:
            reply = await self._patient.complete(body)
        except ModelError as error:
            return error
        self.replies.append(reply)
        return reply

    async def try_to_ask(
        self, messages: Sequence[ChatMessage], tool_choice: str, *, stream: bool = False
    ) -> _Tried:
        """The reply, or why there is none."""
        try:
            return await self.ask(messages, tool_choice, stream=stream)
        except ModelError as error:
            return error


def _gone_on(message: ChatMessage) -> list[ChatMessage]:
    """The conversation after the first reply: each tool call answered, a further one forbidden."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls:
        return [_ASK, *_BROKEN, _FORCE]
    results: list[ChatMessage] = [
        {"role": "tool", "tool_call_id": call.get("id"), "content": "3"}
        for call in calls
        if isinstance(call, dict)
    ]
    return [_ASK, {"role": "assistant", **message}, *results, *_BROKEN, _FORCE]


def _findings(
    check: _Check,
    first: ChatReply,
    forced: _Tried,
    streamed: _Tried,
    full: _Tried | None,
    n_chars: int,
) -> Capabilities:
    holds, fault = _holds(full, n_chars)
    streams = [reply for reply in check.replies if reply.streamed]
    fields = (reasoning_field(reply.message) for reply in check.replies)
    return Capabilities(
        calls_tools=_calls_tools(first),
        takes_tool_choice_none=_taken(forced) and _obeys(forced),
        streams=_taken(streamed) and bool(streams),
        reports_usage=None if first.streamed else first.call.tokens is not None,
        reports_usage_streamed=any(r.call.tokens for r in streams) if streams else None,
        reasoning_field=next(filter(None, fields), None),
        adaptations=_needed(check, first, forced),
        said=message_text(first.message),
        holds_full_prompt=holds,
        full_prompt_fault=fault,
        served_model=first.call.served_model,
        upstream=first.call.upstream,
        tokens=sum((r.call.tokens for r in check.replies if r.call.tokens), Tokens()),
        n_calls=check.n_calls,
    )


def _holds(full: _Tried | None, n_chars: int) -> tuple[bool | None, str | None]:
    """Whether the server took a prompt of so many characters, and why not."""
    if isinstance(full, ModelError):
        return _taken(full), str(full)
    if full is None or full.call.tokens is None:
        return None, None
    n_tokens = full.call.tokens.prompt
    if n_tokens * _MOST_CHARS_PER_TOKEN >= n_chars:
        return True, None
    return False, f"of a prompt of {n_chars:,} characters the server read {n_tokens:,} tokens"


def _calls_tools(first: ChatReply) -> bool | None:
    """Not known where the tokens were spent before there was a call."""
    if first.message.get("tool_calls"):
        return True
    return None if first.call.finish_reason in ("length", "max_tokens") else False


def _taken(outcome: _Tried) -> bool | None:
    """Whether a request was answered; None where something else than a refusal came between."""
    if isinstance(outcome, ChatReply):
        return True
    return False if outcome.status in (400, 404, 413, 422) else None


def _obeys(forced: _Tried) -> bool:
    if not isinstance(forced, ChatReply):
        return False
    return "no-tool-choice" not in forced.call.adaptations and not _strays(forced)


def _strays(forced: _Tried) -> bool:
    return isinstance(forced, ChatReply) and bool(forced.message.get("tool_calls"))


def _needed(check: _Check, first: ChatReply, forced: _Tried) -> tuple[str, ...]:
    """What was adapted, without the streaming that only this check asked for."""
    names = dict.fromkeys(name for reply in check.replies for name in reply.call.adaptations)
    if "stream" not in first.call.adaptations:
        names = {name: None for name in names if name not in _ABOUT_STREAMS}
    if _strays(forced):
        names["no-tool-choice"] = None
    return tuple(names)
