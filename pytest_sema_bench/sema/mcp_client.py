"""A process that speaks MCP over stdio, such as `sema mcp`: started, asked, ended."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sema_bench.errors import BenchError, SettingsError, VMError
from pytest_sema_bench.sema.vm.choice import BINARY_VARIABLE, sema_binary
from pytest_sema_bench.settings import McpServer

if TYPE_CHECKING:
    from mcp import ClientSession

START_S, CALL_S = 30.0, 60.0
"""Longest time for a server to say what it has, and to answer one call."""
_LOG_CHARS = 2000


class CallRefused(Exception):
    """The protocol has no answer to a call, as its text says: the caller's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedTool:
    """A tool as the server describes it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


class McpSession:
    """A server under way."""

    def __init__(self, session: "ClientSession", tools: tuple[ServedTool, ...]) -> None:
        self.tools = tools
        """Those that are included, in that order."""
        self._session = session

    async def call(
        self, name: str, values: Mapping[str, Any], within_s: float = CALL_S
    ) -> tuple[str, bool]:
        """What a tool says, and whether it calls that an error.

        Raises TimeoutError, CallRefused, and VMError if the process has ended.
        """
        from mcp.shared.exceptions import MCPError

        try:
            async with asyncio.timeout(within_s):
                result: Any = await self._session.call_tool(name, dict(values))
        except MCPError as error:
            if "closed" in str(error).lower():
                raise VMError(f"the MCP server ended while it ran {name}: {error}") from error
            raise CallRefused(str(error)) from error
        text = "\n".join(getattr(part, "text", f"[{part.type}]") for part in result.content)
        return text.strip("\n"), result.is_error


@asynccontextmanager
async def open_server(server: McpServer, start_s: float = START_S) -> AsyncIterator[McpSession]:
    """The server while its process runs. Must be left by the task that entered it.

    It gets an empty folder to work in and no variable of ours but PATH. Raises VMError if it
    does not start, SettingsError if it lacks a tool that is included.
    """
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    with tempfile.TemporaryDirectory(prefix="sema-mcp-") as folder:
        log = Path(folder) / ".stderr"
        (workplace := Path(folder) / "work").mkdir()
        parameters = StdioServerParameters(
            command=str(sema_binary(server.command[0])),
            args=list(server.command[1:]),
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(workplace)},
            cwd=workplace,
        )
        began = False
        try:
            with log.open("w", encoding="utf-8") as words:
                async with (
                    stdio_client(parameters, errlog=words) as streams,
                    ClientSession(*streams) as session,
                ):
                    async with asyncio.timeout(start_s):
                        await session.initialize()
                        listed: Any = (await session.list_tools()).tools
                    tools = _included(server, {tool.name: tool for tool in listed})
                    began = True
                    yield McpSession(session, tools)
        except Exception as error:
            fault = _inner(error)
            if began or isinstance(fault, BenchError):
                raise fault from error
            said = log.read_text("utf-8", "replace")[-_LOG_CHARS:].strip()
            late = isinstance(fault, TimeoutError)
            why = f"no answer within {start_s:g} s" if late else "it ended"
            raise VMError(f"it does not start ({why}){f': {said}' if said else ''}") from error


async def check_server(server: McpServer) -> None:
    """Raises SettingsError if the server does not start or lacks a tool that is included."""
    if (path := sema_binary(server.command[0])) is None:
        where = f", and {BINARY_VARIABLE} is not set" if server.command[0] == "sema" else ""
        raise SettingsError(f"MCP server: there is no program {server.command[0]!r} on PATH{where}")
    try:
        import mcp  # noqa: F401 - only to see whether it is there
    except ImportError:
        raise SettingsError(
            "an MCP server needs the package mcp: pip install 'pytest-sema-bench[mcp]'"
        ) from None
    try:
        async with open_server(server):
            pass
    except VMError as error:
        raise SettingsError(f"the MCP server {path} cannot be used: {error}") from error


def _inner(error: Exception) -> Exception:
    """The first error that is no group: the SDK's task groups wrap what is raised in them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _included(server: McpServer, by_name: Mapping[str, Any]) -> tuple[ServedTool, ...]:
    names = server.include or tuple(by_name)
    if missing := [name for name in names if name not in by_name]:
        raise SettingsError(
            f"MCP server {' '.join(server.command)}: it has no tool {missing[0]!r}; it has "
            f"{', '.join(by_name)}"
        )
    return tuple(
        ServedTool(
            name=name,
            description=by_name[name].description or "",
            input_schema=by_name[name].input_schema,
        )
        for name in names
    )
