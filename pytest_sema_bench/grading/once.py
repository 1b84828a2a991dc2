"""Work whose result all who ask for it share, also those who ask while it is done."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Once(Generic[K, V]):
    """What came of some work, and what is under way, by what was asked."""

    def __init__(self, max_kept: int) -> None:
        self._max_kept = max_kept
        self._under_way: dict[K, asyncio.Task[V]] = {}

    async def get(
        self,
        key: K,
        work: Callable[[], Coroutine[Any, Any, V]],
        is_sure: Callable[[V], bool] = lambda _: True,
    ) -> V:
        """What comes of the work, which is begun if nobody has asked before; raises what it does.

        Who is cancelled does not take the work along. What failed, or is not sure to come out so
        again, is done anew for who asks after that.
        """
        if (under_way := self._under_way.get(key)) is None:
            under_way = self._under_way[key] = asyncio.ensure_future(work())
            under_way.add_done_callback(partial(self._forget_unsure, key, is_sure))
            if len(self._under_way) > self._max_kept:
                del self._under_way[next(iter(self._under_way))]
        return await asyncio.shield(under_way)

    def _forget_unsure(self, key: K, is_sure: Callable[[V], bool], done: "asyncio.Task[V]") -> None:
        failed = done.cancelled() or done.exception() is not None
        if (failed or not is_sure(done.result())) and self._under_way.get(key) is done:
            del self._under_way[key]
