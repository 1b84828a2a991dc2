"""The end of a host's process."""

import asyncio
import time
from asyncio.subprocess import PIPE

import pytest

from pytest_sema_bench.sema.vm.host import Host


def test_a_host_that_two_end_is_not_lost_by_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever closes the VM and whoever reads from it end it at once, and nothing is said."""

    async def end_twice(after_s: float) -> None:
        process = await asyncio.create_subprocess_exec(
            "sleep", "60", stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        host = Host(process)

        async def end_later() -> None:
            # Busy, so that neither the loop nor asyncio's watching thread hears of the first end.
            until = time.perf_counter() + after_s
            while time.perf_counter() < until:
                pass
            await host.end()

        await asyncio.gather(host.end(), end_later())

    async def end_many() -> None:
        for number in range(60):
            await end_twice(number * 20e-6)

    asyncio.run(end_many())
    assert not caplog.messages
