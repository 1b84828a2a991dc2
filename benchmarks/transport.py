"""The chat client over httpx's own connection pool and over the aiohttp transport.

    python benchmarks/transport.py

1,200 calls to a server that takes 0.25 s a reply, at 50 and 200 connections.
"""

import asyncio
import time

import httpx
from slow_server import slow_server
from tabulate import tabulate

from pytest_sema_bench.chat import ChatClient, HttpWire
from pytest_sema_bench.redaction import Redactor

N_CALLS = 1200
REPLY_S = 0.25
BODY = {"model": "slow", "messages": [{"role": "user", "content": "x" * 6000}]}


class HttpxPool(httpx.AsyncHTTPTransport):
    """httpx's own pool, told the host, which aiohttp finds out by itself."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        request.headers["Host"] = request.url.netloc.decode()
        return await super().handle_async_request(request)


async def run(url: str, n_connections: int, *, own_pool: bool) -> float:
    """Seconds for all calls."""
    limits = httpx.Limits(max_connections=n_connections, max_keepalive_connections=n_connections)
    transport = HttpxPool(limits=limits) if own_pool else None
    wire = HttpWire(url, None, n_connections=n_connections, transport=transport)
    client = ChatClient(wire, redactor=Redactor())
    slots = asyncio.Semaphore(n_connections)

    async def call() -> None:
        async with slots:
            await client.complete(BODY)

    started = time.monotonic()
    await asyncio.gather(*(call() for _ in range(N_CALLS)))
    elapsed = time.monotonic() - started
    await client.close()
    return elapsed


def main() -> None:
    """Measure in turn and print the ratios to the ideal."""
    rows = []
    with slow_server(REPLY_S, "prose") as url:
        for n_connections in (50, 200):
            ideal_s = N_CALLS / n_connections * REPLY_S
            for name, own_pool in (("httpx pool", True), ("aiohttp transport", False)):
                wall_s = asyncio.run(run(url, n_connections, own_pool=own_pool))
                rows.append([name, n_connections, wall_s, ideal_s, wall_s / ideal_s])
    headers = ["transport", "connections", "wall s", "ideal s", "ratio"]
    print(tabulate(rows, headers=headers, floatfmt=".2f"))


if __name__ == "__main__":
    main()
