"""Work that is done once for all who ask."""

import asyncio

from pytest_sema_bench.grading.once import Once


class Work:
    """Gives how often it has been done; the first time it may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.n_done = 0
        self._fails = fails

    async def __call__(self) -> int:
        """Takes a turn of the loop."""
        self.n_done += 1
        await asyncio.sleep(0)
        if self._fails and self.n_done == 1:
            raise ValueError("the first time")
        return self.n_done


def test_all_who_ask_share_one_result() -> None:
    """At the same time, later, and when the one who asked first has given up."""

    async def check() -> None:
        once, work = Once[str, int](max_kept=2), Work()
        asking = [asyncio.create_task(once.get("a", work)) for _ in range(3)]
        await asyncio.sleep(0)
        asking[0].cancel()
        assert await asyncio.gather(*asking[1:]) == [1, 1]
        assert await once.get("a", work) == 1

    asyncio.run(check())


def test_what_failed_or_is_not_sure_is_done_anew() -> None:
    """A fault reaches all who wait for it and nobody after them; of many the oldest goes."""

    async def check() -> None:
        once, work = Once[str, int](max_kept=2), Work(fails=True)
        faults = await asyncio.gather(
            *(once.get("a", work) for _ in range(2)), return_exceptions=True
        )
        assert [type(fault) for fault in faults] == [ValueError, ValueError]
        assert await once.get("a", work) == 2
        assert [await once.get(key, work, lambda n: n != 3) for key in "bbcdb"] == [3, 4, 5, 6, 7]

    asyncio.run(check())
