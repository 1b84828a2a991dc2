"""What a run waits for, as whoever watches it is told: clients against real servers and none."""

import asyncio
from collections.abc import Iterator

import pytest

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.chat import ChatClient, Patience
from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.limits import Limiters, RunState, SqliteLedger
from pytest_sema_bench.limits.throttle import Throttle, Wait, wait_of
from pytest_sema_bench.redaction import Redactor
from tests.asking import BODY
from tests.chat_server import HANG, ChatServer, Step, refuse, say

SLOW = Patience(first_wait_s=5.0, longest_wait_s=60.0)


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    """A ledger with a run."""
    ledger = SqliteLedger(":memory:")
    ledger.start_run("r", cap_usd=None, spent_usd=0.0)
    yield ledger
    ledger.close()


def watched(ledger: SqliteLedger, url: str, *, until_waiting: bool = True) -> RunState:
    """How the run stands while a client asks this server, once it waits or has asked."""
    model = Model(name="m", id="m", provider="p", base_url=url)

    async def watch() -> RunState:
        limiter = Limiters(ledger, run="r", started=0.0).limiter(model, None)
        client = ChatClient(
            HttpWire(url, None), redactor=Redactor([]), limiter=limiter, patience=SLOW
        )
        call = asyncio.create_task(client.complete(BODY))
        while True:
            await asyncio.sleep(0.01)
            state = ledger.book.state("r")
            assert state is not None
            if state.waits or call.done() or (state.in_flight and not until_waiting):
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                await client.close()
                return state

    return asyncio.run(watch())


def test_a_wait_that_the_server_asked_for_is_told_with_its_end(
    ledger: SqliteLedger, chat_server: ChatServer
) -> None:
    """Its words and the seconds that are left."""
    chat_server.play([refuse(429, "too many requests", Retry_After="40")])
    (wait,) = watched(ledger, chat_server.url).waits
    assert "the server answered 429: too many requests" in wait.reason
    assert 39 < wait.left_s <= 40


def test_a_server_that_is_down_is_told_with_how_long_it_has_been(ledger: SqliteLedger) -> None:
    """Nobody asked for that wait, so its end is not known."""
    (wait,) = watched(ledger, "http://127.0.0.1:1/v1").waits
    assert "127.0.0.1:1/v1/chat/completions: cannot reach the server" in wait.reason
    assert (wait.left_s, wait.since_s < 5) == (0.0, True)


@pytest.mark.parametrize("step", [HANG, say("Four.")])
def test_a_server_that_answers_or_thinks_is_no_reason_to_wait(
    step: Step, ledger: SqliteLedger, chat_server: ChatServer
) -> None:
    """A call in flight is not a call that waits; after a reply all is well."""
    chat_server.play([step])
    assert watched(ledger, chat_server.url, until_waiting=step is not HANG).waits == ()


def test_a_rate_limit_that_is_used_up_is_a_wait_too() -> None:
    """Its headers came with a good reply, so there is no trouble to tell of."""
    assert wait_of(Throttle(paused_until=130.0), 100.0) == Wait(
        reason="the server's rate limit is used up", since_s=0.0, left_s=30.0
    )
    assert wait_of(Throttle(paused_until=130.0), 131.0) is None


def test_a_note_is_kept_once_for_its_run(ledger: SqliteLedger) -> None:
    """However many workers see the same."""
    for run, note in [("r", "b"), ("r", "a"), ("r", "b"), ("s", "c")]:
        ledger.book.note(run, note)
    assert ledger.book.notes("r") == ("b", "a")
