"""The tools of an MCP server, offered to a model as the server describes them.

A conversation has a server process of its own, which ends with it. What the model does wrong is
the server's to answer; a server that dies is no doing of the model's.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pytest_sema_bench.agent.tools import Tool, Toolbox, ToolResult
from pytest_sema_bench.grading import VMFailure
from pytest_sema_bench.sema.mcp_client import CALL_S, CallRefused, McpSession, open_server
from pytest_sema_bench.sema.vm.classify import classify
from pytest_sema_bench.settings import McpServer

# Function calling takes these letters alone; `notebook/new` becomes `notebook_new`.
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


@asynccontextmanager
async def mcp_toolbox(server: McpServer, *, call_s: float = CALL_S) -> AsyncIterator[Toolbox]:
    """The server's tools while its process runs. Raises VMError if it does not start.

    A tool raises VMError if the process has ended, and answers the model if a call takes longer
    than `call_s`.
    """
    async with open_server(server) as session:
        yield Toolbox(
            [
                Tool(
                    name=legal_name(tool.name),
                    description=tool.description,
                    input_schema=tool.input_schema,
                    run=_caller(session, tool.name, call_s),
                )
                for tool in session.tools
            ]
        )


def legal_name(name: str) -> str:
    """A tool's name in the letters that function calling takes."""
    return _ILLEGAL.sub("_", name)[:_LONGEST_NAME]


def _caller(
    session: McpSession, name: str, call_s: float
) -> Callable[[Mapping[str, Any]], Awaitable[ToolResult]]:
    async def run(values: Mapping[str, Any]) -> ToolResult:
        try:
            text, is_error = await session.call(name, values, call_s)
        except TimeoutError:
            return ToolResult(text=f"Error: the tool gave no answer within {call_s:g} s.")
        except CallRefused as refusal:
            return ToolResult(text=f"Error: {refusal}", misfit=True)
        code = values.get("code")
        return ToolResult(
            text=text,
            failure=_failure(text) if is_error else None,
            program=code if isinstance(code, str) else None,
        )

    return run


def _failure(text: str) -> VMFailure | None:
    """The VM error that `sema mcp` tells of, which it begins with `Error:`."""
    _, said, message = text.partition("Error: ")
    if not said:
        return None
    error_class, name = classify(message)
    return VMFailure(error_class=error_class, name=name)
