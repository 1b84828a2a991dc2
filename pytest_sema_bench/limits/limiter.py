"""The limiter that a chat client waits at, with the ledger behind it.

Within a process, calls to a server wait in line, and only the first in line asks the ledger.
"""

import asyncio
import hashlib
import heapq
from collections import defaultdict
from itertools import count

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.chat.permit import AttemptResult, Billing
from pytest_sema_bench.limits.ledger import Ask, Ledger

_POLL_S = 0.05
"""How soon a place that another process has given back is noticed."""
# A guess of what to take from the bucket; the usage in the reply sets it right. `max_tokens` in
# full would have calls wait for tokens that few replies use.
_CHARS_PER_TOKEN = 4
_USUAL_COMPLETION_TOKENS = 500


class Line:
    """Who waits for a server within this process: begun conversations first, else in order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[bool, int, asyncio.Event]] = []
        self._numbers = count()

    def join(self, *, begun: bool) -> "Turn":
        """A place in the line; it must be left."""
        turn = Turn((not begun, next(self._numbers), asyncio.Event()), self)
        heapq.heappush(self._waiting, turn.entry)
        return turn

    def is_first(self, turn: "Turn") -> bool:
        """Whether nobody goes before."""
        return self._waiting[0] is turn.entry

    def leave(self, turn: "Turn") -> None:
        """Give up a place; who is first now learns it."""
        self._waiting.remove(turn.entry)
        # Taken out of its middle, the list may be a heap no more.
        heapq.heapify(self._waiting)
        self.stir()

    def stir(self) -> None:
        """Have the first one look again."""
        if self._waiting:
            self._waiting[0][2].set()


class Turn:
    """A place in a line."""

    def __init__(self, entry: tuple[bool, int, asyncio.Event], line: Line) -> None:
        self.entry = entry
        self._line = line

    @property
    def is_first(self) -> bool:
        """Whether it is this one's turn to ask the ledger."""
        return self._line.is_first(self)

    async def wait(self, timeout_s: float | None) -> None:
        """Return when something may have changed, or after that time."""
        stirred = self.entry[2]
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
            async with asyncio.timeout(timeout_s):
                await stirred.wait()
        except TimeoutError:
            pass
        stirred.clear()


class Limiters:
    """All limiters of a process. Must be used on one event loop."""

    def __init__(self, ledger: Ledger, *, run: str, started: float) -> None:
        self.ledger = ledger
        self.run = run
        self.started = started
        self.lines: dict[str, Line] = defaultdict(Line)

    def limiter(self, model: Model, key: str | None) -> "SharedLimiter":
        """The limiter for a model behind a key."""
        return SharedLimiter(self, model, scope_of(model.base_url or "", key))


class SharedLimiter:
    """What decides when a call to one model may be sent."""

    def __init__(self, limiters: Limiters, model: Model, scope: str) -> None:
        self._limiters = limiters
        self._model = model
        self._scope = scope

    async def acquire(
        self, *, model_id: str, n_prompt_bytes: int, max_tokens: int, begun: bool = False
    ) -> "SharedPermit":
        """A permit, waiting for it. Raises NotAsked or BudgetSpent."""
        price = self._model.price
        ask = Ask(
            scope=self._scope,
            run=self._limiters.run,
            started=self._limiters.started,
            model_id=model_id,
            limits=self._model.limits,
            n_tokens=n_prompt_bytes // _CHARS_PER_TOKEN + min(max_tokens, _USUAL_COMPLETION_TOKENS),
            worst_usd=price.worst_usd(n_prompt_bytes, max_tokens) if price else None,
        )
        line = self._limiters.lines[self._scope]
        turn = line.join(begun=begun)
        try:
            while True:
                if not turn.is_first:
                    await turn.wait(None)
                    continue
                wait_s = self._limiters.ledger.enter(ask)
                if wait_s == 0.0:
                    return SharedPermit(self._limiters, self._model, ask)
                await turn.wait(_POLL_S if wait_s is None else wait_s)
        finally:
            line.leave(turn)


class SharedPermit:
    """Leave to send one attempt."""

    def __init__(self, limiters: Limiters, model: Model, ask: Ask) -> None:
        self._limiters = limiters
        self._model = model
        self._ask = ask
        self._ended = False

    def end(self, result: AttemptResult) -> None:
        """Give it back; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        self._limiters.ledger.end(self._ask, result, self._cost_usd(result))
        self._limiters.lines[self._ask.scope].stir()

    def _cost_usd(self, result: AttemptResult) -> float:
        price = self._model.price
        if price is None or result.billing is Billing.NOTHING:
            return 0.0
        if result.billing is Billing.USAGE and result.tokens is not None:
            return price.cost_usd(result.tokens)
        return self._ask.worst_usd or 0.0


def scope_of(base_url: str, key: str | None) -> str:
    """A server and key as a hash that does not give the key away."""
    return hashlib.sha256(f"{base_url}\n{key or ''}".encode()).hexdigest()[:24]
