"""The limiter that a chat client waits at, with the ledger behind it.

Within a process, calls to a server wait in line. What has ended and who is first in line is told
to the ledger in one exchange: at once where somebody waits, else a little later with what comes.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.chat.permit import AttemptResult, Billing
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.limits.protocol import Answer, Ask, Ended, Ledger

_POLL_S = 0.05
"""How soon a place that another process has given back is noticed."""
_LATER_S = 0.01
"""So long an end waits for the next call of its conversation, to share its exchange."""
# A guess of what to take from the bucket; the usage in the reply sets it right. `max_tokens` in
# full would have calls wait for tokens that few replies use.
_CHARS_PER_TOKEN = 4
_USUAL_COMPLETION_TOKENS = 500


class Turn(NamedTuple):
    """A place in a line: begun conversations first, else in order."""

    is_new: bool
    number: int
    ask: Ask
    answer: "asyncio.Future[None]"
    """Done once the call may go; its exception says why it never may."""


class Line:
    """The calls of a process to one server, and the exchanges with the ledger about them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: dict[int, Turn] = {}
        self._ended: list[Ended] = []
        self._numbers = count()
        self._planned: asyncio.TimerHandle | None = None
        self._exchanging: asyncio.Task[None] | None = None
        self._is_behind = False
        """Whether more has come since the exchange that is under way began."""

    async def enter(self, ask: Ask, *, begun: bool) -> None:
        """Return when the attempt may go. Raises NotAsked, BudgetSpent or CannotWrite."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        self._waiting[number] = Turn(not begun, number, ask, answer)
        self._plan(0.0)
        try:
            await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._give_back(ask)
            raise
        finally:
            del self._waiting[number]

    def end(self, ended: Ended) -> None:
        """Have an end booked."""
        self._ended.append(ended)
        self._plan(0.0 if self._waiting else _LATER_S)

    async def settle(self) -> None:
        """Book what has ended, as far as the ledger takes it."""
        if self._planned is not None:
            self._planned.cancel()
        if self._exchanging is not None:
            await self._exchanging
        await self._exchange(())

    def _give_back(self, ask: Ask) -> None:
        """It was let go and will not be sent."""
        self.end(Ended(ask=ask, result=AttemptResult(billing=Billing.NOTHING), cost_usd=0.0))

    def _plan(self, delay_s: float) -> None:
        """Turn to the ledger after that time, or sooner if that is planned already."""
        loop = asyncio.get_running_loop()
        if self._planned is not None:
            if self._planned.when() <= loop.time() + delay_s:
                return
            self._planned.cancel()
        self._planned = loop.call_later(delay_s, self._begin)

    def _begin(self) -> None:
        self._planned = None
        if self._exchanging is None:
            self._exchanging = asyncio.create_task(self._turn_to_ledger())
        else:
            self._is_behind = True

    async def _turn_to_ledger(self) -> None:
        try:
            await self._exchange(sorted(t for t in self._waiting.values() if not t.answer.done()))
        finally:
            self._exchanging = None
            if self._is_behind:
                self._is_behind = False
                self._plan(0.0)

    async def _exchange(self, turns: Iterable[Turn]) -> None:
        turns, ended = tuple(turns), self._ended
        if not turns and not ended:
            return
        self._ended = []
        try:
            answers = await self._ledger.exchange(ended, [turn.ask for turn in turns])
        except Exception as error:  # whatever it is, who waits must hear of it
            self._ended = [*ended, *self._ended]
            for turn in turns:
                if not turn.answer.done():
                    turn.answer.set_exception(error)
            return
        for turn, answer in zip(turns, answers, strict=True):
            self._tell(turn, answer)

    def _tell(self, turn: Turn, answer: Answer) -> None:
        if turn.answer.done():  # it was cancelled meanwhile
            if answer == 0.0:
                self._give_back(turn.ask)
        elif isinstance(answer, BenchError):
            turn.answer.set_exception(answer)
        elif answer == 0.0:
            turn.answer.set_result(None)
        else:
            self._plan(_POLL_S if answer is None else answer)


class Limiters:
    """All limiters of a process. Must be used on one event loop."""

    def __init__(self, ledger: Ledger, *, run: str, started: float) -> None:
        self.run = run
        self.started = started
        self._ledger = ledger
        self._lines: dict[str, Line] = {}

    def limiter(self, model: Model, key: str | None) -> "SharedLimiter":
        """The limiter for a model behind a key."""
        scope = scope_of(model.base_url or "", key)
        line = self._lines.setdefault(scope, Line(self._ledger))
        return SharedLimiter(self, model, scope, line)

    async def close(self) -> None:
        """Book all that has ended."""
        for line in self._lines.values():
            await line.settle()


class SharedLimiter:
    """What decides when a call to one model may be sent."""

    def __init__(self, limiters: Limiters, model: Model, scope: str, line: Line) -> None:
        self._limiters = limiters
        self._model = model
        self._scope = scope
        self._line = line

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
        await self._line.enter(ask, begun=begun)
        return SharedPermit(self._line, self._model, ask)


class SharedPermit:
    """Leave to send one attempt."""

    def __init__(self, line: Line, model: Model, ask: Ask) -> None:
        self._line = line
        self._model = model
        self._ask = ask
        self._ended = False

    def end(self, result: AttemptResult) -> None:
        """Give it back; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        cost_usd = self._cost_usd(result)
        self._line.end(Ended(ask=self._ask, result=result, cost_usd=cost_usd))

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
