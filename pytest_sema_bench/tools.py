"""The tools that a model may call, as a registry by name.

A tool gets the arguments as the model sent them and gives text back; whatever the model does
wrong is answered with text too. Only a fault of our own raises.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.grade import VMFailure
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.vm import Evaluation, SemaVM

HEAD_CHARS = 3000
TAIL_CHARS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool call gave."""

    text: str
    failure: VMFailure | None = None
    """The VM error that the call met."""
    n_repairs: int = 0
    """Departures from the schema that were understood all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON schemas by parameter name; all are required strings."""
    run: Callable[[Mapping[str, str]], Awaitable[ToolResult]]

    @property
    def schema(self) -> dict[str, Any]:
        """The tool in the format of the chat API."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": dict(self.parameters),
                    "required": list(self.parameters),
                },
            },
        }


class Toolbox:
    """The tools of one configuration, ready to be called."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @property
    def schemas(self) -> list[dict[str, Any]]:
        """All tools in the format of the chat API."""
        return [tool.schema for tool in self._tools.values()]

    async def call(self, name: object, arguments: object) -> ToolResult:
        """The result of one call; a text that says what is wrong where it cannot be made."""
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return ToolResult(text=f"Error: there is no tool {repr(name)[:80]}. Tools: {known}.")
        try:
            values, n_repairs = _read_arguments(arguments, tool)
        except ValueError as error:
            return ToolResult(text=f"Error: {error}")
        result = await tool.run(values)
        return ToolResult(text=shorten(result.text), failure=result.failure, n_repairs=n_repairs)


def make_toolbox(names: Sequence[str], vm: SemaVM, limits: Limits) -> Toolbox:
    """The tools called `names`. Raises SettingsError for a name there is no tool for."""
    check_tool_names(names)
    return Toolbox([_MAKERS[name](vm, limits) for name in names])


def check_tool_names(names: Sequence[str]) -> None:
    """Raises SettingsError for a name there is no tool for."""
    for name in names:
        if name not in _MAKERS:
            known = ", ".join(sorted(_MAKERS))
            raise SettingsError(f"unknown tool {name!r} in a configuration; known are {known}")


def shorten(text: str) -> str:
    """The text, or its head and tail with a line between them that says what is left out."""
    left_out = len(text) - HEAD_CHARS - TAIL_CHARS
    if left_out <= 0:
        return text
    return f"{text[:HEAD_CHARS]}\n… {left_out} characters left out …\n{text[-TAIL_CHARS:]}"


def _read_arguments(arguments: object, tool: Tool) -> tuple[dict[str, str], int]:
    """The values by parameter and how many repairs that took. Raises ValueError for the model."""
    n_repairs = 0
    if isinstance(arguments, dict):
        n_repairs = 1
    elif isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the arguments are not JSON ({error}): send an object") from None
    wanted = ", ".join(f'"{name}": string' for name in tool.parameters)
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments must be an object {{{wanted}}}")
    for name in tool.parameters:
        if not isinstance(arguments.get(name), str):
            raise ValueError(f"argument {name!r} is missing or no string; send {{{wanted}}}")
    return {name: arguments[name] for name in tool.parameters}, n_repairs


def _make_eval_code(vm: SemaVM, limits: Limits) -> Tool:
    async def run(values: Mapping[str, str]) -> ToolResult:
        (evaluation,) = await vm.evaluate([values["code"]], limits)
        return ToolResult(text=_describe(evaluation), failure=VMFailure.of(evaluation))

    return Tool(
        name="eval_code",
        description=(
            "Run Sema code in the real Sema VM and see its output and the value of its last "
            "form, or the error. Every call starts a fresh interpreter: nothing that an earlier "
            "call defined is still there, so send the whole program each time, and calls that "
            "try it."
        ),
        parameters={"code": {"type": "string", "description": "Sema source code"}},
        run=run,
    )


def _describe(evaluation: Evaluation) -> str:
    parts = []
    if evaluation.output:
        parts.append("Output:\n" + "\n".join(evaluation.output))
    if evaluation.error is not None:
        parts.append("Error: " + evaluation.error)
    elif evaluation.value is not None:
        parts.append("Value: " + evaluation.value)
    else:
        parts.append("Value: nil (or the last form is a definition)")
    return "\n".join(parts)


_MAKERS: dict[str, Callable[[SemaVM, Limits], Tool]] = {"eval_code": _make_eval_code}
