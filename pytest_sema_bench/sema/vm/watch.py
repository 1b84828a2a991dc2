"""Waits for a process that evaluates, as long as it keeps within its limits."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pytest_sema_bench.settings import Limits

T = TypeVar("T")

OF_PROCESSOR_TIME = "of processor time"
"""What is said of a source that has used up its processor time."""
_POLL_S = 0.25


class Overdue(Exception):
    """A source used up its processor or waiting time."""


async def watched(work: Coroutine[Any, Any, T], cpu_s: Callable[[], float], limits: Limits) -> T:
    """What the work gives; `cpu_s` tells the processor seconds used so far. Raises Overdue."""
    waiting = asyncio.ensure_future(work)
    polled, before, waited_s = time.monotonic(), cpu_s(), 0.0
    used = before
    try:
        while not (await asyncio.wait({waiting}, timeout=_POLL_S))[0]:
            last, polled = polled, time.monotonic()
            last_used, used = used, cpu_s()
            # Even on an overloaded machine a program that works gets some of each interval.
            if used == last_used:
                waited_s += polled - last
            if used - before > limits.cpu_s:
                raise Overdue(f"stopped after {limits.cpu_s:g} s {OF_PROCESSOR_TIME}")
            if waited_s > limits.wall_s:
                raise Overdue(f"stopped after {limits.wall_s:g} s of waiting")
    finally:
        waiting.cancel()
    return waiting.result()
