"""Work whose result all who ask for it share, also those who ask while it is done."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Once(Generic[K, V]):
    """What came of some work, and what is under way, by what was asked."""

    def __init__(self, max_kept: int) -> None:
        self._max_kept = max_kept
        self._under_way: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """What comes of the work, which is begun if nobody has asked before; raises what it does.

        Who is cancelled does not take the work along, and what failed is tried again.
        """
        if key not in self._under_way:
            self._under_way[key] = asyncio.ensure_future(work())
            # Nobody may be left to wait for it, and then its fault is nobody's news.
            self._under_way[key].add_done_callback(lambda t: t.cancelled() or t.exception())
            if len(self._under_way) > self._max_kept:
                del self._under_way[next(iter(self._under_way))]
        under_way = self._under_way[key]
        try:
            return await asyncio.shield(under_way)
        except Exception:
            # A host fault now says nothing about the next try.
            if self._under_way.get(key) is under_way:
                self.forget(key)
            raise

    def forget(self, key: K) -> None:
        """Let it be done anew for who asks next."""
        self._under_way.pop(key, None)
