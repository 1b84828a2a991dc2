"""Many items at once on one background event loop: in order, bounded, each to its record.

Items are put under way in the order they are given, as many at once as the concurrency allows;
whoever needs one waits for its record. `resources` says what is done for one item.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from pytest_sema_bench.errors import CannotWrite
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.keeper import Keeper
from pytest_sema_bench.run.resources import EngineOptions, Resources
from pytest_sema_bench.run.sharing import Sharing
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task

T = TypeVar("T")


class Engine:
    """The loop in its thread, with all items under way. To be used from one other thread.

    Raises VMError while it is made, before anything has been paid for.
    """

    def __init__(
        self,
        folder: RunFolder,
        tasks: Sequence[Task],
        *,
        backend: str,
        concurrency: int,
        n_hosts: int | None = None,
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
        n_hosts = n_hosts or min(4, os.cpu_count() or 1)
        self._graders = asyncio.Semaphore(n_hosts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="sema-bench", daemon=True
        )
        self._thread.start()
        resources = Resources.open(
            backend,
            tasks,
            n_hosts=n_hosts,
            n_connections=concurrency,
            options=options or EngineOptions(),
            limits=limits or Limits(),
            redactor=folder.redactor,
        )
        try:
            self._resources = self._do(resources)
        except BaseException:
            # Ctrl-C while the VM starts, too: the thread must not outlive a failed start.
            self._end_loop(_settle(set()))
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
            self._end_loop(self._end())
            with self._news:
                self._is_closed = True
                self._news.notify_all()

    # What follows runs on the loop, but for the last two.

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
        await _settle(left)
        await self._resources.close_ledger()
        if self._sharing is not None:
            self._sharing.shared.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self, last: Coroutine[Any, Any, None]) -> None:
        try:
            self._do(last)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _settle(left: set[asyncio.Task[Any]]) -> None:
    """Wait for all that is left on the loop, and for what its threads do.

    What is no item is not cancelled: among it are asyncio's own tasks, and a process whose start
    is cut short there would be waited for in vain. It ends by itself once the VM is closed.
    """
    left = (left | asyncio.all_tasks()) - {asyncio.current_task()}
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
