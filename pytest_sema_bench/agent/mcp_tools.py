"""The tools of an MCP server over stdio, offered to a model as the server describes them.

A conversation has a server process of its own, which ends with it. What the model does wrong is
the server's to answer; a server that dies is no doing of the model's.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sema_bench.agent.tools import Tool, Toolbox, ToolResult
from pytest_sema_bench.errors import BenchError, SettingsError, VMError
from pytest_sema_bench.grading import VMFailure
from pytest_sema_bench.sema.vm.choice import BINARY_VARIABLE, sema_binary
from pytest_sema_bench.sema.vm.classify import classify
from pytest_sema_bench.settings import McpServer

if TYPE_CHECKING:
    from mcp import ClientSession

START_S, CALL_S = 30.0, 60.0
"""Longest time for a server to say what it has, and to answer one call."""
_LOG_CHARS = 2000
# Function calling takes these letters alone; `notebook/new` becomes `notebook_new`.
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


async def check_server(server: McpServer) -> None:
    """Raises SettingsError if the server does not start or lacks a tool that is included."""
    if (path := _program(server)) is None:
        where = f", and {BINARY_VARIABLE} is not set" if server.command[0] == "sema" else ""
        raise SettingsError(f"MCP server: there is no program {server.command[0]!r} on PATH{where}")
    try:
        import mcp  # noqa: F401 - only to see whether it is there
    except ImportError:
        raise SettingsError(
            "tools of an MCP server need the package mcp: pip install 'pytest-sema-bench[mcp]'"
        ) from None
    try:
        async with mcp_toolbox(server):
            pass
    except VMError as error:
        raise SettingsError(f"the MCP server {path} cannot be used: {error}") from error


@asynccontextmanager
async def mcp_toolbox(
    server: McpServer, *, start_s: float = START_S, call_s: float = CALL_S
) -> AsyncIterator[Toolbox]:
    """The server's tools while its process runs. Raises VMError if it does not start.

    It gets an empty folder to work in and no variable of ours but PATH. A tool raises VMError if
    the process has ended, and answers the model if a call takes longer than `call_s`.
    """
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    with tempfile.TemporaryDirectory(prefix="sema-mcp-") as folder:
        log = Path(folder) / ".stderr"
        (workplace := Path(folder) / "work").mkdir()
        parameters = StdioServerParameters(
            command=str(_program(server)),
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
                        listed = (await session.list_tools()).tools
                    tools = [_tool(session, tool, call_s) for tool in _included(server, listed)]
                    began = True
                    yield Toolbox(tools)
        except Exception as error:
            fault = _inner(error)
            if began or isinstance(fault, BenchError):
                raise fault from error
            said = log.read_text("utf-8", "replace")[-_LOG_CHARS:].strip()
            late = isinstance(fault, TimeoutError)
            why = f"no answer within {start_s:g} s" if late else "it ended"
            raise VMError(f"it does not start ({why}){f': {said}' if said else ''}") from error


def _inner(error: Exception) -> Exception:
    """The first error that is no group: the SDK's task groups wrap what is raised in them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _program(server: McpServer) -> Path | None:
    """The server's program; `sema` is found as the native VM is."""
    return sema_binary(server.command[0])


def _included(server: McpServer, listed: Sequence[Any]) -> list[Any]:
    by_name = {tool.name: tool for tool in listed}
    if missing := [name for name in server.include or () if name not in by_name]:
        raise SettingsError(
            f"MCP server {' '.join(server.command)}: it has no tool {missing[0]!r}; it has "
            f"{', '.join(by_name)}"
        )
    return [by_name[name] for name in server.include or by_name]


def _tool(session: "ClientSession", tool: Any, call_s: float) -> Tool:
    return Tool(
        name=legal_name(tool.name),
        description=tool.description or "",
        input_schema=tool.input_schema,
        run=_caller(session, tool.name, call_s),
    )


def legal_name(name: str) -> str:
    """A tool's name in the letters that function calling takes."""
    return _ILLEGAL.sub("_", name)[:_LONGEST_NAME]


def _caller(
    session: "ClientSession", name: str, call_s: float
) -> Callable[[Mapping[str, Any]], Any]:
    from mcp.shared.exceptions import MCPError

    async def run(values: Mapping[str, Any]) -> ToolResult:
        try:
            async with asyncio.timeout(call_s):
                result: Any = await session.call_tool(name, dict(values))
        except TimeoutError:
            return ToolResult(text=f"Error: the tool gave no answer within {call_s:g} s.")
        except MCPError as error:
            if "closed" in str(error).lower():
                raise VMError(f"the MCP server ended while it ran {name}: {error}") from error
            return ToolResult(text=f"Error: {error}", misfit=True)
        text = "\n".join(getattr(part, "text", f"[{part.type}]") for part in result.content)
        return ToolResult(text=text.strip("\n"), failure=_failure(text, result.is_error))

    return run


def _failure(text: str, is_error: bool) -> VMFailure | None:
    """The VM error that `sema mcp` tells of, which it begins with `Error:`."""
    _, said, message = text.partition("Error: ")
    if not (is_error and said):
        return None
    error_class, name = classify(message)
    return VMFailure(error_class=error_class, name=name)
