"""The limiter that a chat client waits at, with a real ledger behind it."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import TypeVar

import pytest

from pytest_sema_bench.catalog.models import Model, Price, RateLimits
from pytest_sema_bench.chat.permit import AttemptResult, Billing, Reach
from pytest_sema_bench.errors import BudgetSpent, ModelError, NotAsked
from pytest_sema_bench.limits import Limiters, SqliteLedger
from pytest_sema_bench.limits.limiter import SharedLimiter, SharedPermit, scope_of
from pytest_sema_bench.limits.protocol import Answer, Ask, Ended
from pytest_sema_bench.records.transcript import Tokens

T = TypeVar("T")
PRICE = Price(input_usd=2_000_000.0, output_usd=1_000_000.0)
"""A dollar for each byte of the prompt (half a token) and each token of the reply."""
URL = "http://127.0.0.1:1/v1"
USED = AttemptResult(
    billing=Billing.USAGE, answered=True, tokens=Tokens(prompt=1, completion=3, cached=0)
)


class CountingLedger(SqliteLedger):
    """A ledger that counts its transactions."""

    n_exchanges = 0

    async def exchange(self, ended: Sequence[Ended], asks: Sequence[Ask]) -> list[Answer]:
        """See SqliteLedger.exchange."""
        self.n_exchanges += 1
        return await super().exchange(ended, asks)


@pytest.fixture
def ledger() -> Iterator[CountingLedger]:
    """A ledger of this test alone, with a run of a cap of $20."""
    ledger = CountingLedger(":memory:")
    ledger.start_run("r", cap_usd=20.0, spent_usd=0.0)
    yield ledger
    ledger.close()


def make_limiter(
    ledger: CountingLedger, price: Price | None = PRICE, n_at_once: int | None = None
) -> SharedLimiter:
    """A limiter of the run for one model."""
    model = Model(
        name="m",
        id="m",
        provider="p",
        base_url=URL,
        price=price,
        limits=RateLimits(concurrency=n_at_once),
    )
    return Limiters(ledger, run="r", started=0.0).limiter(model, "key")


async def acquire(limiter: SharedLimiter, n_bytes: int = 4, max_tokens: int = 6) -> SharedPermit:
    """A permit for a call of at most $10."""
    return await limiter.acquire(model_id="m", n_prompt_bytes=n_bytes, max_tokens=max_tokens)


def spent_usd(ledger: CountingLedger) -> float:
    """What the run has spent."""
    state = ledger.book.state("r")
    assert state is not None
    assert state.in_flight == 0
    return state.spent_usd


def run(work: Coroutine[None, None, T]) -> T:
    """What comes of it, once all that ended in it is booked."""

    async def all_of_it() -> T:
        result = await work
        await asyncio.sleep(0.05)
        return result

    return asyncio.run(all_of_it())


BILLS = {
    "usage": (USED, 5.0),
    "nothing": (AttemptResult(billing=Billing.NOTHING), 0.0),
    "unknown": (AttemptResult(billing=Billing.UNKNOWN), 10.0),
    "usage that is not there": (AttemptResult(billing=Billing.USAGE), 10.0),
}


@pytest.mark.parametrize("name", BILLS)
def test_an_attempt_is_billed_by_how_it_ended(ledger: CountingLedger, name: str) -> None:
    """As its usage says, not at all, or at its worst; and only once."""
    result, expected_usd = BILLS[name]

    async def use() -> None:
        permit = await acquire(make_limiter(ledger))
        permit.end(result)
        permit.end(AttemptResult(billing=Billing.UNKNOWN))

    run(use())
    assert spent_usd(ledger) == expected_usd


def test_who_waits_for_room_goes_when_a_call_has_cost_less_than_feared(
    ledger: CountingLedger,
) -> None:
    """Two calls of $10 fit under $20; the third needs one of them to end."""

    async def use() -> None:
        limiter = make_limiter(ledger)
        first, _ = await acquire(limiter), await acquire(limiter)
        third = asyncio.create_task(acquire(limiter))
        await asyncio.sleep(0)
        assert not third.done()
        first.end(AttemptResult(billing=Billing.NOTHING))
        (await third).end(USED)

    run(use())


def test_who_waits_in_vain_is_told(ledger: CountingLedger) -> None:
    """Once the calls in flight have used the room up, the waiting one is refused."""

    async def use() -> None:
        limiter = make_limiter(ledger)
        permits = [await acquire(limiter), await acquire(limiter)]
        third = asyncio.create_task(acquire(limiter))
        await asyncio.sleep(0)
        for permit in permits:
            permit.end(AttemptResult(billing=Billing.UNKNOWN))
        with pytest.raises(BudgetSpent):
            await third

    run(use())


def test_who_is_cancelled_while_waiting_holds_nothing(ledger: CountingLedger) -> None:
    """The next in line goes on."""

    async def use() -> None:
        limiter = make_limiter(ledger, n_at_once=1)
        first = await acquire(limiter)
        second, third = (asyncio.create_task(acquire(limiter)) for _ in range(2))
        await asyncio.sleep(0)
        second.cancel()
        first.end(USED)
        (await third).end(USED)
        assert second.cancelled()

    run(use())
    assert spent_usd(ledger) == 10.0


def test_who_is_cancelled_as_it_is_let_go_holds_nothing(ledger: CountingLedger) -> None:
    """What it was given is given back, at no cost."""

    async def use() -> None:
        call = asyncio.create_task(acquire(make_limiter(ledger)))
        while not ledger.n_exchanges:
            await asyncio.sleep(0)
        assert not call.done()
        call.cancel()

    run(use())
    assert spent_usd(ledger) == 0.0


def test_calls_that_come_together_share_an_exchange(ledger: CountingLedger) -> None:
    """An end waits a moment for the next call, and both are one transaction."""

    async def use() -> None:
        limiter = make_limiter(ledger, price=None)
        for _ in range(5):
            for permit in await asyncio.gather(*(acquire(limiter) for _ in range(10))):
                permit.end(USED)

    run(use())
    assert ledger.n_exchanges == 6
    assert spent_usd(ledger) == 0.0


def test_a_refusal_reaches_who_is_waiting(ledger: CountingLedger) -> None:
    """Those in line when a key is refused are not sent."""

    async def use() -> None:
        limiter = make_limiter(ledger, n_at_once=1)
        first = await acquire(limiter)
        waiting = [asyncio.create_task(acquire(limiter)) for _ in range(3)]
        await asyncio.sleep(0)
        refusal = (Reach.KEY, ModelError("no"))
        first.end(AttemptResult(billing=Billing.NOTHING, refusal=refusal))
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [NotAsked] * 3

    run(use())


def test_never_more_calls_than_allowed_are_in_flight(ledger: CountingLedger) -> None:
    """However many ask, and each gets its turn."""
    n_open, most = 0, 0

    async def call(limiter: SharedLimiter) -> None:
        nonlocal n_open, most
        permit = await acquire(limiter)
        n_open += 1
        most = max(most, n_open)
        await asyncio.sleep(0)
        n_open -= 1
        permit.end(USED)

    async def use() -> None:
        limiter = make_limiter(ledger, price=None, n_at_once=3)
        await asyncio.gather(*(call(limiter) for _ in range(50)))

    run(use())
    assert most == 3
    assert spent_usd(ledger) == 0.0


def test_a_scope_is_a_server_with_a_key_and_gives_neither_away() -> None:
    """Another key at the same server has limits of its own."""
    scopes = {scope_of(url, key) for url in (URL, URL + "/x") for key in ("secret", "other", None)}
    assert len(scopes) == 6
    assert not [scope for scope in scopes if "secret" in scope or "127" in scope]


def test_who_has_begun_goes_before_who_has_not(ledger: CountingLedger) -> None:
    """A conversation that was paid for comes to its end before a new one begins."""

    async def use() -> list[str]:
        limiter, order = make_limiter(ledger, n_at_once=1), []
        first = await acquire(limiter)

        async def call(name: str, *, begun: bool) -> None:
            permit = await limiter.acquire(
                model_id="m", n_prompt_bytes=1, max_tokens=1, begun=begun
            )
            order.append(name)
            permit.end(AttemptResult(billing=Billing.NOTHING))

        calls = [("new", False), ("newer", False), ("begun", True), ("begun later", True)]
        tasks = [asyncio.create_task(call(name, begun=begun)) for name, begun in calls]
        await asyncio.sleep(0)
        first.end(AttemptResult(billing=Billing.NOTHING))
        await asyncio.gather(*tasks)
        return order

    assert run(use()) == ["begun", "begun later", "new", "newer"]
