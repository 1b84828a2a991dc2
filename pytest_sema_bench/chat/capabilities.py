"""What a server supports, found out with as few calls as the answers need: two where all is well.

The first call offers a tool. The second goes on with that conversation as a run would: it answers
the tool call, forbids further ones and asks for a stream. Only if it fails are its two halves
tried apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.chat.backoff import Patience
from pytest_sema_bench.chat.cassette import Wire
from pytest_sema_bench.chat.client import ChatClient
from pytest_sema_bench.chat.reply import ChatReply, reasoning_field
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import ChatMessage, Tokens
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
_ABOUT_STREAMS = ("stream", "no-stream-options")
_Tried = ChatReply | ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
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
    patience: Patience = _PATIENCE,
) -> Findings:
    """What this server supports for this model, with four calls at most.

    Each asks for 256 tokens. Raises ModelError if the first is not answered, and whatever else
    the wire raises. The wire is left open.
    """
    check = _Check(wire, model_id, redactor, adapt, extra, patience)
    first = await check.ask([_ASK], "auto")
    messages = _gone_on(first.message)
    forced = streamed = await check.try_to_ask(messages, "none", stream=True)
    if isinstance(forced, ModelError):
        forced = await check.try_to_ask(messages, "none")
        streamed = await check.try_to_ask([_ASK], "auto", stream=True)
    return _findings(check, first, forced, streamed)


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

        def client(names: Sequence[str]) -> ChatClient:
            return ChatClient(wire, redactor=redactor, adapt=names, extra=extra, patience=patience)

        self._plain = client(adapt)
        self._streamed = client([*dict.fromkeys([*adapt, "stream"])])

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
        return [_ASK]
    results: list[ChatMessage] = [
        {"role": "tool", "tool_call_id": call.get("id"), "content": "3"}
        for call in calls
        if isinstance(call, dict)
    ]
    return [_ASK, {"role": "assistant", **message}, *results, _FORCE]


def _findings(check: _Check, first: ChatReply, forced: _Tried, streamed: _Tried) -> Findings:
    streams = [reply for reply in check.replies if reply.streamed]
    fields = (reasoning_field(reply.message) for reply in check.replies)
    return Findings(
        calls_tools=_calls_tools(first),
        takes_tool_choice_none=_taken(forced) and _obeys(forced),
        streams=_taken(streamed) and bool(streams),
        reports_usage=None if first.streamed else first.call.tokens is not None,
        reports_usage_streamed=any(r.call.tokens for r in streams) if streams else None,
        reasoning_field=next(filter(None, fields), None),
        adaptations=_needed(check, first, forced),
        served_model=first.call.served_model,
        upstream=first.call.upstream,
        tokens=sum((r.call.tokens for r in check.replies if r.call.tokens), Tokens()),
        n_calls=check.n_calls,
    )


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
