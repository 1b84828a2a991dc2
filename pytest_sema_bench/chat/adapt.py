"""Changes to a request that some server insists on: a closed table of named adaptations.

A refusal that says what it refuses picks one; it is applied once, told to the log, and kept for
this client and model. The registry can name adaptations that hold from the start, a bound in the
form `fewer-max-tokens=8192`.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.chat import history
from pytest_sema_bench.chat.error_body import excerpt
from pytest_sema_bench.chat.faults import Fault
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.transcript import ChatMessage

Body = dict[str, Any]

_REFUSED = frozenset({400, 404, 422})
"""Statuses with which servers refuse a parameter: OpenRouter 404 for one that no upstream takes,
FastAPI servers 422 for one that they do not know."""

_log = logging.getLogger("pytest_sema_bench.chat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """One change, and the refusals that call for it."""

    name: str
    fits: Callable[[Fault, Body], bool]
    apply: Callable[[Body, int | None], Body]
    bound: Callable[[Fault, Body], int] | None = None
    """Of an adaptation with a number: the number that the refusal names."""
    statuses: frozenset[int] = _REFUSED
    """With which it is refused what this changes."""
    guess: bool = False
    """Many things are refused in the same words: the last to be tried, dropped if no help."""


def _names(fault: Fault, field: str, pattern: str | None = None) -> bool:
    """Whether a refusal is about a field of the request: as its `param`, else in its words."""
    if fault.body.param:
        return re.split(r"[.\[]", fault.body.param)[0] == field
    return fault.says(pattern or rf"\b{field}\b")


def _without(*names: str) -> Callable[[Body, int | None], Body]:
    return lambda body, _: {name: value for name, value in body.items() if name not in names}


def _refused(field: str, pattern: str | None = None) -> Callable[[Fault, Body], bool]:
    return lambda fault, body: field in body and _names(fault, field, pattern)


def _wants_stream(fault: Fault, body: Body) -> bool:
    return body.get("stream") is not True and fault.says(
        r"must have stream ?= ?true",
        r"enable_thinking.{0,40}non-?stream",
        r"only supports? (the )?stream",
        r"stream(ing)? (mode )?is required",
    )


def _streamed(body: Body, _: int | None) -> Body:
    return {**body, "stream": True, "stream_options": {"include_usage": True}}


def _wants_other_name(fault: Fault, body: Body) -> bool:
    return "max_tokens" in body and fault.says(
        r"use '?max_completion_tokens", r"'?max_tokens'? is not supported"
    )


def _renamed(body: Body, _: int | None) -> Body:
    body = dict(body)
    if "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    return body


# `max_tokens must be at most 8192`, `max_tokens: 100000 > 8192`, `max_tokens should be [1,8192]`:
# the number behind the words of a bound, never the one that was sent.
_BOUND = re.compile(
    r"max_(?:completion_|output_|new_)?tokens\b.{0,120}?"
    r"(?:at most|up to|less than or equal to|<=|>|maximum(?: value)?(?: is| of|:)?"
    r"|(?:range of max_tokens is|should be) \[\d+,)\s*[`'\"]?(\d[\d,]*)",
    re.IGNORECASE | re.DOTALL,
)
_MAX_TOKENS = ("max_tokens", "max_completion_tokens")


def _named_bound(fault: Fault, _: Body) -> int:
    """The bound in a refusal; 0 if there is none.

    A full context is no bound of the model's: it depends on the prompt.
    """
    if fault.says(r"context length"):
        return 0
    found = fault.body.search(_BOUND)
    return int(found[1].replace(",", "")) if found else 0


def _over_bound(fault: Fault, body: Body) -> bool:
    wanted = max_tokens(body)
    return wanted is not None and 0 < _named_bound(fault, body) < wanted


def _bounded(body: Body, bound: int | None) -> Body:
    fewer = {
        name: min(body[name], bound)
        for name in _MAX_TOKENS
        if bound is not None and isinstance(body.get(name), int)
    }
    return {**body, **fewer}


def _untooled(body: Body, _: int | None) -> Body:
    forced = body.get("tool_choice") == "none"
    return _without("tool_choice", *(["tools"] if forced else []))(body, None)


def _sent(
    fits: Callable[[Fault, history.Messages], bool],
) -> Callable[[Fault, Body], bool]:
    """A refusal that depends on the messages alone."""
    return lambda fault, body: fits(fault, body["messages"])


def _changed(
    change: Callable[[history.Messages], list[ChatMessage]],
) -> Callable[[Body, int | None], Body]:
    """A change of the messages alone."""
    return lambda body, _: {**body, "messages": change(body["messages"])}


TABLE = (
    # Fireworks: 400 "Requests with max_tokens > 4096 must have stream=true" (nullclaw/nullclaw#231,
    # UKGovernmentBEIS/inspect_ai#3029). Qwen with thinking on: "parameter.enable_thinking must be
    # set to false for non-streaming calls" (langchain4j/langchain4j#3974). Alibaba's qwq: "This
    # model only support stream mode" (infiniflow/ragflow#5912).
    Adaptation(name="stream", fits=_wants_stream, apply=_streamed),
    # "Unknown parameter: 'stream_options'" (QuantumNous/new-api#418), "Extra inputs are not
    # permitted" (modelscope/ms-agent#489, anomalyco/opencode#31156).
    Adaptation(
        name="no-stream-options",
        fits=_refused("stream_options"),
        apply=_without("stream_options"),
    ),
    # OpenAI: "Unsupported parameter: 'max_tokens' is not supported with this model. Use
    # 'max_completion_tokens' instead." (microsoft/vscode-copilot-release#9954)
    Adaptation(name="max-completion-tokens", fits=_wants_other_name, apply=_renamed),
    # OpenAI: "max_tokens is too large: 6000. This model supports at most 4096 completion tokens"
    # (diffbot/code-gpt-docs#284). DeepSeek: "the valid range of max_tokens is [1, 8192]"
    # (deepseek-ai/DeepSeek-V3#69). Groq: "must be less than or equal to". Anthropic:
    # "max_tokens: 9000 > 8192, which is the maximum".
    Adaptation(name="fewer-max-tokens", fits=_over_bound, apply=_bounded, bound=_named_bound),
    # OpenAI: "Unrecognized request argument supplied: reasoning_effort"
    # (davidmigloz/langchain_dart#712). xAI: "does not support parameter reasoningEffort"
    # (NousResearch/hermes-agent#23088).
    Adaptation(
        name="no-reasoning-effort",
        fits=_refused("reasoning_effort", r"reasoning[_. ]?effort"),
        apply=_without("reasoning_effort"),
    ),
    # Anthropic: "`temperature` and `top_p` cannot both be specified": top_p goes first, for the
    # temperature is what a configuration is more likely to be about.
    Adaptation(name="no-top-p", fits=_refused("top_p"), apply=_without("top_p")),
    # OpenAI: "'temperature' does not support 0 with this model. Only the default (1) value is
    # supported." (gabrii/Cursor-Azure-GPT-5#33); Moonshot fixes it while it thinks.
    Adaptation(name="no-temperature", fits=_refused("temperature"), apply=_without("temperature")),
    # OpenRouter: 404 "No endpoints found that support the provided 'tool_choice' value"
    # (zed-industries/zed#36094). DeepSeek: "does not support this tool_choice".
    Adaptation(name="no-tool-choice", fits=_refused("tool_choice"), apply=_untooled),
    # Arguments that are no JSON: vLLM 400 "Expecting ',' delimiter: line 1 column 54"
    # (vllm-project/vllm#43995), llama.cpp 500 "Failed to parse tool call arguments as JSON"
    # (ggml-org/llama.cpp#25510). Arguments that are no text: 400 "Input should be a valid string"
    # (bytedance/deer-flow#4445). The null that llama-cpp-python sends as content: 500, the same.
    Adaptation(
        name="tidy-history",
        fits=_sent(history.is_refused),
        apply=_changed(history.tidied),
        statuses=frozenset({400, 422, 500}),
        guess=True,
    ),
    # Groq: "property 'reasoning' is unsupported"; Mistral and Cerebras: "Extra inputs are not
    # permitted".
    Adaptation(
        name="no-extra-fields",
        fits=_sent(history.names_extra_field),
        apply=_changed(history.without_extra_fields),
    ),
    # Moonshot: "thinking is enabled but reasoning_content is missing in assistant tool call
    # message" (continuedev/continue#11527); DeepSeek: "The `reasoning_content` in the thinking
    # mode must be passed back" (continuedev/continue#9831). A blank, because Moonshot takes an
    # empty text for a missing one (earendil-works/pi#4178).
    Adaptation(
        name="fill-reasoning",
        fits=_sent(history.wants_reasoning),
        apply=_changed(history.with_reasoning),
    ),
    # Moonshot: "the message at position 4 with role 'assistant' must not be empty"
    # (lobehub/lobehub#8419), "text content is empty" (BerriAI/litellm#42186).
    Adaptation(
        name="no-empty-content",
        fits=_sent(history.refuses_empty),
        apply=_changed(history.not_empty),
    ),
)
"""In the order in which they are applied."""
BY_NAME = {adaptation.name: adaptation for adaptation in TABLE}
ADAPTABLE = frozenset().union(*(adaptation.statuses for adaptation in TABLE))


class Adaptations:
    """What is in force for each model behind one client.

    With `apart`, each conversation learns for itself and nothing from the others.
    """

    def __init__(self, from_the_start: Sequence[str] = (), *, apart: bool = False) -> None:
        self._always = dict(map(_parse, from_the_start))
        self._apart = apart
        # By conversation ("" for all together), then by model id.
        self._learned: dict[str, dict[str, dict[str, int | None]]] = {}

    def apply(self, body: Body, conversation: str | None = None) -> tuple[Body, tuple[str, ...]]:
        """The body as this server wants it, and what was done to it."""
        in_force = {**self._always, **self._of(body, conversation)}
        labels = []
        for name, adaptation in BY_NAME.items():
            if name not in in_force:
                continue
            adapted = adaptation.apply(body, in_force[name])
            if adapted != body:
                labels.append(_label(name, in_force[name]))
            body = adapted
        return body, tuple(labels)

    def learn(
        self, fault: Fault, sent: Body, labels: Sequence[str], conversation: str | None = None
    ) -> bool:
        """Whether a refusal of `sent` calls for an adaptation that was not in it; it is then."""
        used = {label.partition("=")[0] for label in labels}
        learned = self._of(sent, conversation)
        for adaptation in sorted(TABLE, key=lambda adaptation: adaptation.guess):
            fits = fault.status in adaptation.statuses and adaptation.fits(fault, sent)
            if fits and adaptation.name not in used:
                bound = adaptation.bound(fault, sent) if adaptation.bound else None
                _remember(learned, sent, adaptation.name, bound, fault)
                return True
        for name in used:
            if fault.vague and BY_NAME[name].guess:
                learned.pop(name, None)
        return False

    def forget(self, conversation: str) -> None:
        """Free what only this conversation has learned."""
        self._learned.pop(conversation, None)

    def _of(self, body: Body, conversation: str | None) -> dict[str, int | None]:
        """What was learned for the body's model, where new things are added."""
        by_model = self._learned.setdefault((conversation or "") if self._apart else "", {})
        return by_model.setdefault(str(body.get("model")), {})


def _remember(
    learned: dict[str, int | None], sent: Body, name: str, bound: int | None, fault: Fault
) -> None:
    if name not in learned:
        _log.info(
            "%s: %s from now on, for the server says: %s",
            excerpt(str(sent.get("model"))),
            _label(name, bound),
            excerpt(fault.body.message),
        )
    learned[name] = bound


def max_tokens(body: Body) -> int | None:
    """The most tokens that a body asks for, by either name; None if it says none."""
    found = (body.get(name) for name in _MAX_TOKENS)
    return next((value for value in found if isinstance(value, int)), None)


def _label(name: str, bound: int | None) -> str:
    return name if bound is None else f"{name}={bound}"


def _parse(label: str) -> tuple[str, int | None]:
    name, separator, bound = label.partition("=")
    known = BY_NAME.get(name)
    wanted = known is not None and known.bound is not None
    if known is None or bool(separator) != wanted or (wanted and not bound.isdecimal()):
        names = ", ".join(f"{a.name}=NUMBER" if a.bound else a.name for a in TABLE)
        raise SettingsError(f"adapt: unknown adaptation {label!r}; there are {names}")
    return name, int(bound) if wanted else None
