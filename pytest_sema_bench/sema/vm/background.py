"""The VM on an event loop of its own, which starts while its user does other things."""

import asyncio
import os
from concurrent.futures import Future
from typing import Any

from pytest_sema_bench.sema.loop_thread import LoopThread
from pytest_sema_bench.sema.vm import VMInfo, create_vm

_MAX_HOSTS = 4
"""Over all processes of a run."""


def n_hosts(n_processes: int = 1) -> int:
    """How many hosts each of a run's processes has: two for a processor.

    While one waits for its next program, another works.
    """
    return max(1, min(_MAX_HOSTS, 2 * (os.cpu_count() or 1)) // n_processes)


class BackgroundVM:
    """The VM and its loop, for one user who ends both."""

    def __init__(self, backend: str, n_hosts: int, *, info: VMInfo | None = None) -> None:
        """Start the VM, or, with `info` that another process has got of it, let it wait.

        Raises SettingsError if there is no such backend.
        """
        self.n_hosts = n_hosts
        self.vm = create_vm(backend, n_hosts)
        self.thread = LoopThread("sema-bench")
        self._info: Future[VMInfo] = Future()
        if info is None:
            self._info = self.thread.submit(self.vm.info())
        else:
            self._info.set_result(info)

    @property
    def info(self) -> VMInfo:
        """Which VM it is, once it has started. Raises VMError if it cannot be started."""
        return self._info.result()

    def close(self) -> None:
        """End the VM and the loop, whoever used them before; a second time it does nothing."""
        self.thread.close(self._end())

    async def _end(self) -> None:
        await self.vm.close()
        await settle(set())


async def settle(left: set[asyncio.Task[Any]]) -> None:
    """Wait for all that is left on the loop, and for what its threads do.

    What is no item is not cancelled: among it are asyncio's own tasks, and a process whose start
    is cut short there would be waited for in vain. It ends by itself once the VM is closed.
    """
    left = (left | asyncio.all_tasks()) - {asyncio.current_task()}
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
