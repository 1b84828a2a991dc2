"""What an engine asks of a run that machines share: an item at a time, claimed from the others.

To be used on the engine's loop; the database is waited for in threads.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_sema_bench.limits import needs_psycopg
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.reader import RunJson
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.keeper import Keeper
from pytest_sema_bench.run.manifest import facets
from pytest_sema_bench.settings import Settings

if TYPE_CHECKING:
    from pytest_sema_bench.limits.shared_run import SharedRun

_LOOK_S = 1.0
"""How soon it is noticed that an item has ended elsewhere, or is free again."""
_WINDOW = 200
"""So many items are tried at once to claim one of them."""


class Sharing:
    """The items of this process that nobody has claimed, and what the others have done."""

    def __init__(self, shared: "SharedRun") -> None:
        self.shared = shared
        self._wanted: dict[str, WorkItem] = {}
        self._unclaimed: dict[str, WorkItem] = {}
        self._keeper = Keeper(shared, lambda records: None)

    def join(self, content: Mapping[str, Any], items: Sequence[WorkItem]) -> None:
        """Begin the run of these items there, or take part in it; `content` is that of run.json.

        Raises SettingsError if it is another run than that.
        """
        same = facets(RunJson.from_json(json.loads(json.dumps(content, default=str))))
        by_task: dict[str, str] = {}
        for item in items:
            so_far = by_task.get(item.task.id, "")
            digest = hashlib.sha256(f"{so_far} {item.key}".encode()).hexdigest()
            by_task[item.task.id] = digest[:12]
        tasks = {f"the task {task}": digest for task, digest in by_task.items()}
        self.shared.join({**same, **tasks}, content, [item.planned for item in items])

    def put_nowait(self, item: WorkItem) -> None:
        """Have an item asked, here or elsewhere."""
        self._wanted[item.key] = self._unclaimed[item.key] = item
        self.shared.look_again()

    async def get(self) -> WorkItem:
        """The next item for this process to ask."""
        loop, start = asyncio.get_running_loop(), 0
        while True:
            keys = list(islice(self._unclaimed, start, start + _WINDOW))
            if not keys:
                start = 0
                await asyncio.sleep(_LOOK_S)
                continue
            key = await loop.run_in_executor(None, self.shared.claim, keys)
            if key is not None and (item := self._unclaimed.pop(key, None)):
                return item
            start += _WINDOW

    async def keep(self, ended: Ended) -> Record:
        """The record that counts of an item that has ended here. Raises CannotWrite."""
        return await self._keeper.keep(ended)

    async def hear(self, tell: Callable[[WorkItem, Record], None]) -> None:
        """Tell of each item that ends elsewhere, for ever. Raises CannotWrite."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._wanted:
                for record in await loop.run_in_executor(None, self.shared.news, self._wanted):
                    self._unclaimed.pop(record.key, None)
                    tell(self._wanted[record.key], record)


def sharing_of(settings: Settings, folder: RunFolder) -> Sharing | None:
    """How this process takes part in the run that its settings name; None if they name none.

    Raises SettingsError for a database that cannot be used.
    """
    if settings.run is None or settings.ledger is None:
        return None
    try:
        from pytest_sema_bench.limits.shared_run import SharedRun
    except ImportError as error:
        raise needs_psycopg(error) from error
    return Sharing(SharedRun(settings.ledger, settings.run, folder))
