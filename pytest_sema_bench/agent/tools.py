"""The tools that a model may call, as a registry by name.

A tool gets the arguments as the model sent them and gives text back; whatever the model does
wrong is answered with text too. Only a fault of our own raises.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

from pytest_sema_bench.agent.eval_text import describe as describe_evaluation
from pytest_sema_bench.dialect import Dialect, speak
from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.search import Found, Search
from pytest_sema_bench.docsearch.show import describe
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.grading import VMFailure
from pytest_sema_bench.grading.format import cut
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits

HEAD_CHARS = 3000
TAIL_CHARS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool call gave."""

    text: str
    name: str = ""
    """The tool that was called, or what the model called it."""
    failure: VMFailure | None = None
    """The VM error that the call met."""
    repaired: bool = False
    """The call did not fit the schema and was understood all the same."""
    misfit: bool = False
    """The call did not fit the schema and was answered with an error."""
    found: Found | None = None
    """What a search of the documentation gave."""
    program: str | None = None
    """The source that was evaluated."""
    value: str | None = None
    """What it is worth, as Sema prints that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON schemas by parameter name; all are required strings."""
    input_schema: Mapping[str, Any] | None = None
    """The schema of all arguments, where somebody else checks them."""
    run: Callable[[Mapping[str, Any]], Awaitable[ToolResult]]

    @property
    def schema(self) -> dict[str, Any]:
        """The tool in the format of the chat API."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.input_schema
                or {
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
        self.schemas: list[dict[str, Any]] = [tool.schema for tool in tools]
        """All tools in the format of the chat API."""

    def offers(self, name: object) -> bool:
        """Whether a name can mean one of the tools only."""
        return self._meant(name) is not None

    async def call(self, name: object, arguments: object) -> ToolResult:
        """The result of one call; a text that says what is wrong where it cannot be made."""
        tool = self._meant(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            text = f"Error: there is no tool {repr(name)[:80]}. Tools: {known}."
            shown = name[:80] if isinstance(name, str) else "?"
            return ToolResult(text=text, name=shown, misfit=True)
        try:
            values, repaired = _read_arguments(arguments, tool)
        except ValueError as error:
            return ToolResult(text=f"Error: {error}", name=tool.name, misfit=True)
        result = await tool.run(values)
        repaired = repaired or name != tool.name
        text = cut(result.text, HEAD_CHARS, TAIL_CHARS)
        return replace(result, text=text, name=tool.name, repaired=repaired)

    def _meant(self, name: object) -> Tool | None:
        """The tool of that name, or the one whose name is a word in it: `functions.eval_code:0`."""
        if not isinstance(name, str):
            return None
        words = {name} if name in self._tools else set(re.findall(r"\w+", name[:200]))
        meant = [tool for tool in self._tools.values() if tool.name in words]
        return meant[0] if len(meant) == 1 else None


def make_toolbox(
    names: Sequence[str],
    vm: SemaVM,
    limits: Limits,
    search: Search | None = None,
    *,
    hints: bool = True,
    dialect: Dialect | None = None,
) -> Toolbox:
    """The tools called `names`; without a `search` the documentation is searched by words.

    `hints` lets eval_code add what would mend an error whose message does not tell. Code is in the
    `dialect`, and so is what the search gives, if it is told so too.

    Raises SettingsError for a name there is no tool for.
    """
    check_tool_names(names)
    search = search or make_search(vm=vm, dialect=dialect)
    means = _Means(vm=vm, limits=limits, search=search, hints=hints, dialect=dialect)
    return Toolbox([_MAKERS[name](means) for name in names])


def check_tool_names(names: Sequence[str]) -> None:
    """Raises SettingsError for a name there is no tool for."""
    for name in names:
        if name not in _MAKERS:
            known = ", ".join(sorted(_MAKERS))
            raise SettingsError(f"unknown tool {name!r} in a configuration; known are {known}")


def about_tools(names: Sequence[str], max_rounds: int) -> str:
    """What the system prompt says of the tools called `names`, and of no others."""
    prompts = files("pytest_sema_bench.agent.prompts")
    texts = [(prompts / f"tool-{name}.md").read_text("utf-8").strip() for name in names]
    rounds = (prompts / "tools.md").read_text("utf-8").format(max_rounds=max_rounds)
    return "\n".join([rounds.strip(), *texts])


# What a server's parser leaves behind an object: quotes, and a model's marks such as `<|im_end|>`.
_STRAY = re.compile(r"[ \t\r\n\"'`]|<[|｜][^|｜<>]{1,40}[|｜]>")


def _read_arguments(arguments: object, tool: Tool) -> tuple[dict[str, Any], bool]:
    """The values by parameter and whether a repair was needed. Raises ValueError for the model."""
    repaired = not isinstance(arguments, str)
    if isinstance(arguments, str):
        arguments, repaired = _read_json(arguments)
    if isinstance(arguments, str):
        with suppress(ValueError):  # encoded twice
            arguments, repaired = _read_json(arguments)[0], True
    if tool.input_schema is not None:
        if not isinstance(arguments, dict):
            raise ValueError("the arguments must be an object that fits the tool's schema")
        return arguments, repaired
    if isinstance(arguments, dict) and not arguments.keys() & tool.parameters.keys():
        # The whole call once more, where only its arguments belong (sgl-project/sglang#38924).
        wrapped = arguments.get("arguments", arguments.get("parameters"))
        arguments, repaired = (
            (wrapped, True) if isinstance(wrapped, dict) else (arguments, repaired)
        )
    wanted = ", ".join(f'"{name}": string' for name in tool.parameters)
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments must be an object {{{wanted}}}")
    for name in tool.parameters:
        if not isinstance(arguments.get(name), str):
            raise ValueError(f"argument {name!r} is missing or no string; send {{{wanted}}}")
    return {name: arguments[name] for name in tool.parameters}, repaired


def _read_json(text: str) -> tuple[object, bool]:
    """The value and whether it took a repair: a line end in a string, stray quotes or marks behind.

    Nothing else is guessed at: of two objects glued together nobody knows which one was meant.
    """
    try:
        return json.loads(text), False
    except (ValueError, RecursionError) as error:
        fault = error
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        raise ValueError(f"the arguments are not JSON ({fault}): send an object") from None
    if _STRAY.sub("", text.lstrip()[end:]):
        raise ValueError(f"the arguments are not one JSON object ({fault}): send one") from None
    return value, True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """What tools work with."""

    vm: SemaVM
    limits: Limits
    search: Search
    hints: bool
    dialect: Dialect | None


def _make_eval_code(means: _Means) -> Tool:
    async def run(values: Mapping[str, str]) -> ToolResult:
        source = values["code"]
        speech = speak(means.dialect, [source])
        *_, evaluation = await means.vm.evaluate(speech.sources, means.limits)
        text = await describe_evaluation(evaluation, speech, means.vm, hints=means.hints)
        told = speech.back(evaluation)
        return ToolResult(
            text=text,
            failure=VMFailure.of(told),
            program=source,
            value=told.value,
        )

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


def _make_docs_search(means: _Means) -> Tool:
    async def run(values: Mapping[str, str]) -> ToolResult:
        found = await means.search.find(values["query"])
        return ToolResult(text=describe(found), found=found)

    return Tool(
        name="docs_search",
        description=(
            "Find the Sema function or special form that does something. Say in a few plain "
            "words what you want to do, one thing per call, or give the name that another "
            "language has for it. The best entries come back, five at most, each with the order of "
            "its arguments and an example. A Sema name alone gives that entry in full: all "
            "examples and its edge cases (nothing found, the empty list, nil, a wrong type)."
        ),
        parameters={"query": {"type": "string", "description": "what you want to do, or a name"}},
        run=run,
    )


_MAKERS: dict[str, Callable[[_Means], Tool]] = {
    "docs_search": _make_docs_search,
    "eval_code": _make_eval_code,
}
