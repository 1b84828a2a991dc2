"""Leave to send a request: what the client needs of a limiter. `limits` provides it.

A client asks for a permit before each attempt and gives it back with what came of it, so that
concurrency, rate limits, the circuit breaker and the budget see every request, retries too.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import Tokens


class Billing(Enum):
    """What an attempt is taken to have cost."""

    USAGE = "what the reply's usage says"
    NOTHING = "the server refused it"
    UNKNOWN = "it was sent and nobody knows what came of it: its worst case"


class Reach(Enum):
    """What the failure of a request holds for."""

    PASSES = "nothing: the same request may succeed later"
    REQUEST = "this request"
    MODEL = "every request for this model"
    KEY = "every request with this key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a server's headers say is left in the present window."""

    n_requests: float | None = None
    n_tokens: float | None = None
    reset_s: float | None = None
    """Seconds until the window ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """How an attempt ended."""

    billing: Billing
    tokens: Tokens | None = None
    """Of a reply with usage; None otherwise."""
    answered: bool = False
    """A reply came that was taken."""
    throttled: bool = False
    """The server asked for fewer calls (429, or its own way of saying so)."""
    wait_s: float | None = None
    """How long the server asked to wait."""
    refusal: tuple[Reach, ModelError] | None = None
    """For a model or key, what the server said: nothing that this holds for needs to be sent."""
    gave_up: bool = False
    """The last attempt of a call that failed after all its retries."""
    quota: Quota | None = None
    trouble: str | None = None
    """Why no reply came that was taken."""


class Permit(Protocol):
    """Leave to send one attempt."""

    def end(self, result: AttemptResult) -> None:
        """Give it back. Must be called once, whatever happens; later calls do nothing."""
        ...


class Limiter(Protocol):
    """Who decides when an attempt may be sent."""

    async def acquire(
        self, *, model_id: str, n_prompt_bytes: int, max_tokens: int, begun: bool = False
    ) -> Permit:
        """A permit, waiting for it. Raises NotAsked or BudgetSpent.

        `begun` says that the conversation had a reply already: it goes before new ones, so that
        what was paid for comes to its end.
        """
        ...


class _FreePermit:
    def end(self, result: AttemptResult) -> None:
        pass


class Unlimited:
    """Lets every attempt pass: for the reference model and for replays."""

    async def acquire(
        self, *, model_id: str, n_prompt_bytes: int, max_tokens: int, begun: bool = False
    ) -> Permit:
        """A permit, at once."""
        return _FreePermit()
