"""The documentation search that Sema ships, `docs_search` and `docs` of `sema mcp`, as a search."""

import asyncio
import json
from pathlib import Path
from typing import Any

from pytest_sema_bench.docsearch.entry import Entry, EntryKind
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit
from pytest_sema_bench.errors import BenchError, VMError
from pytest_sema_bench.sema.mcp_client import McpSession, open_server
from pytest_sema_bench.settings import McpServer

SERVER = McpServer(command=("sema", "mcp", "--sandbox", "strict"), include=("docs_search", "docs"))
_MOST = 25
"""Hits that the server gives at most."""


class SemaSearch:
    """One server process for all searches; another one once it has died."""

    def __init__(self, server: McpServer = SERVER) -> None:
        self._server = server
        self._opening = asyncio.Lock()
        self._over = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None
        self._session: McpSession | None = None

    async def find(self, query: str, n: int = N_SHOWN) -> Found:
        """See Search.find. Raises VMError if the server dies or gives no answer."""
        try:
            session = await self._opened()
            # A name alone gets its entry whole, as from our own search; all else is an error here.
            text, is_error = await session.call("docs", {"symbol": query.strip()})
            if not is_error:
                entry = _entry({"name": query.strip(), "module": "docs", "summary": text})
                return Found(
                    query=query, hits=(Hit(entry=entry, name=entry.name, score=1.0),), exact=True
                )
            asked = {"query": query, "limit": min(n, _MOST)}
            text, is_error = await session.call("docs_search", asked)
        except (BenchError, TimeoutError) as error:
            await self.close()
            raise VMError(f"the search of sema mcp failed: {error or 'no answer'}") from error
        rows = [] if is_error else _rows(text)
        hits = [
            Hit(entry=_entry(row), name=row["name"], score=row.get("score", 0.0)) for row in rows
        ]
        return Found(query=query, hits=tuple(hits[:n]))

    async def close(self) -> None:
        """See Search.close."""
        self._over.set()
        holder, self._holder, self._session = self._holder, None, None
        if holder is not None:
            await asyncio.gather(holder, return_exceptions=True)

    async def _opened(self) -> McpSession:
        async with self._opening:
            if self._session is None:
                self._over = asyncio.Event()
                ready: asyncio.Future[McpSession] = asyncio.get_running_loop().create_future()
                self._holder = asyncio.create_task(self._hold(ready, self._over))
                self._session = await ready
            return self._session

    async def _hold(self, ready: "asyncio.Future[McpSession]", over: asyncio.Event) -> None:
        """Enter and leave the server in one task, as its task groups demand."""
        try:
            async with open_server(self._server) as session:
                ready.set_result(session)
                await over.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(error)


def _rows(text: str) -> list[dict[str, Any]]:
    """The hits in an answer; none where it is a sentence, such as that nothing was found."""
    try:
        rows = json.loads(text)
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]


def _entry(row: dict[str, Any]) -> Entry:
    """An entry with what the server says of a name: it has no examples apart from the text."""
    return Entry(
        name=row["name"],
        kind=EntryKind.FUNCTION,
        module=str(row.get("module", "")),
        shape=str(row.get("signature") or f"({row['name']} …)"),
        summary=str(row.get("summary", "")),
        examples=(),
        intents=(),
        path=Path("sema mcp"),
    )
