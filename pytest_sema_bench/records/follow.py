"""A run folder that grows: what has been written so far, read on from where the last look ended."""

import time
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.records.reader import ITEMS_FILE, read_items, read_manifest, record_files
from pytest_sema_bench.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Headway:
    """How far a run has come."""

    n_items: int
    """What it set out to do; 0 while that is not known."""
    n_graded: int
    n_pass: int
    n_void: int
    spent_usd: float | None
    """By its records; None if a price or a usage is unknown."""
    n_new: int
    """Records that came while it was followed."""
    elapsed_s: float
    """Since it is followed."""
    quiet_s: float
    """Since the last record came, or since it is followed."""
    state: RunStatus | None

    @property
    def n_done(self) -> int:
        """Items that have ended."""
        return self.n_graded + self.n_void

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at the pace so far; None while nobody can tell."""
        if not self.n_new or not self.n_items:
            return None
        return self.elapsed_s / self.n_new * max(self.n_items - self.n_done, 0)

    @property
    def expected_usd(self) -> float | None:
        """What all of it costs at what items have cost so far; None while nobody can tell."""
        if self.spent_usd is None or not self.n_done or not self.n_items:
            return None
        return self.spent_usd / self.n_done * self.n_items


class Follower:
    """Reads a run folder as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: dict[Path, int] = {}
        self._ends: dict[ItemKey, tuple[bool, bool]] = {}
        """Whether each item is graded, and whether it passed."""
        self._spent_usd: float | None = 0.0
        self._items_stamp, self._n_items = -1, 0
        self._n_before: int | None = None
        self._n_seen = 0
        self._since = self._last = time.monotonic()

    def look(self) -> Headway:
        """What there is now. Raises BenchError if the folder cannot be read."""
        for path in record_files(self._path):
            self._read_on(path)
        now = time.monotonic()
        if self._n_before is None:
            self._n_before = self._n_seen
        ends = self._ends.values()
        n_graded = sum(graded for graded, _ in ends)
        return Headway(
            n_items=self._count_items(),
            n_graded=n_graded,
            n_pass=sum(passed for _, passed in ends),
            n_void=len(ends) - n_graded,
            spent_usd=self._spent_usd,
            n_new=self._n_seen - self._n_before,
            elapsed_s=now - self._since,
            quiet_s=now - self._last,
            state=read_manifest(self._path).state,
        )

    def _count_items(self) -> int:
        """What the run set out to do; a long list, which is read anew only once it has changed."""
        try:
            stamp = (self._path / ITEMS_FILE).stat().st_mtime_ns
        except OSError:
            return 0
        if stamp != self._items_stamp:
            self._items_stamp, self._n_items = stamp, len(read_items(self._path))
        return self._n_items

    def _read_on(self, path: Path) -> None:
        start = self._offsets.get(path, 0)
        try:
            with path.open("rb") as file:
                file.seek(start)
                new = file.read()
        except OSError as error:
            raise BenchError(f"{path} cannot be read: {error.strerror}") from error
        whole = new[: new.rfind(b"\n") + 1]
        self._offsets[path] = start + len(whole)
        for line in filter(None, whole.decode("utf-8", "replace").split("\n")):
            record = Record.from_json(line)
            self._n_seen += 1
            self._last = time.monotonic()
            # A graded record stays; of several void ones any will do.
            if not self._ends.get(record.item, (False, False))[0]:
                self._ends[record.item] = record.graded, record.passed
            cost = record.cost_usd
            known = self._spent_usd is not None and cost is not None
            self._spent_usd = (self._spent_usd or 0.0) + (cost or 0.0) if known else None
