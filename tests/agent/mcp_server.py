"""An MCP server for tests: odd names, a tool that hangs, one that ends it, one that says much."""

import asyncio
import os
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("odd")


@server.tool(name="words/count")
def count(text: str) -> str:
    """How many words a text has."""
    return str(len(text.split()))


@server.tool()
def where() -> str:
    """The working folder, what is in it, and the names of the environment's variables."""
    here = Path.cwd()
    return f"{here} {list(here.iterdir())} {' '.join(sorted(os.environ))}"


@server.tool()
def much() -> str:
    """More than a model can read."""
    return "x" * 100_000


@server.tool()
def refuse() -> str:
    """Fails, as the server says."""
    raise ValueError("not today")


@server.tool()
async def hang() -> str:
    """Gives no answer."""
    await asyncio.sleep(600)
    return "late"


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    server.run()
