"""What a wire brings back, whatever carries it, and the wire to a function of this process."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Why(Enum):
    """What keeps a server from being reached, as far as that tells how often to try."""

    LOST = "it may be there the next time"
    REFUSED = "nothing listens there"
    UNRESOLVED = "there is no host of that name"


class Unreachable(Exception):
    """No whole answer came. `sent` is False where the server cannot have seen the request."""

    def __init__(self, text: str, *, sent: bool, why: Why = Why.LOST) -> None:
        super().__init__(text)
        self.sent = sent
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """What came back for one request, unread."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""
    payload: bytes


class Wire(Protocol):
    """What carries a request to a server and brings the response back."""

    @property
    def path(self) -> str:
        """Path of the requests' URL."""
        ...

    @property
    def place(self) -> str:
        """Where requests go, as errors name it: host, port and path."""
        ...

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The response to one request. Raises Unreachable."""
        ...

    def end(self, conversation: str) -> None:
        """Free what is remembered of a conversation that is over."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class LocalWire:
    """Answers with a function of this process: the wire format without the wire."""

    path = "/chat/completions"
    place = f"reference.invalid{path}"

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The function's answer to the request's JSON body."""
        answer = self._answer(json.loads(content))
        return RawResponse(status=200, payload=json.dumps(answer).encode())

    def end(self, conversation: str) -> None:
        """Nothing to free."""

    async def close(self) -> None:
        """Nothing to close."""
