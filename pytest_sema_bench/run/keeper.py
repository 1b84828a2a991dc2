"""Group commit: what ends within a few milliseconds is written and synced together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from pytest_sema_bench.records.folder import Ended
from pytest_sema_bench.records.record import Record

_GATHER_S = 0.005
"""So long the first record waits for others to share its write and its sync."""


class Keeping(Protocol):
    """Where records are kept, such as a RunFolder."""

    def keep(self, ended: Sequence[Ended]) -> list[Record]:
        """Keep them for good; the records as they are then. Raises CannotWrite."""
        ...


class Keeper:
    """What writes the records of an event loop's items, and tells of them once they are on disk."""

    def __init__(self, folder: Keeping, tell: Callable[[Sequence[Record]], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._due: list[tuple[Ended, asyncio.Future[Record]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, ended: Ended) -> Record:
        """The record as it was written, once it is on disk. Raises CannotWrite."""
        written: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._due.append((ended, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await written

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(_GATHER_S)
        # What becomes due during a sync shares the next one.
        while self._due:
            due, self._due = self._due, []
            try:
                records = await loop.run_in_executor(
                    None, self._folder.keep, [ended for ended, _ in due]
                )
            except Exception as error:
                for _, written in due:
                    written.set_exception(error)
                continue
            for (_, written), record in zip(due, records, strict=True):
                written.set_result(record)
            self._tell(records)
