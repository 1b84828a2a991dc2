"""A server on loopback that embeds texts by their words.

Deterministic and real: requests go over a socket. It keeps what it was asked, and can be told
to answer with something else.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

from aiohttp import web

N_DIMENSIONS = 256
Answer = Callable[[], web.Response]


def vector(text: str) -> list[float]:
    """Counts of a text's words, each at a place of its own."""
    counts = [0.0] * N_DIMENSIONS
    for word in text.lower().split():
        counts[zlib.crc32(word.strip(".:,").encode()) % N_DIMENSIONS] += 1.0
    return counts


class EmbeddingServer:
    """`/v1/embeddings`, with every request kept."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str | None] = []
        self.script: list[Answer] = []
        """Answers given instead, one per request, before the server works again."""
        self.url = ""
        self._runner = runner
        self._site: web.AppRunner | None = None

    def start(self) -> None:
        """Listen on a free port."""
        self._runner.run(self._start())

    def close(self) -> None:
        """Stop listening."""
        if self._site is not None:
            self._runner.run(self._site.cleanup())

    def asked(self, path: str) -> list[dict[str, Any]]:
        """The bodies that were sent to a path."""
        return [body for where, body in self.requests if where == path]

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_post("/v1/embeddings", self._answer)
        self._site = web.AppRunner(application)
        await self._site.setup()
        site = web.TCPSite(self._site, "127.0.0.1", 0)
        await site.start()
        host, port = self._site.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append((request.path.removeprefix("/v1"), body))
        self.keys.append(request.headers.get("Authorization"))
        if self.script:
            return self.script.pop(0)()
        rows = [
            {"index": number, "embedding": vector(text)}
            for number, text in enumerate(body["input"])
        ]
        return web.json_response({"data": rows[::-1]})
