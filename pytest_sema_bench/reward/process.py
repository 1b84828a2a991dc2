"""The grader of this process: its VM pool starts with the first answer and ends with the process.

Trainers grade in workers of multiprocessing and Ray, forked or spawned. A pool is never shared: a
forked worker leaves its parent's behind and starts one of its own when it first needs it.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Sequence

from pytest_sema_bench.reward.grader import Reward, RewardGrader
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.truth import Truth
from pytest_sema_bench.sema.loop_thread import LoopThread

Jobs = Sequence[tuple[Truth, str]]


class Pool:
    """A grader on a thread of its own."""

    def __init__(self, settings: RewardSettings) -> None:
        self.thread = LoopThread("reward")
        self.grader = RewardGrader(settings)


class _Process:
    """The pools of one process, by their settings."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pools: dict[RewardSettings, Pool] = {}


_here = _Process()
_left_behind: list[dict[RewardSettings, Pool]] = []
"""What a parent had. Kept: as garbage its transports would close what is not theirs any more."""


def pool(settings: RewardSettings) -> Pool:
    """The grader of this process with such settings, and its thread; made if there is none."""
    with _here.lock:
        key = settings.of_pool
        if key not in _here.pools:
            _here.pools[key] = Pool(key)
        return _here.pools[key]


def rewards(jobs: Jobs, settings: RewardSettings) -> list[Reward]:
    """What answers earn, in order. Raises TruthError for a ground truth that is none."""
    own = pool(settings)
    return own.thread.submit(own.grader.rewards(jobs, settings)).result()


async def rewards_soon(jobs: Jobs, settings: RewardSettings) -> list[Reward]:
    """As `rewards`, for a caller with an event loop, which is free meanwhile."""
    own = await asyncio.to_thread(pool, settings)
    return await asyncio.wrap_future(own.thread.submit(own.grader.rewards(jobs, settings)))


def close() -> None:
    """End the VM pools of this process; the next answer starts a new one."""
    with _here.lock:
        pools, _here.pools = _here.pools, {}
    for each in pools.values():
        each.thread.close(each.grader.close())


def _begin_anew() -> None:
    _left_behind.append(_here.pools)
    # Another thread may have held the lock, and is not here to open it.
    _here.lock, _here.pools = threading.Lock(), {}


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
