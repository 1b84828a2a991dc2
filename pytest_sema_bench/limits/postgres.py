"""A PostgreSQL database that machines share: a connection that is made anew when it is lost.

Who holds something in it renews a lease in `processes`. A lease that is not renewed lapses, but
not while the database has just begun: then nobody could have renewed it. Times in the database are
its own clock's, for those of machines differ.
"""

import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

from pytest_sema_bench.errors import BenchError, CannotWrite, DatabaseAway, SettingsError
from pytest_sema_bench.limits.process import identity
from pytest_sema_bench.settings import DatabaseUrl

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]
LEASE_S = 20.0
_AGAIN_S = 0.5
_MOST_TRIES = 8
_SCHEMA = "sema_bench_1"
"""The number is raised with the tables, so that versions side by side do not meet."""
LOCK = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT hashtextextended(name, 0) AS key FROM unnest(%s::text[]) AS name ORDER BY 1
) AS keys"""
"""Until the transaction ends nobody else can lock any of these names."""
_TABLES = """
CREATE FUNCTION now_s() RETURNS float8 LANGUAGE sql AS
    'SELECT extract(epoch FROM clock_timestamp())::float8';
CREATE FUNCTION is_alive(renewed_at float8, lease_s float8) RETURNS bool LANGUAGE sql AS
    'SELECT greatest(renewed_at, extract(epoch FROM pg_postmaster_start_time())::float8)
        > now_s() - lease_s';
CREATE TABLE processes (
    process text PRIMARY KEY, at float8 NOT NULL DEFAULT now_s(),
    ticket bigint NOT NULL DEFAULT 0, let_go json
);
CREATE TABLE throttles (scope text PRIMARY KEY, throttle text NOT NULL);
CREATE TABLE refusals (
    scope text, model text, reason text NOT NULL, at float8 NOT NULL, PRIMARY KEY (scope, model)
);
CREATE TABLE held (
    process text, run text, scope text, n_calls integer NOT NULL, reserved_usd float8 NOT NULL,
    PRIMARY KEY (process, run, scope)
);
CREATE TABLE runs (
    run text PRIMARY KEY, cap_usd float8, spent_usd float8 NOT NULL DEFAULT 0,
    n_retries integer NOT NULL DEFAULT 0,
    n_graded integer NOT NULL DEFAULT 0, n_void integer NOT NULL DEFAULT 0, at float8 NOT NULL
);
CREATE TABLE notes (run text, note text, at float8 NOT NULL, PRIMARY KEY (run, note));
CREATE TABLE shared_runs (run text PRIMARY KEY, facets json NOT NULL, content json NOT NULL);
CREATE SEQUENCE numbers;
CREATE TABLE items (
    run text, key text, planned json NOT NULL, place integer NOT NULL,
    holder text, tried text[] NOT NULL DEFAULT '{}',
    record text, talk bytea, graded bool, number bigint, PRIMARY KEY (run, key)
);
CREATE INDEX ON items (run, number);
"""


class Database:
    """The database, as one holder of a lease uses it."""

    def __init__(self, url: DatabaseUrl, *, lease_s: float = LEASE_S) -> None:
        """Raises SettingsError if it cannot be reached or used."""
        self.url = url
        self.lease_s = lease_s
        self.holder = f"{identity(os.getpid())} {secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._beating: threading.Thread | None = None
        self._connection: Connection | None = None
        try:
            self._connection = self._connect()
        except (psycopg.Error, UnicodeError) as error:
            raise SettingsError(
                f"--sema-ledger: {url} cannot be used: {self._told(error)}. Check that the "
                "database is there; a password may also stand in $PGPASSWORD or ~/.pgpass."
            ) from None

    def once(self, work: Callable[[Connection], T]) -> T:
        """What the work brings, which is one transaction.

        Raises DatabaseAway if the connection is lost, and then nobody knows whether it has
        happened; CannotWrite if the database refuses it.
        """
        with self._lock:
            for _ in range(_MOST_TRIES):
                try:
                    self._connection = connection = self._connection or self._connect()
                    with connection.transaction():
                        return work(connection)
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                    continue
                except psycopg.Error as error:
                    if self._connection is not None and not self._connection.closed:
                        raise CannotWrite(self.url, BenchError(self._told(error))) from None
                    self._connection = None
                    text = f"{self.url} cannot be reached: {self._told(error)}"
                    raise DatabaseAway(text) from None
            raise CannotWrite(self.url, BenchError("it lets nobody through"))

    def until_back(self, work: Callable[[Connection], T]) -> T:
        """The same, waiting for a database that is away. Raises CannotWrite."""
        while True:
            try:
                return self.once(work)
            except DatabaseAway as away:
                if self._over.wait(_AGAIN_S):
                    raise CannotWrite(self.url, away) from away

    def renew(self) -> None:
        """Have a lease, renewed until `close`."""
        if self._beating is None:
            self._beating = threading.Thread(target=self._beat, name="sema-lease", daemon=True)
            self._beating.start()

    def stop_waiting(self) -> None:
        """Try from now on only once."""
        self._over.set()

    def close(self) -> None:
        """Close the connection; the lease lapses."""
        self._over.set()
        if self._beating is not None:
            self._beating.join()
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _beat(self) -> None:
        sql = """
            INSERT INTO processes (process) VALUES (%s)
            ON CONFLICT (process) DO UPDATE SET at = excluded.at"""
        while not self._over.wait(self.lease_s / 5):
            with suppress(BenchError):  # who needs the database says so
                self.once(lambda connection: connection.execute(sql, (self.holder,)))

    def _connect(self) -> Connection:
        connection = psycopg.connect(
            self.url.full,
            autocommit=True,
            application_name="sema-bench",
            connect_timeout=10,
            # A machine whose network is gone must notice it before its lease lapses.
            keepalives_idle=5,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=15_000,
        )
        # A process that is stopped in the middle must not hold up all others.
        connection.execute("SET idle_in_transaction_session_timeout = '10s'")
        connection.execute(f"SET search_path = {_SCHEMA}")
        with connection.transaction():
            connection.execute(LOCK, ([_SCHEMA],))
            (there,) = connection.execute("SELECT to_regclass('notes')").fetchone() or (None,)
            if there is None:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
                connection.execute(_TABLES)
        return connection

    def _told(self, error: Exception) -> str:
        """The first line of an error, without the password."""
        text = str(error).replace(self.url.full, self.url)
        for password in self.url.passwords:
            text = text.replace(password, "…")
        return text.strip().partition("\n")[0] or type(error).__name__
