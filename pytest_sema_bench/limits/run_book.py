"""How runs are going, for people to look at: what all processes of a run have written down."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pytest_sema_bench.limits.throttle import Throttle, Wait, wait_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """How a run is going, over all its processes."""

    cap_usd: float | None
    spent_usd: float
    in_flight: int
    n_retries: int
    n_graded: int
    n_void: int
    waits: tuple[Wait, ...] = ()
    """What keeps its calls from being sent, where none is in flight."""


class RunBook:
    """The part of the ledger that decides nothing: a busy database may lose a line of it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def count(self, run: str, *, n_graded: int, n_void: int, n_retries: int) -> None:
        """Take note of items that ended."""
        # For people to look at only: a busy database is no reason to lose a record.
        with suppress(sqlite3.Error):
            self._db.execute(
                "UPDATE runs SET n_graded = n_graded + ?, n_void = n_void + ?, "
                "n_retries = n_retries + ? WHERE run = ?",
                (n_graded, n_void, n_retries, run),
            )

    def note(self, run: str, note: str) -> None:
        """Have something said to whoever watches the run, once however often it comes."""
        with suppress(sqlite3.Error):
            self._db.execute(
                "INSERT OR IGNORE INTO notes VALUES (?, ?, ?)", (run, note, time.time())
            )

    def notes(self, run: str) -> tuple[str, ...]:
        """What there is to be said, in the order in which it came up."""
        rows = self._db.execute("SELECT note FROM notes WHERE run = ? ORDER BY at", (run,))
        return tuple(note for (note,) in rows)

    def state(self, run: str) -> RunState | None:
        """How a run is going; None if nobody began it."""
        row = self._db.execute(
            "SELECT cap_usd, spent_usd, n_retries, n_graded, n_void FROM runs WHERE run = ?", (run,)
        ).fetchone()
        if row is None:
            return None
        (in_flight,) = self._db.execute(
            "SELECT coalesce(sum(n_calls), 0) FROM held WHERE run = ?", (run,)
        ).fetchone()
        cap, spent, n_retries, n_graded, n_void = row
        return RunState(
            cap_usd=cap,
            spent_usd=spent,
            in_flight=in_flight,
            n_retries=n_retries,
            n_graded=n_graded,
            n_void=n_void,
            waits=() if in_flight else tuple(self._waits(run)),
        )

    def _waits(self, run: str) -> Iterator[Wait]:
        scopes = self._db.execute("SELECT DISTINCT scope FROM held WHERE run = ?", (run,))
        for (scope,) in scopes.fetchall():
            if (wait := wait_of(read_throttle(self._db, scope), time.time())) is not None:
                yield wait


def read_throttle(db: sqlite3.Connection, scope: str) -> Throttle:
    """What is known about a server and key."""
    row = db.execute("SELECT throttle FROM throttles WHERE scope = ?", (scope,)).fetchone()
    return Throttle() if row is None else Throttle(**json.loads(row[0]))
