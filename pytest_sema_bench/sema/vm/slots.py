"""Room for so many evaluations at a time, and a second try, alone, for what ran out of time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation
from pytest_sema_bench.sema.vm.watch import OF_PROCESSOR_TIME
from pytest_sema_bench.settings import Limits

Evaluate = Callable[[Limits], Awaitable[tuple[Evaluation, ...]]]


class Slots:
    """Places for evaluations, taken in the order of asking."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._free = asyncio.Semaphore(n)
        self._emptying = asyncio.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place beside others."""
        async with self._free:
            yield

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        """The whole room, once those who have a place are done."""
        # One after the other: two that each hold half would wait for ever.
        async with self._emptying:
            n_taken = 0
            try:
                while n_taken < self._n:
                    await self._free.acquire()
                    n_taken += 1
                yield
            finally:
                for _ in range(n_taken):
                    self._free.release()

    async def evaluate(self, evaluate: Evaluate, limits: Limits) -> tuple[Evaluation, ...]:
        """The evaluations; if processor time has stopped them, those of a second try, if allowed.

        How much work a second of processor time is depends on what else the machine does.
        """
        async with self.one():
            evaluations = await evaluate(limits)
        if limits.again_cpu_s is None or not any(map(_is_stopped, evaluations)):
            return evaluations
        async with self.all():
            return await evaluate(replace(limits, cpu_s=limits.again_cpu_s, again_cpu_s=None))


def _is_stopped(evaluation: Evaluation) -> bool:
    is_time = evaluation.error_class is ErrorClass.TIME
    return is_time and OF_PROCESSOR_TIME in (evaluation.error or "")
