"""A run that machines share, as the database holds it: its items, who asks them, what they became.

A process claims an item before it asks it. A claim holds as long as its lease; what a process did
not bring to an end is free once it has gone. The first verdict of an item counts. A void record is
nobody's last word: each other process may still try the item, once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.limits.postgres import LEASE_S, LOCK, Connection, Database
from pytest_sema_bench.records.conversations import pack, unpack
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.settings import DatabaseUrl

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedContent:
    """What the database holds of a run at some time."""

    content: Mapping[str, Any]
    """The run.json of the machine that began it."""
    items: tuple[PlannedItem, ...]


class SharedRun:
    """The run, as one process takes part in it."""

    def __init__(
        self, url: DatabaseUrl, name: str, folder: RunFolder, *, lease_s: float = LEASE_S
    ) -> None:
        """`folder` gets what others have done. Raises SettingsError for an unusable database."""
        self.name = name
        self._database = Database(url, lease_s=lease_s)
        # What came from there goes before what this process may have done late, and so does the
        # name of its file, in the order in which files are read.
        number = "".join(filter(str.isdigit, folder.process or "0"))
        self._elsewhere = RunFolder(
            folder.path,
            redactor=folder.redactor,
            process=f"elsewhere{number}",
            session=folder.session,
        )
        self._redactor = folder.redactor
        self._mine: dict[str, str] = {}
        """By key, the records that this process has put there, as they are written."""
        self._heard: set[str] = set()
        self._last = 0
        self._looks_again = False

    def join(
        self,
        facets: Mapping[str, object],
        content: Mapping[str, Any],
        items: Sequence[PlannedItem],
    ) -> None:
        """Begin the run, or take part in it.

        `facets` are what has to be the same on all machines. Raises SettingsError where it is not.
        """
        told = json.loads(json.dumps(facets, default=str))
        there = self._database.once(
            lambda connection: self._begin(connection, told, content, items)
        )
        for what in [*there, *told]:
            if there.get(what) != told.get(what):
                raise SettingsError(
                    f"--sema-run: {self.name} is another run than this, for they differ in {what}: "
                    f"{there.get(what)} there, {told.get(what)} here; give one of them another name"
                )

    def _begin(
        self,
        connection: Connection,
        facets: Mapping[str, object],
        content: Mapping[str, Any],
        items: Sequence[PlannedItem],
    ) -> Mapping[str, object]:
        """What the run's facets are."""
        connection.execute(LOCK, ([f"shared {self.name}"],))
        found = connection.execute(
            "SELECT facets FROM shared_runs WHERE run = %s", (self.name,)
        ).fetchone()
        if found is not None:
            there: Mapping[str, object] = found[0]
            return there
        text = self._redactor.clean(json.dumps(content, default=str))
        connection.execute(
            "INSERT INTO shared_runs VALUES (%s, %s, %s)", (self.name, json.dumps(facets), text)
        )
        connection.execute(
            "INSERT INTO items (run, key, planned, place) "
            "SELECT %s, * FROM unnest(%s::text[], %s::json[]) WITH ORDINALITY",
            (self.name, [i.key for i in items], [json.dumps(i.to_json()) for i in items]),
        )
        return facets

    def claim(self, keys: Sequence[str]) -> str | None:
        """The first of these items that nobody asks, which is now this process's to ask."""
        self._database.renew()
        return self._database.until_back(lambda connection: self._claim(connection, keys))

    def _claim(self, connection: Connection, keys: Sequence[str]) -> str | None:
        lease = self._database
        # One at a time: a statement that began before another process had its lease would take it
        # for one that has gone.
        connection.execute(LOCK, ([f"claims {self.name}"],))
        connection.execute(
            "INSERT INTO processes (process) VALUES (%s) "
            "ON CONFLICT (process) DO UPDATE SET at = excluded.at",
            (lease.holder,),
        )
        # What this process holds and does not know of: its claim was made as the connection broke.
        found = connection.execute(
            """
            UPDATE items SET holder = %(me)s WHERE run = %(run)s AND key = (
                SELECT key FROM items
                WHERE run = %(run)s AND key = ANY(%(keys)s)
                AND graded IS NOT TRUE AND NOT %(me)s = ANY(tried)
                AND (holder IS NULL OR holder = %(me)s OR NOT EXISTS (
                    SELECT 1 FROM processes
                    WHERE process = holder AND is_alive(at, %(lease_s)s)
                ))
                ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED
            ) RETURNING key""",
            {"me": lease.holder, "run": self.name, "keys": list(keys), "lease_s": lease.lease_s},
        ).fetchone()
        return None if found is None else found[0]

    def keep(self, ended: Sequence[Ended]) -> list[Record]:
        """Put records and conversations there; for each item the record that counts.

        Raises CannotWrite.
        """
        rows = []
        for record, transcript in ended:
            talk = json.dumps(transcript, ensure_ascii=False, default=str)
            line = self._redactor.clean(record.to_json())
            rows.append((record, line, pack(self._redactor.clean(talk))))
            self._mine[record.key] = line
        late = self._database.until_back(lambda connection: self._keep(connection, rows))
        if not late:
            return [record for record, _ in ended]
        others = self._database.until_back(lambda connection: self._ended(connection, late))
        winners = {r.key: r for r in self._keep_here(others)}
        return [winners.get(record.key, record) for record, _ in ended]

    def _keep(self, connection: Connection, rows: Sequence[tuple[Record, str, bytes]]) -> list[str]:
        """Put them there; the keys of those that had a verdict already."""
        # Numbers are given out in the order of commits, so that nobody misses one of them.
        connection.execute(LOCK, ([f"shared {self.name}"],))
        late = []
        for record, line, talk in rows:
            put = connection.execute(
                "UPDATE items SET record = %s, talk = %s, graded = %s, holder = NULL, "
                "tried = array_append(tried, %s), number = nextval('numbers') "
                "WHERE run = %s AND key = %s AND graded IS NOT TRUE RETURNING key",
                (line, talk, record.graded, self._database.holder, self.name, record.key),
            ).fetchone()
            if put is None:
                late.append(record.key)
        return late

    def news(self, wanted: Mapping[str, object]) -> list[Record]:
        """Verdicts of these items, by key, that others have reached, once they are on disk here.

        Raises CannotWrite.
        """
        if self._looks_again:
            self._looks_again, self._last = False, 0
        numbers = self._database.until_back(self._numbers)
        new = [key for _, key in numbers if key in wanted and key not in self._heard]
        heard: list[Record] = []
        for start in range(0, len(new), _BATCH):
            keys = new[start : start + _BATCH]
            heard += self._keep_here(self._database.until_back(partial(self._ended, keys=keys)))
        self._last = max([self._last, *(number for number, _ in numbers)])
        return heard

    def _keep_here(self, ended: Sequence[tuple[Record, str, dict[str, Any]]]) -> list[Record]:
        """Write to this machine's disk what is not its own; that, as it is written."""
        self._heard.update(record.key for record, *_ in ended)
        others = [(r, talk) for r, line, talk in ended if self._mine.get(r.key) != line]
        return self._elsewhere.keep(others) if others else []

    def look_again(self) -> None:
        """Have `news` tell of verdicts that were not wanted before."""
        self._looks_again = True

    def _numbers(self, connection: Connection) -> list[tuple[Any, ...]]:
        return connection.execute(
            "SELECT number, key FROM items WHERE run = %s AND number > %s AND graded",
            (self.name, self._last),
        ).fetchall()

    def _ended(
        self, connection: Connection, keys: Sequence[str]
    ) -> list[tuple[Record, str, dict[str, Any]]]:
        found = connection.execute(
            "SELECT record, talk FROM items WHERE run = %s AND key = ANY(%s)",
            (self.name, list(keys)),
        )
        return [(Record.from_json(line), line, unpack(talk)) for line, talk in found.fetchall()]

    def stop_waiting(self) -> None:
        """Wait no longer for a database that is away."""
        self._database.stop_waiting()

    def close(self) -> None:
        """Leave to others what was claimed and has not ended."""
        self._database.stop_waiting()
        with suppress(BenchError):  # its lease lapses
            self._database.once(self._leave)
        self._database.close()
        self._elsewhere.close()

    def _leave(self, connection: Connection) -> None:
        me = (self._database.holder,)
        connection.execute("UPDATE items SET holder = NULL WHERE holder = %s", me)
        connection.execute("DELETE FROM processes WHERE process = %s", me)


class StoredRun:
    """The run, as one who only reads it sees it. Raises DatabaseAway and CannotWrite."""

    def __init__(self, url: DatabaseUrl, name: str) -> None:
        """Raises SettingsError for a database that cannot be used or has no such run."""
        self._database = Database(url)
        self._name = name

    def read(self) -> SharedContent:
        """What there is of it. Raises SettingsError if there is none."""
        return self._database.once(self._read)

    def _read(self, connection: Connection) -> SharedContent:
        found = connection.execute(
            "SELECT content FROM shared_runs WHERE run = %s", (self._name,)
        ).fetchone()
        if found is None:
            runs = connection.execute("SELECT run FROM shared_runs ORDER BY run").fetchall()
            known = ", ".join(name for (name,) in runs) or "none"
            raise SettingsError(
                f"there is no run {self._name!r} in {self._database.url}; there: {known}"
            )
        rows = connection.execute(
            "SELECT planned FROM items WHERE run = %s ORDER BY place",
            (self._name,),
        ).fetchall()
        return SharedContent(
            content=found[0],
            items=tuple(PlannedItem.from_json(planned) for (planned,) in rows),
        )

    def ended(self) -> Iterator[list[Ended]]:
        """Records and conversations, in batches."""
        place = 0
        while True:
            rows = self._database.once(partial(self._batch, place=place))
            if not rows:
                return
            yield [(Record.from_json(line), unpack(talk)) for _, line, talk in rows]
            place = rows[-1][0]

    def _batch(self, connection: Connection, place: int) -> list[tuple[Any, ...]]:
        return connection.execute(
            "SELECT place, record, talk FROM items WHERE run = %s AND place > %s "
            "AND record IS NOT NULL ORDER BY place LIMIT %s",
            (self._name, place, _BATCH),
        ).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()
