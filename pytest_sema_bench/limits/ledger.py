"""The database in which all processes of a machine meet: calls in flight, refusals, money.

One SQLite file in the cache folder, in WAL mode and without waiting for the disk: it must outlive
a killed process, not a power cut. A call takes two short transactions, one before and one after.
What a dead process held is given back by whoever waits next; its calls count as paid in full.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_sema_bench.cache import CACHE_VARIABLE, cache_folder
from pytest_sema_bench.catalog.models import RateLimits
from pytest_sema_bench.chat.permit import AttemptResult, Reach
from pytest_sema_bench.errors import BudgetSpent, CannotWrite, NotAsked, SettingsError
from pytest_sema_bench.limits.process import identity, is_alive
from pytest_sema_bench.limits.run_book import RunBook, read_throttle
from pytest_sema_bench.limits.throttle import (
    Throttle,
    emptied,
    refreshed,
    taken,
    throttled,
    troubled,
    wait_s,
    went_well,
)

_FILE = "limits-3.sqlite3"
"""The number is raised with the schema, so that versions side by side do not meet."""
_BUSY_S = 30.0
_REAP_EVERY_S = 2.0
_KEPT_S = 7 * 24 * 3600.0
_DOWN_AFTER = 8
"""So many calls in a row that failed after all their retries mean that the server is down."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS throttles (scope TEXT PRIMARY KEY, throttle TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refusals (
    scope TEXT NOT NULL, model TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (scope, model)
);
CREATE TABLE IF NOT EXISTS held (
    process TEXT NOT NULL, run TEXT NOT NULL, scope TEXT NOT NULL,
    n_calls INTEGER NOT NULL, reserved_usd REAL NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (process, run, scope)
);
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, cap_usd REAL, spent_usd REAL NOT NULL DEFAULT 0,
    n_retries INTEGER NOT NULL DEFAULT 0,
    n_graded INTEGER NOT NULL DEFAULT 0, n_void INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (
    run TEXT NOT NULL, note TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (run, note)
);
"""


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


class Ledger:
    """The database, as one process and thread uses it."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SCHEMA)
        self.book = RunBook(self._db)
        """How runs are going, to look at."""
        self._process = identity(os.getpid())
        self._reaped_at = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def start_run(
        self, run: str, *, cap_usd: float | None, spent_usd: float, n_graded: int = 0
    ) -> None:
        """Begin or take up a run: its cap, what was spent before, and the verdicts it has."""
        now = time.time()
        with self._transaction():
            self._reap(now)
            self._db.execute("DELETE FROM runs WHERE at < ?", (now - _KEPT_S,))
            self._db.execute("DELETE FROM notes WHERE at < ?", (now - _KEPT_S,))
            self._db.execute(
                "INSERT INTO runs (run, cap_usd, spent_usd, n_graded, at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (run) DO UPDATE SET cap_usd = excluded.cap_usd, at = excluded.at, "
                "spent_usd = max(spent_usd, excluded.spent_usd), n_retries = 0, n_void = 0, "
                "n_graded = excluded.n_graded",
                (run, cap_usd, spent_usd, n_graded, now),
            )

    def enter(self, ask: Ask) -> float | None:
        """0.0 if the attempt may go and is counted; else seconds to wait, None if not known.

        Raises NotAsked if its key or model was refused, BudgetSpent if it could cross the cap
        and no call in flight could make room by costing less than feared.
        """
        now = time.time()
        with self._transaction():
            self._check_refusals(ask)
            throttle = refreshed(read_throttle(self._db, ask.scope), ask.limits, now)
            in_flight = self._in_flight(ask.scope)
            wait = wait_s(
                throttle, ask.limits, n_in_flight=in_flight, n_tokens=ask.n_tokens, now=now
            )
            if wait == 0.0 and not self._affords(ask):
                wait = None
            if wait == 0.0:
                self._hold(ask, 1, ask.worst_usd or 0.0)
                throttle = taken(throttle, ask.n_tokens, now)
                self._set_throttle(ask.scope, throttle)
            elif now - self._reaped_at > _REAP_EVERY_S:
                self._reap(now)
        return wait

    def end(self, ask: Ask, result: AttemptResult, cost_usd: float) -> None:
        """Give an attempt's place back and learn from how it ended."""
        now = time.time()
        with self._transaction():
            # Counted with this attempt: so many met the server together.
            n_in_flight = self._in_flight(ask.scope)
            self._hold(ask, -1, -(ask.worst_usd or 0.0))
            self._spend(ask.run, cost_usd)
            throttle = read_throttle(self._db, ask.scope)
            if result.throttled:
                throttle = throttled(
                    throttle, n_in_flight=n_in_flight, asked_s=result.wait_s, now=now
                )
            elif result.answered:
                over = result.tokens.total - ask.n_tokens if result.tokens else 0
                throttle = went_well(throttle, n_in_flight=n_in_flight, n_tokens_over=over, now=now)
            if result.trouble is not None:
                throttle = troubled(throttle, result.trouble, now)
            if result.quota is not None:
                throttle = emptied(throttle, result.quota, now)
            if result.gave_up:
                throttle = self._give_up(ask, throttle, now)
            if result.refusal is not None:
                reach, error = result.refusal
                model = ask.model_id if reach is Reach.MODEL else ""
                self._refuse(ask.scope, model, str(error), now)
            self._set_throttle(ask.scope, throttle)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._rolled_back():
                yield
        except sqlite3.Error as error:
            raise CannotWrite(cache_folder(), error) from error

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        # Locked before anything is read: else two processes could both see the last free place.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _check_refusals(self, ask: Ask) -> None:
        row = self._db.execute(
            "SELECT reason FROM refusals WHERE scope = ? AND model IN ('', ?) AND at >= ?",
            (ask.scope, ask.model_id, ask.started),
        ).fetchone()
        if row is not None:
            raise NotAsked(f"not asked: {row[0]}")

    def _refuse(self, scope: str, model: str, reason: str, now: float) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)", (scope, model, reason, now)
        )

    def _give_up(self, ask: Ask, throttle: Throttle, now: float) -> Throttle:
        n_gave_up = throttle.n_gave_up + 1
        if n_gave_up >= _DOWN_AFTER:
            reason = f"the server seems down: {n_gave_up} calls in a row failed, retries and all"
            self._refuse(ask.scope, "", reason, now)
            # A later run, which this refusal does not concern, gets as many tries.
            n_gave_up = 0
        return replace(throttle, n_gave_up=n_gave_up)

    def _affords(self, ask: Ask) -> bool:
        """Whether the run's cap leaves room now. Raises BudgetSpent if it never will."""
        row = self._db.execute(
            "SELECT cap_usd, spent_usd FROM runs WHERE run = ?", (ask.run,)
        ).fetchone()
        if row is None or row[0] is None:
            return True
        cap, spent = row
        (reserved,) = self._db.execute(
            "SELECT coalesce(sum(reserved_usd), 0) FROM held WHERE run = ? AND n_calls > 0",
            (ask.run,),
        ).fetchone()
        worst = ask.worst_usd or 0.0
        if spent + reserved + worst <= cap:
            return True
        if reserved > 0:
            return False
        raise BudgetSpent(
            f"budget: ${spent:.4f} of ${cap:g} is spent and the next call may cost up to "
            f"${worst:.4f}; take the run up with --sema-resume and a higher --sema-max-cost"
        )

    def _hold(self, ask: Ask, n_calls: int, usd: float) -> None:
        self._db.execute(
            "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "n_calls = max(0, n_calls + excluded.n_calls), at = excluded.at, "
            "reserved_usd = max(0, reserved_usd + excluded.reserved_usd)",
            (self._process, ask.run, ask.scope, n_calls, usd, time.time()),
        )

    def _spend(self, run: str, usd: float) -> None:
        self._db.execute("UPDATE runs SET spent_usd = spent_usd + ? WHERE run = ?", (usd, run))

    def _in_flight(self, scope: str) -> int:
        (n_calls,) = self._db.execute(
            "SELECT coalesce(sum(n_calls), 0) FROM held WHERE scope = ?", (scope,)
        ).fetchone()
        return int(n_calls)

    def _set_throttle(self, scope: str, throttle: Throttle) -> None:
        text = json.dumps({name: getattr(throttle, name) for name in Throttle.__dataclass_fields__})
        self._db.execute("INSERT OR REPLACE INTO throttles VALUES (?, ?)", (scope, text))

    def _reap(self, now: float) -> None:
        """Give back what processes hold that are no more."""
        self._reaped_at = now
        rows = self._db.execute("SELECT process, run, reserved_usd, n_calls, at FROM held")
        for process, run, reserved_usd, n_calls, at in rows.fetchall():
            if process != self._process and not is_alive(process, silent_s=now - at):
                self._spend(run, reserved_usd if n_calls > 0 else 0.0)
                self._db.execute("DELETE FROM held WHERE process = ?", (process,))


def mend_ledger() -> str | None:
    """The line that says that a damaged ledger was set aside; None if it is whole.

    What it knew (paces, refusals of the last hours) is learned anew. Raises SettingsError if there
    can be no ledger.
    """
    path = cache_folder() / _FILE
    try:
        open_ledger().close()
    except SettingsError as error:
        if type(error.__cause__) is not sqlite3.DatabaseError:  # its subclasses are of other faults
            raise
        aside = path.with_name(f"{path.name}.damaged-{time.time():.0f}")
        path.replace(aside)
        open_ledger().close()
        return f"{path} was damaged; it is set aside as {aside.name}, and a new one is used"
    return None


def open_ledger() -> Ledger:
    """The ledger in the cache folder. Raises SettingsError if it cannot be opened."""
    path = cache_folder() / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Ledger(path)
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(
            f"{path}, where processes share limits and budget, cannot be opened: {error}. "
            f"Delete the file if it is damaged, or set {CACHE_VARIABLE} to a folder that can be "
            "written."
        ) from error
