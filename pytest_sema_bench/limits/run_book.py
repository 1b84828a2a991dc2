"""How runs are going, for people to look at: what all processes of a run have written down."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


class Execute(Protocol):
    """Carries out a statement with `?` for its values; what comes has `fetchone`, `fetchall`."""

    def __call__(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """What the statement brings."""
        ...


class RunBook:
    """The part of the ledger that decides nothing, in SQL that both kinds of database take."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def count(self, run: str, *, n_graded: int, n_void: int, n_retries: int) -> None:
        """Take note of items that ended."""
        self._execute(
            "UPDATE runs SET n_graded = n_graded + ?, n_void = n_void + ?, "
            "n_retries = n_retries + ? WHERE run = ?",
            (n_graded, n_void, n_retries, run),
        )

    def note(self, run: str, note: str) -> None:
        """Have something said to whoever watches the run, once however often it comes."""
        self._execute(
            "INSERT INTO notes VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (run, note, time.time())
        )

    def notes(self, run: str) -> tuple[str, ...]:
        """What there is to be said, in the order in which it came up."""
        rows = self._execute("SELECT note FROM notes WHERE run = ? ORDER BY at", (run,))
        return tuple(note for (note,) in rows.fetchall())

    def state(self, run: str) -> RunState | None:
        """How a run is going; None if nobody began it."""
        row = self._execute(
            "SELECT cap_usd, spent_usd, n_retries, n_graded, n_void FROM runs WHERE run = ?", (run,)
        ).fetchone()
        if row is None:
            return None
        (in_flight,) = self._execute(
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
        scopes = self._execute("SELECT DISTINCT scope FROM held WHERE run = ?", (run,))
        for (scope,) in scopes.fetchall():
            if (wait := wait_of(self.throttle(scope), time.time())) is not None:
                yield wait

    def throttle(self, scope: str) -> Throttle:
        """What is known about a server and key."""
        row = self._execute("SELECT throttle FROM throttles WHERE scope = ?", (scope,)).fetchone()
        return Throttle() if row is None else Throttle(**json.loads(row[0]))


def throttle_text(throttle: Throttle) -> str:
    """A throttle as it is kept."""
    return json.dumps({name: getattr(throttle, name) for name in Throttle.__dataclass_fields__})
