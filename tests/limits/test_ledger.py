"""The ledger: what processes that share a key, a model and a budget know of each other."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE
from pytest_sema_bench.catalog.models import RateLimits
from pytest_sema_bench.chat.permit import AttemptResult, Billing, Quota, Reach
from pytest_sema_bench.errors import BenchError, BudgetSpent, ModelError, NotAsked, SettingsError
from pytest_sema_bench.limits import AnyLedger, SqliteLedger, mend_ledger, open_ledger
from pytest_sema_bench.limits.postgres_ledger import PostgresLedger
from pytest_sema_bench.limits.protocol import Answer, Ask, Ended, Ledger
from pytest_sema_bench.limits.throttle import FIRST_LIMIT
from pytest_sema_bench.settings import DatabaseUrl
from tests.postgres_server import PostgresServer

GOOD = AttemptResult(billing=Billing.USAGE, answered=True)


def ask(
    *,
    run: str = "r",
    model: str = "m",
    scope: str = "s",
    usd: float | None = 1.0,
    started: float = 0.0,
    limits: RateLimits | None = None,
) -> Ask:
    """A call that wants to be sent."""
    return Ask(
        scope=scope,
        run=run,
        started=started,
        model_id=model,
        limits=limits or RateLimits(),
        n_tokens=100,
        worst_usd=usd,
    )


def exchange(ledger: Ledger, ended: list[Ended], asks: list[Ask]) -> list[Answer]:
    """What the ledger answers."""
    return asyncio.run(ledger.exchange(ended, asks))


def enter(ledger: Ledger, ask: Ask) -> float | None:
    """What the ledger answers to one call that asks; raises why it never may go."""
    (answer,) = exchange(ledger, [], [ask])
    if isinstance(answer, BenchError):
        raise answer
    return answer


def end(ledger: Ledger, ask: Ask, result: AttemptResult, cost_usd: float) -> None:
    """Have the end of one call booked."""
    exchange(ledger, [Ended(ask=ask, result=result, cost_usd=cost_usd)], [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a ledger is, told to other processes too."""

    path: Path
    url: DatabaseUrl | None

    def open(self) -> AnyLedger:
        """The ledger."""
        if self.url is None:
            return SqliteLedger(self.path)
        return PostgresLedger(self.url, lease_s=1.0)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of each kind."""
    url = None
    if request.param == "PostgreSQL":
        server: PostgresServer = request.getfixturevalue("database")
        url = server.url
    return Place(path=tmp_path / "limits.sqlite3", url=url)


@pytest.fixture
def ledger(place: Place) -> Iterator[AnyLedger]:
    """The database as this process sees it."""
    ledger = place.open()
    yield ledger
    ledger.close()


@pytest.fixture
def other(place: Place, ledger: AnyLedger) -> Iterator[AnyLedger]:
    """The same database, opened once more."""
    other = place.open()
    yield other
    other.close()


def spent_usd(ledger: AnyLedger, run: str = "r") -> float:
    """What a run has spent."""
    state = ledger.book.state(run)
    assert state is not None
    return state.spent_usd


def test_a_call_reserves_its_worst_case_and_pays_what_it_cost(ledger: AnyLedger) -> None:
    """Room that was reserved and not used is there for others."""
    ledger.start_run("r", cap_usd=2.5, spent_usd=0.0)
    assert [enter(ledger, ask()), enter(ledger, ask())] == [0.0, 0.0]
    assert enter(ledger, ask()) is None
    end(ledger, ask(), GOOD, 0.25)
    assert enter(ledger, ask()) == 0.0
    state = ledger.book.state("r")
    assert state is not None
    assert (state.spent_usd, state.in_flight, state.cap_usd) == (0.25, 2, 2.5)


def test_calls_that_ask_together_get_what_there_is_in_order(ledger: AnyLedger) -> None:
    """What ended with them makes room first; who stands behind one that waits does not pass it."""
    ledger.start_run("r", cap_usd=4.0, spent_usd=0.0)
    first = [ask(usd=2.0), ask(usd=2.0)]
    assert exchange(ledger, [], [*first, ask(usd=1.0)]) == [0.0, 0.0, None]
    ended = [Ended(ask=one, result=GOOD, cost_usd=0.5) for one in first]
    assert exchange(ledger, ended, [ask(usd=2.5), ask(usd=1.0), ask(usd=0.1)]) == [0.0, None, None]
    state = ledger.book.state("r")
    assert state is not None
    assert (state.spent_usd, state.in_flight) == (1.0, 1)


def test_calls_that_end_together_were_in_flight_together(ledger: AnyLedger) -> None:
    """A clean round doubles what may be in flight, however many replies are booked at once."""
    n_first = int(FIRST_LIMIT)
    assert exchange(ledger, [], [ask()] * n_first) == [0.0] * n_first
    ended = [Ended(ask=ask(), result=GOOD, cost_usd=0.0)] * n_first
    answers = exchange(ledger, ended, [ask()] * (2 * n_first + 1))
    assert answers == [0.0] * (2 * n_first) + [None]


def test_a_refusal_holds_up_nobody_behind(ledger: AnyLedger) -> None:
    """Each call that asks is told what concerns it."""
    assert enter(ledger, ask()) == 0.0
    gone = AttemptResult(billing=Billing.NOTHING, refusal=(Reach.MODEL, ModelError("404")))
    ended = Ended(ask=ask(), result=gone, cost_usd=0.0)
    refused, answer = exchange(ledger, [ended], [ask(model="m"), ask(model="n")])
    assert isinstance(refused, NotAsked)
    assert answer == 0.0


def test_the_cap_is_never_crossed(ledger: AnyLedger) -> None:
    """A call whose worst case does not fit is refused once nothing in flight can make room."""
    ledger.start_run("r", cap_usd=2.0, spent_usd=0.0)
    assert enter(ledger, ask(usd=1.5)) == 0.0
    end(ledger, ask(usd=1.5), GOOD, 1.5)
    with pytest.raises(BudgetSpent, match=r"\$1\.5000 of \$2 is spent.*up to \$1\.0000"):
        enter(ledger, ask())
    assert enter(ledger, ask(usd=0.5)) == 0.0


def test_many_small_calls_leave_no_dust(ledger: AnyLedger) -> None:
    """Sums of floats that ought to be nothing do not keep the last call waiting for ever."""
    ledger.start_run("r", cap_usd=1.0, spent_usd=0.0)
    for n in range(1, 40):
        held = [ask(usd=n / 999), ask(usd=n / 777)]
        assert [enter(ledger, one) for one in held] == [0.0, 0.0]
        for one in held:
            end(ledger, one, GOOD, 0.0)
    with pytest.raises(BudgetSpent):
        enter(ledger, ask(usd=1.01))


def test_runs_have_budgets_of_their_own(ledger: AnyLedger) -> None:
    """What one run has spent or reserved leaves the other's cap alone."""
    ledger.start_run("a", cap_usd=1.0, spent_usd=0.0)
    ledger.start_run("b", cap_usd=1.0, spent_usd=0.0)
    assert enter(ledger, ask(run="a")) == 0.0
    assert enter(ledger, ask(run="b")) == 0.0
    assert enter(ledger, ask(run="a")) is None


def test_without_a_cap_money_is_counted_all_the_same(ledger: AnyLedger) -> None:
    """A run may be given a cap when it is taken up."""
    ledger.start_run("r", cap_usd=None, spent_usd=0.0)
    for _ in range(3):
        assert enter(ledger, ask(usd=None)) == 0.0
        end(ledger, ask(usd=None), GOOD, 10.0)
    ledger.start_run("r", cap_usd=20.0, spent_usd=0.0)
    with pytest.raises(BudgetSpent):
        enter(ledger, ask())


@pytest.mark.parametrize(("in_records", "expected"), [(0.2, 0.7), (0.9, 0.9)])
def test_a_run_taken_up_counts_the_larger_of_two_sums(
    ledger: AnyLedger, in_records: float, expected: float
) -> None:
    """The ledger knows calls that left no record; the records know what another machine paid."""
    ledger.start_run("r", cap_usd=1.0, spent_usd=0.0)
    assert enter(ledger, ask(usd=0.7)) == 0.0
    end(ledger, ask(usd=0.7), GOOD, 0.7)
    ledger.start_run("r", cap_usd=5.0, spent_usd=in_records)
    assert spent_usd(ledger) == expected


def test_a_refused_key_stops_all_its_models_and_no_other_key(
    ledger: AnyLedger, other: AnyLedger
) -> None:
    """Also in other processes, and the reason is passed on."""
    refusal = (Reach.KEY, ModelError("401: bad key"))
    assert enter(ledger, ask()) == 0.0
    end(ledger, ask(), AttemptResult(billing=Billing.NOTHING, refusal=refusal), 0.0)
    for model in ("m", "n"):
        with pytest.raises(NotAsked, match="not asked: 401: bad key"):
            enter(other, ask(model=model))
    assert enter(other, ask(scope="another key")) == 0.0


def test_a_refused_model_stops_that_model_alone(ledger: AnyLedger, other: AnyLedger) -> None:
    """The others behind the key are asked on."""
    refusal = (Reach.MODEL, ModelError("404"))
    assert enter(ledger, ask()) == 0.0
    end(ledger, ask(), AttemptResult(billing=Billing.NOTHING, refusal=refusal), 0.0)
    with pytest.raises(NotAsked):
        enter(other, ask(model="m"))
    assert enter(other, ask(model="n")) == 0.0


def test_a_run_that_begins_later_asks_again(ledger: AnyLedger) -> None:
    """A refusal holds for the runs that were under way."""
    refusal = (Reach.KEY, ModelError("402"))
    assert enter(ledger, ask()) == 0.0
    end(ledger, ask(), AttemptResult(billing=Billing.NOTHING, refusal=refusal), 0.0)
    assert enter(ledger, ask(started=time.time() + 1)) == 0.0


def test_a_server_that_is_down_is_not_asked_on(ledger: AnyLedger) -> None:
    """After eight calls in a row that failed in spite of all retries; a good one starts anew."""
    gave_up = AttemptResult(billing=Billing.UNKNOWN, gave_up=True)
    for results in ([gave_up] * 7, [GOOD], [gave_up] * 8):
        for result in results:
            assert enter(ledger, ask()) == 0.0
            end(ledger, ask(), result, 0.0)
    with pytest.raises(NotAsked, match="seems down: 8 calls in a row"):
        enter(ledger, ask())


def test_processes_share_concurrency_and_pauses(ledger: AnyLedger, other: AnyLedger) -> None:
    """What one has in flight or was told counts for the other."""
    two = ask(limits=RateLimits(concurrency=2))
    assert enter(ledger, two) == 0.0
    assert enter(other, two) == 0.0
    assert enter(ledger, two) is None
    quota = Quota(n_requests=0, reset_s=30.0)
    end(other, two, AttemptResult(billing=Billing.USAGE, answered=True, quota=quota), 0.0)
    wait = enter(ledger, two)
    assert wait is not None
    assert 0 < wait <= 30


def _enter_and_die(place: Place) -> None:
    ledger = place.open()
    for _ in range(3):
        assert enter(ledger, ask()) == 0.0
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_dead_process_held_is_given_back_and_counted_as_paid(
    ledger: AnyLedger, place: Place
) -> None:
    """Nobody knows what became of its calls, so the budget takes the worst."""
    ledger.start_run("r", cap_usd=10.0, spent_usd=0.0)
    process = multiprocessing.get_context("spawn").Process(target=_enter_and_die, args=(place,))
    process.start()
    process.join()
    state = ledger.book.state("r")
    assert state is not None
    assert state.in_flight == 3
    deadline = time.monotonic() + 30
    while state.in_flight and time.monotonic() < deadline:  # a lease lapses in time
        ledger.start_run("another", cap_usd=None, spent_usd=0.0)
        state = ledger.book.state("r")
        assert state is not None
        time.sleep(0.05)
    assert (state.in_flight, state.spent_usd) == (0, 3.0)


def test_whoever_waits_finds_the_dead(ledger: AnyLedger, place: Place) -> None:
    """A call that waits for a place of a dead process gets it."""
    three = ask(limits=RateLimits(concurrency=3))
    process = multiprocessing.get_context("spawn").Process(target=_enter_and_die, args=(place,))
    process.start()
    process.join()
    deadline = time.monotonic() + 30
    assert enter(ledger, three) is None
    while enter(ledger, three) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_items_are_counted_by_run(ledger: AnyLedger, other: AnyLedger) -> None:
    """Graded, void and retries of all processes together; a run taken up counts from 0."""
    ledger.start_run("r", cap_usd=None, spent_usd=0.0)
    ledger.book.count("r", n_graded=1, n_void=0, n_retries=2)
    other.book.count("r", n_graded=0, n_void=1, n_retries=3)
    state = ledger.book.state("r")
    assert state is not None
    assert (state.n_graded, state.n_void, state.n_retries) == (1, 1, 5)
    ledger.start_run("r", cap_usd=None, spent_usd=0.0)
    state = ledger.book.state("r")
    assert state is not None
    assert (state.n_graded, state.n_void, state.n_retries) == (0, 0, 0)
    assert ledger.book.state("unknown") is None


def test_a_damaged_file_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run makes a new one; a process of it that finds it damaged later says what to do."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    open_ledger().close()
    (path,) = tmp_path.glob("*.sqlite3")
    path.write_bytes(b"no database, but long enough to be looked at" * 100)
    with pytest.raises(SettingsError, match="Delete the file if it is damaged"):
        open_ledger()
    told = mend_ledger()
    (aside,) = tmp_path.glob("*.damaged-*")
    assert told == f"{path} was damaged; it is set aside as {aside.name}, and a new one is used"
    assert aside.read_bytes().startswith(b"no database")
    open_ledger().close()
    assert mend_ledger() is None
