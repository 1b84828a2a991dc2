"""Many items at once on one background event loop: in order, bounded, each to its record.

Items are put under way in the order they are given, as many at once as the concurrency allows;
whoever needs one waits for its record. `resources` says what is done for one item.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import CancelledError
from typing import Any

from pytest_sema_bench.errors import CannotWrite
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.keeper import Keeper
from pytest_sema_bench.run.resources import EngineOptions, Resources
from pytest_sema_bench.run.sharing import Sharing
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.sema.vm.background import BackgroundVM, settle
from pytest_sema_bench.settings import Limits


class Engine:
    """The loop of a VM in its thread, with all items under way. To be used from one other thread.

    Raises VMError while it is made, before anything has been paid for. The VM ends with it.
    """

    def __init__(
        self,
        folder: RunFolder,
        background: BackgroundVM,
        *,
        concurrency: int,
        options: EngineOptions | None = None,
        limits: Limits | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self._begun: set[ItemKey] = set()
        self._ended: dict[ItemKey, Record | Exception] = {}
        """An exception is that of a record that could not be written."""
        self._news = threading.Condition()
        """Told when an item has ended, and when all have."""
        self._is_closed = False
        self._failure: CannotWrite | None = None
        """Why nothing more can be kept, so that nothing more is asked."""
        self._sharing = sharing
        self._waiting: asyncio.Queue[WorkItem] | Sharing = sharing or asyncio.Queue()
        self._places = asyncio.Semaphore(concurrency)
        self._graders = asyncio.Semaphore(background.n_hosts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._background = background
        self._loop = background.thread.loop

        async def make_resources(info: VMInfo) -> Resources:
            return Resources(
                vm=background.vm,
                vm_info=info,
                n_connections=concurrency,
                options=options or EngineOptions(),
                limits=limits or Limits(),
                redactor=folder.redactor,
            )

        try:
            # The VM is waited for here, what needs the loop is made there.
            made = background.thread.submit(make_resources(background.info))
            self._resources = made.result()
        except BaseException:
            # Ctrl-C while the VM starts, too: the thread must not outlive a failed start.
            background.close()
            raise
        self._keeper = Keeper(folder, self._resources.count)
        self._loop.call_soon_threadsafe(self._begin, self._feed())
        if sharing is not None:
            self._loop.call_soon_threadsafe(self._begin, self._hear(sharing))

    @property
    def vm_info(self) -> VMInfo:
        """Which VM judges."""
        return self._resources.vm_info

    def start(self, items: Iterable[WorkItem]) -> None:
        """Put items under way, in this order. One that already is stays as it is."""
        new = [item for item in items if item.item not in self._begun]
        self._begun.update(item.item for item in new)
        # Queue and tasks are the loop's: another thread may only leave word there.
        self._loop.call_soon_threadsafe(self._line_up, new)

    def result(self, item: WorkItem) -> Record:
        """The item's record, waiting for it; the item is started if it was not.

        Raises CannotWrite if nothing can be kept any more, CancelledError if the engine was closed
        before it had one.
        """
        while (record := self.wait(item, None)) is None:
            pass
        return record

    def wait(self, item: WorkItem, within_s: float | None) -> Record | None:
        """The same; None if the item has not ended within that time."""
        if item.item not in self._begun:
            self.start([item])
        with self._news:
            self._news.wait_for(
                lambda: item.item in self._ended or self._is_closed or self._failure, within_s
            )
            ended = self._ended.get(item.item)
        if isinstance(ended, Exception):
            raise ended
        if ended is None and self._failure is not None:
            raise self._failure
        if ended is None and self._is_closed:
            raise CancelledError
        return ended

    def close(self) -> None:
        """Cancel what is under way, end the VM's processes and the loop.

        An item that has its verdict still gets its record.
        """
        if not self._is_closed:
            self._background.thread.close(self._end())
            with self._news:
                self._is_closed = True
                self._news.notify_all()

    # What follows runs on the loop.

    def _line_up(self, items: Iterable[WorkItem]) -> None:
        for item in items:
            self._waiting.put_nowait(item)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _feed(self) -> None:
        """Put one item after the other under way, as places become free."""
        while True:
            await self._places.acquire()
            # Answered items stand in this line too: they are graded before another is asked.
            async with self._graders:
                pass
            # Last: where machines share a run, nobody else can ask the item from now on.
            item = await self._waiting.get()
            self._begin(self._carry_out(item))

    async def _carry_out(self, item: WorkItem) -> None:
        """One item to its record, which is on disk before anyone hears of it."""
        ended: Record | Exception
        try:
            try:
                asked, took = await self._resources.ask(item)
            finally:
                # A place is for asking: while this item is graded, the next one is asked.
                self._places.release()
            if isinstance(asked.broken_off_by, CannotWrite):
                raise asked.broken_off_by
            async with self._graders:
                record, transcript = await self._resources.conclude(item, asked, took)
            # A verdict is not lost because the run ends just then.
            ended = await asyncio.shield(self._keep((record, transcript)))
        except CannotWrite as error:
            self._fail(error)
            return
        except Exception as error:
            ended = error
        self._tell(item, ended)

    async def _keep(self, ended: Ended) -> Record:
        """The record that counts, once it is on disk and where machines share the run."""
        record = await self._keeper.keep(ended)
        if self._sharing is None:
            return record
        return await self._sharing.keep((record, ended[1]))

    async def _hear(self, sharing: Sharing) -> None:
        try:
            await sharing.hear(self._tell)
        except CannotWrite as error:
            self._fail(error)

    def _tell(self, item: WorkItem, ended: Record | Exception) -> None:
        with self._news:
            self._ended[item.item] = ended
            self._news.notify_all()

    def _fail(self, error: CannotWrite) -> None:
        """End everything at once: no answer that is paid for now could be kept."""
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        with self._news:
            self._failure = self._failure or error
            self._news.notify_all()

    async def _end(self) -> None:
        """End all items, then what they share."""
        if self._sharing is not None:
            self._sharing.shared.stop_waiting()
        left = asyncio.all_tasks()
        for task in self._tasks:
            task.cancel()
        await self._resources.close()
        await settle(left)
        await self._resources.close_ledger()
        if self._sharing is not None:
            self._sharing.shared.close()
