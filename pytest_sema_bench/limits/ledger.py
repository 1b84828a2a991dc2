"""The database in which all processes of a machine meet: calls in flight, refusals, money.

One SQLite file in the cache folder, in WAL mode and without waiting for the disk: it must outlive
a killed process, not a power cut. What ends and what wants to go at once share a transaction.
What a dead process held is given back by whoever waits next; its calls count as paid in full.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_sema_bench.cache import CACHE_VARIABLE, cache_folder
from pytest_sema_bench.errors import CannotWrite, SettingsError
from pytest_sema_bench.limits.process import identity, is_alive
from pytest_sema_bench.limits.protocol import Answer, Ask, Ended
from pytest_sema_bench.limits.run_book import RunBook, throttle_text
from pytest_sema_bench.limits.standing import Standing, settle, standing_of
from pytest_sema_bench.settings import DatabaseUrl

if TYPE_CHECKING:
    from pytest_sema_bench.limits.postgres_ledger import PostgresLedger

_FILE = "limits-3.sqlite3"
"""The number is raised with the schema, so that versions side by side do not meet."""
_BUSY_S = 30.0
_REAP_EVERY_S = 2.0
_KEPT_S = 7 * 24 * 3600.0
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


class SqliteLedger:
    """The database, as one process and thread uses it."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SCHEMA)
        self.book = RunBook(self._db.execute)
        """How runs are going, to look at."""
        self._process = identity(os.getpid())
        self._reaped_at = 0.0

    def count(self, run: str, *, n_graded: int, n_void: int, n_retries: int) -> None:
        """See `Ledger.count`."""
        # For people to look at only: a busy database is no reason to lose a record.
        with suppress(sqlite3.Error):
            self.book.count(run, n_graded=n_graded, n_void=n_void, n_retries=n_retries)

    def note(self, run: str, note: str) -> None:
        """See `Ledger.note`."""
        with suppress(sqlite3.Error):
            self.book.note(run, note)

    def stop_waiting(self) -> None:
        """See `Ledger.stop_waiting`: a file is never away."""

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

    async def exchange(self, ended: Sequence[Ended], asks: Sequence[Ask]) -> list[Answer]:
        """See `Ledger.exchange`."""
        now, about = time.time(), ended[0].ask if ended else asks[0]
        with self._transaction():
            before = self._load(about)
            after, answers = settle(before, ended, asks, now)
            self._store(about, before, after, now)
            if any(answer != 0.0 for answer in answers) and now - self._reaped_at > _REAP_EVERY_S:
                self._reap(now)
        return answers

    def _load(self, about: Ask) -> Standing:
        refusals = self._db.execute(
            "SELECT model, reason FROM refusals WHERE scope = ? AND at >= ?",
            (about.scope, about.started),
        )
        account = self._db.execute(
            "SELECT cap_usd, spent_usd FROM runs WHERE run = ?", (about.run,)
        )
        rows = self._db.execute(
            "SELECT process, run, scope, n_calls, reserved_usd FROM held "
            "WHERE n_calls > 0 AND (scope = ? OR run = ?)",
            (about.scope, about.run),
        )
        return standing_of(
            about,
            process=self._process,
            throttle=self.book.throttle(about.scope),
            refusals=dict(refusals.fetchall()),
            account=account.fetchone() or (None, 0.0),
            held=rows.fetchall(),
        )

    def _store(self, about: Ask, before: Standing, after: Standing, now: float) -> None:
        if after.throttle is not before.throttle:
            self._db.execute(
                "INSERT OR REPLACE INTO throttles VALUES (?, ?)",
                (about.scope, throttle_text(after.throttle)),
            )
        self._db.execute(
            "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?)",
            (self._process, about.run, about.scope, after.n_here, after.usd_here, now),
        )
        if after.spent_usd != before.spent_usd:
            self._spend(about.run, after.spent_usd - before.spent_usd)
        for model, reason in after.refusals.items():
            if before.refusals.get(model) != reason:
                self._db.execute(
                    "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)",
                    (about.scope, model, reason, now),
                )

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

    def _spend(self, run: str, usd: float) -> None:
        self._db.execute("UPDATE runs SET spent_usd = spent_usd + ? WHERE run = ?", (usd, run))

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


def open_ledger(url: DatabaseUrl | None = None) -> "AnyLedger":
    """The ledger in that database, or else in the cache folder.

    Raises SettingsError if it cannot be opened.
    """
    if url is not None:
        return _open_postgres(url)
    path = cache_folder() / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteLedger(path)
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(
            f"{path}, where processes share limits and budget, cannot be opened: {error}. "
            f"Delete the file if it is damaged, or set {CACHE_VARIABLE} to a folder that can be "
            "written."
        ) from error


def needs_psycopg(error: ImportError) -> SettingsError:
    """What to do where the driver is missing."""
    return SettingsError(
        f"--sema-ledger needs psycopg ({error}): pip install 'pytest-sema-bench[postgres]'"
    )


def account_of(folder: Path, shared: str | None) -> str:
    """Under what name a ledger knows the run in a folder, or that of a name that machines share."""
    return f"shared run {shared}" if shared else str(folder)


def _open_postgres(url: DatabaseUrl) -> "PostgresLedger":
    try:
        from pytest_sema_bench.limits.postgres_ledger import PostgresLedger
    except ImportError as error:
        raise needs_psycopg(error) from error
    return PostgresLedger(url)


AnyLedger: TypeAlias = "SqliteLedger | PostgresLedger"
