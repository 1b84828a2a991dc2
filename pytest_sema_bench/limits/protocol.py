"""What the limiter needs of a ledger, in which all processes meet that share a key or a budget.

A ledger locks, loads a `Standing`, has the rules in `standing` settle it, and stores what came of
that. Each exchange is one transaction, however many calls it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_sema_bench.catalog.models import RateLimits
from pytest_sema_bench.chat.permit import AttemptResult
from pytest_sema_bench.errors import BudgetSpent, NotAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One attempt that wants to be sent."""

    scope: str
    """The server and key, as a hash."""
    run: str
    started: float
    """When the run began, in seconds since the epoch: older refusals do not concern it."""
    model_id: str
    limits: RateLimits
    n_tokens: int
    """Tokens that it will probably use."""
    worst_usd: float | None
    """What it can cost at most; None if the price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt that was sent and has ended."""

    ask: Ask
    result: AttemptResult
    cost_usd: float


Answer = float | None | NotAsked | BudgetSpent
"""0.0: it may go and is counted; else seconds to wait, None if not known; or why it never may."""


class Ledger(Protocol):
    """Calls in flight, refusals and money, as one process and thread sees them."""

    async def exchange(self, ended: Sequence[Ended], asks: Sequence[Ask]) -> list[Answer]:
        """The answer to each ask, once what ended is booked; all of one run and scope.

        Raises CannotWrite, and then nothing of it has happened.
        """
        ...

    def count(self, run: str, *, n_graded: int, n_void: int, n_retries: int) -> None:
        """Take note of items that ended, for people to look at."""
        ...

    def note(self, run: str, note: str) -> None:
        """Have something said to whoever watches the run, once however often it comes."""
        ...

    def stop_waiting(self) -> None:
        """Wait no longer for what is away: from now on that raises CannotWrite at once."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
