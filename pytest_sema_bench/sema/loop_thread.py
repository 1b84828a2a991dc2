"""An event loop on a thread of its own, for callers without one."""

import asyncio
import os
import selectors
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from pytest_sema_bench.errors import BenchError

T = TypeVar("T")
_AT_ONCE = 4
"""Fewer than that, and a busy loop asks the system more often than it reads."""


class FewAtATime(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """Tells of a few of the sockets that are ready, and of the others the next time, in turn.

    Replies come in bursts, and a loop takes all of a burst through one step before it takes any
    through the next: without this the first of fifty would wait for the last before it is answered.
    """

    _last = -1
    """The file descriptor that was told of last."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See BaseSelector.select."""
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        if len(ready) > _AT_ONCE:
            # In turn, so that none waits for ever behind those that always have something.
            ready.sort(key=lambda event: (event[0].fd <= self._last, event[0].fd))
            del ready[_AT_ONCE:]
            self._last = ready[-1][0].fd
        return ready


class LoopThread:
    """Such a loop; of one process."""

    def __init__(self, name: str) -> None:
        self._pid = os.getpid()
        self.loop = _new_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """What will come of the work. Raises BenchError in a process forked from its own."""
        if os.getpid() != self._pid:
            work.close()
            raise BenchError(
                "this scorer was made before the process was forked, and its VM belongs to the "
                "process that made it; make one in each process"
            )
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Do the last work and end the thread; a second time it does nothing."""
        if self.loop.is_closed() or os.getpid() != self._pid:
            last.close()
            return
        try:
            self.submit(_end(last)).result()
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":  # where such loops start no processes
        return asyncio.new_event_loop()
    return asyncio.SelectorEventLoop(FewAtATime())


async def _end(last: Coroutine[Any, Any, None]) -> None:
    """Do the last work of a loop, then leave nothing on it."""
    await last
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
