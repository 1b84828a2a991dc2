"""Our docs_search answered by Sema's own MCP server."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.search import Found, Search
from pytest_sema_bench.docsearch.sema_docs import SemaSearch
from pytest_sema_bench.docsearch.settings import read_docs_settings
from pytest_sema_bench.docsearch.show import describe
from pytest_sema_bench.errors import VMError
from pytest_sema_bench.settings import McpServer
from tests import sema_builds

pytestmark = pytest.mark.vm
ODD = McpServer(
    command=(sys.executable, str(Path(__file__).parents[1] / "agent" / "mcp_server.py")),
    include=("docs_search",),
)


def find(search: Search, *queries: str) -> list[Found]:
    """What each query gives, in one go."""

    async def ask() -> list[Found]:
        try:
            return [await search.find(query) for query in queries]
        finally:
            await search.close()

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def binary(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sema` is the native build; without one the test is skipped."""
    monkeypatch.setenv("SEMA_BIN", str(sema_builds.native().path))


def test_its_hits_are_what_the_server_found() -> None:
    """Names in its order, with what it says of them; a name alone gives all of its page."""
    before = set(psutil.Process().children())
    search = make_search(read_docs_settings(option="sema"))
    found, exact, nothing = find(search, "reverse a list", "string/reverse", "zzzz qqqq")
    assert found.names[0] == "reverse"
    assert "(reverse seq)" in describe(found)
    assert exact.exact
    assert "Reverse a string" in describe(exact)
    assert nothing.hits == ()
    assert set(psutil.Process().children()) <= before


def test_a_server_that_lacks_the_tools_is_told() -> None:
    """It is our fault or the user's, never the model's."""
    with pytest.raises(VMError, match="the search of sema mcp failed"):
        find(SemaSearch(ODD), "reverse a list")
