"""The ledger of machines that share a PostgreSQL database, with the rules of the local one.

A database that is away is waited for, so that nothing new is asked meanwhile. An exchange whose
end was not heard of is told by its ticket: it is not done twice. What a process holds whose lease
has lapsed is given back, its calls counted as paid in full.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.limits.postgres import LEASE_S, LOCK, Connection, Database
from pytest_sema_bench.limits.protocol import Answer, Ask, Ended
from pytest_sema_bench.limits.run_book import RunBook, RunState, throttle_text
from pytest_sema_bench.limits.standing import Standing, settle, standing_of
from pytest_sema_bench.settings import DatabaseUrl

_REAP_EVERY_S = 2.0
_KEPT_S = 7 * 24 * 3600.0


class PostgresBook:
    """How runs are going, to look at. Raises DatabaseAway and CannotWrite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, run: str, *, n_graded: int, n_void: int, n_retries: int) -> None:
        """See `RunBook.count`."""
        numbers = {"n_graded": n_graded, "n_void": n_void, "n_retries": n_retries}
        self._database.once(lambda connection: _book(connection).count(run, **numbers))

    def note(self, run: str, note: str) -> None:
        """See `RunBook.note`."""
        self._database.once(lambda connection: _book(connection).note(run, note))

    def notes(self, run: str) -> tuple[str, ...]:
        """See `RunBook.notes`."""
        return self._database.once(lambda connection: _book(connection).notes(run))

    def state(self, run: str) -> RunState | None:
        """See `RunBook.state`."""
        return self._database.once(lambda connection: _book(connection).state(run))


class PostgresLedger:
    """The database, as one process and thread uses it."""

    def __init__(self, url: DatabaseUrl, *, lease_s: float = LEASE_S) -> None:
        self._database = Database(url, lease_s=lease_s)
        self.book = PostgresBook(self._database)
        """How runs are going, to look at."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sema-ledger")
        """The event loop must not wait for a network."""
        self._tickets = count(1)
        self._reaped_at = 0.0

    def start_run(
        self, run: str, *, cap_usd: float | None, spent_usd: float, n_graded: int = 0
    ) -> None:
        """See `SqliteLedger.start_run`."""

        def start(connection: Connection) -> None:
            self._reap(connection)
            for table in ("runs", "notes"):
                connection.execute(f"DELETE FROM {table} WHERE at < now_s() - %s", (_KEPT_S,))  # noqa: S608
            connection.execute(
                "INSERT INTO runs (run, cap_usd, spent_usd, n_graded, at) "
                "VALUES (%s, %s, %s, %s, now_s()) "
                "ON CONFLICT (run) DO UPDATE SET cap_usd = excluded.cap_usd, at = excluded.at, "
                "spent_usd = greatest(runs.spent_usd, excluded.spent_usd), n_retries = 0, "
                "n_void = 0, n_graded = excluded.n_graded",
                (run, cap_usd, spent_usd, n_graded),
            )

        self._database.once(start)

    async def exchange(self, ended: Sequence[Ended], asks: Sequence[Ask]) -> list[Answer]:
        """See `Ledger.exchange`; it waits for a database that is away."""
        self._database.renew()
        work = partial(self._exchange, ended=ended, asks=asks, ticket=next(self._tickets))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._database.until_back, work)

    def count(self, run: str, *, n_graded: int, n_void: int, n_retries: int) -> None:
        """See `Ledger.count`."""
        numbers = {"n_graded": n_graded, "n_void": n_void, "n_retries": n_retries}
        self._aside(partial(self.book.count, run, **numbers))

    def note(self, run: str, note: str) -> None:
        """See `Ledger.note`."""
        self._aside(partial(self.book.note, run, note))

    def stop_waiting(self) -> None:
        """See `Ledger.stop_waiting`."""
        self._database.stop_waiting()

    def close(self) -> None:
        """Give back the lease, if nothing is held, and close the connection."""
        self._database.stop_waiting()
        self._thread.shutdown()
        with suppress(BenchError):
            self._database.once(self._leave)
        self._database.close()

    def _aside(self, work: "partial[None]") -> None:
        def take_note() -> None:
            with suppress(BenchError):  # for people to look at only
                work()

        self._thread.submit(take_note)

    # What follows runs in the ledger's thread, within a transaction.

    def _exchange(
        self, connection: Connection, *, ended: Sequence[Ended], asks: Sequence[Ask], ticket: int
    ) -> list[Answer]:
        about = ended[0].ask if ended else asks[0]
        connection.execute(LOCK, ([f"scope {about.scope}", f"run {about.run}"],))
        me = self._database.holder
        last = connection.execute(
            "SELECT ticket, let_go FROM processes WHERE process = %s", (me,)
        ).fetchone()
        if last is not None and last[0] == ticket:
            # Done before the connection was lost; who was not let go may ask again.
            return [0.0 if let_go else None for let_go in last[1]]
        now, before = self._load(connection, about)
        after, answers = settle(before, ended, asks, now)
        self._store(connection, about, before, after)
        let_go = json.dumps([answer == 0.0 for answer in answers])
        connection.execute(
            "INSERT INTO processes VALUES (%s, now_s(), %s, %s) ON CONFLICT (process) DO UPDATE "
            "SET at = excluded.at, ticket = excluded.ticket, let_go = excluded.let_go",
            (me, ticket, let_go),
        )
        if any(answer != 0.0 for answer in answers):
            self._reap(connection)
        return answers

    def _load(self, connection: Connection, about: Ask) -> tuple[float, Standing]:
        (now,) = connection.execute("SELECT now_s()").fetchone() or (0.0,)
        # The start of the run, by the database's clock.
        started = about.started + now - time.time()
        refusals = connection.execute(
            "SELECT model, reason FROM refusals WHERE scope = %s AND at >= %s",
            (about.scope, started),
        )
        account = connection.execute(
            "SELECT cap_usd, spent_usd FROM runs WHERE run = %s", (about.run,)
        ).fetchone()
        held = connection.execute(
            "SELECT process, run, scope, n_calls, reserved_usd FROM held "
            "WHERE n_calls > 0 AND (scope = %s OR run = %s)",
            (about.scope, about.run),
        )
        return now, standing_of(
            about,
            process=self._database.holder,
            throttle=_book(connection).throttle(about.scope),
            refusals=dict(refusals.fetchall()),
            account=account or (None, 0.0),
            held=held.fetchall(),
        )

    def _store(self, connection: Connection, about: Ask, before: Standing, after: Standing) -> None:
        if after.throttle is not before.throttle:
            connection.execute(
                "INSERT INTO throttles VALUES (%s, %s) "
                "ON CONFLICT (scope) DO UPDATE SET throttle = excluded.throttle",
                (about.scope, throttle_text(after.throttle)),
            )
        connection.execute(
            "INSERT INTO held VALUES (%s, %s, %s, %s, %s) ON CONFLICT (process, run, scope) "
            "DO UPDATE SET n_calls = excluded.n_calls, reserved_usd = excluded.reserved_usd",
            (self._database.holder, about.run, about.scope, after.n_here, after.usd_here),
        )
        if after.spent_usd != before.spent_usd:
            connection.execute(
                "UPDATE runs SET spent_usd = spent_usd + %s WHERE run = %s",
                (after.spent_usd - before.spent_usd, about.run),
            )
        for model, reason in after.refusals.items():
            if before.refusals.get(model) != reason:
                connection.execute(
                    "INSERT INTO refusals VALUES (%s, %s, %s, now_s()) "
                    "ON CONFLICT (scope, model) "
                    "DO UPDATE SET reason = excluded.reason, at = excluded.at",
                    (about.scope, model, reason),
                )

    def _reap(self, connection: Connection) -> None:
        """Give back what processes hold whose lease has lapsed."""
        if time.monotonic() - self._reaped_at < min(_REAP_EVERY_S, self._database.lease_s):
            return
        self._reaped_at = time.monotonic()
        connection.execute(
            """
            WITH dead AS (
                DELETE FROM processes
                WHERE process <> %(me)s AND NOT is_alive(at, %(lease_s)s) RETURNING process
            ), lost AS (
                DELETE FROM held WHERE process IN (SELECT process FROM dead)
                RETURNING run, reserved_usd
            )
            UPDATE runs SET spent_usd = spent_usd + sums.usd
            FROM (SELECT run, sum(reserved_usd) AS usd FROM lost GROUP BY run) AS sums
            WHERE runs.run = sums.run""",
            {"me": self._database.holder, "lease_s": self._database.lease_s},
        )

    def _leave(self, connection: Connection) -> None:
        me = self._database.holder
        connection.execute("DELETE FROM held WHERE process = %s AND n_calls = 0", (me,))
        connection.execute(
            "DELETE FROM processes WHERE process = %(me)s "
            "AND NOT EXISTS (SELECT 1 FROM held WHERE process = %(me)s)",
            {"me": me},
        )


def _book(connection: Connection) -> RunBook:
    """The book over this connection, whose SQL is that of both databases."""

    def execute(sql: str, values: Sequence[Any] = ()) -> Any:
        return connection.execute(sql.replace("?", "%s"), values)

    return RunBook(execute)
