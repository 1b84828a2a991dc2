"""A conversation with a model as it was sent and received, and what each call cost in time.

Messages are the raw dictionaries of the chat API. No header and no key is ever in here.
"""

from dataclasses import dataclass
from typing import Any

ChatMessage = dict[str, Any]
TEXT_TOOL_CALLS = "text-tool-calls"
"""What is noted of a call whose reply held tool calls in its text."""


def message_text(message: ChatMessage) -> str:
    """What a message says: its content, or the texts of its parts; reasoning is kept apart."""
    return _text_of(message.get("content"))


def _text_of(content: object) -> str:
    """Servers send a text, a list of texts, or parts such as `{"type": "text", "text": …}`."""
    if isinstance(content, list):
        return "".join(map(_text_of, content))
    if isinstance(content, dict):
        content = content.get("text")
    return content if isinstance(content, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Token counts as the server reports them; 0 where it reports none."""

    prompt: int = 0
    cached: int = 0
    """Of the prompt tokens, those read from a cache."""
    completion: int = 0
    reasoning: int = 0
    """Of the completion tokens, those spent on reasoning."""

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            prompt=self.prompt + other.prompt,
            cached=self.cached + other.cached,
            completion=self.completion + other.completion,
            reasoning=self.reasoning + other.reasoning,
        )

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def as_json(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one call of the chat API came back with, apart from its message."""

    finish_reason: str | None
    served_model: str | None
    tokens: Tokens | None
    """None if the server did not say."""
    latency_s: float
    """Time of the attempt that succeeded."""
    retries: int
    adaptations: tuple[str, ...] = ()
    """What was changed in the request because the server refuses it otherwise, and
    `text-tool-calls=FORM` where the calls of the reply stood in its text."""
    upstream: str | None = None
    """Who really answered, where a router says so."""
    fingerprint: str | None = None
    """The server's `system_fingerprint`."""

    def as_json(self) -> dict[str, Any]:
        """What is kept of it, by name."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        tokens = self.tokens and self.tokens.as_json()
        return {**content, "tokens": tokens, "adaptations": list(self.adaptations)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """All messages in order, and the calls that made the assistant's ones."""

    messages: tuple[ChatMessage, ...] = ()
    calls: tuple[Call, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return {"messages": list(self.messages), "calls": [call.as_json() for call in self.calls]}
