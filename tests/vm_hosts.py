"""The VM's host processes as the system sees them, for tests that count or kill them."""

import asyncio
from collections.abc import Callable

import psutil


def running_hosts() -> set[psutil.Process]:
    """The VM hosts that this process has started and that still run."""
    found = set()
    for child in psutil.Process().children():
        try:
            is_host = any(part.endswith("host.mjs") for part in child.cmdline())
            if is_host and child.status() != psutil.STATUS_ZOMBIE:
                found.add(child)
        except psutil.Error:
            pass
    return found


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds; only a fault makes this last a minute."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)
