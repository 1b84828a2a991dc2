"""Tools of MCP servers: the one that Sema ships, and one that does odd things."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pytest_sema_bench.agent.mcp_tools import legal_name, mcp_toolbox
from pytest_sema_bench.agent.tools import HEAD_CHARS, TAIL_CHARS, Toolbox, ToolResult
from pytest_sema_bench.errors import SettingsError, VMError
from pytest_sema_bench.sema.mcp_client import check_server
from pytest_sema_bench.sema.vm import ErrorClass
from pytest_sema_bench.settings import McpServer
from tests import sema_builds

pytestmark = pytest.mark.vm
ODD = McpServer(command=(sys.executable, str(Path(__file__).with_name("mcp_server.py"))))


def sema(*include: str) -> McpServer:
    """The real `sema mcp`. Skips the test where there is no native build."""
    binary = str(sema_builds.native().path)
    return McpServer(
        command=(binary, "mcp", "--sandbox", "strict", "--timeout-ms", "5000"),
        include=include or None,
    )


def call(server: McpServer, *calls: tuple[str, str], call_s: float = 60.0) -> list[ToolResult]:
    """What calls of one conversation give."""

    async def converse() -> list[ToolResult]:
        async with mcp_toolbox(server, call_s=call_s) as toolbox:
            return [await toolbox.call(name, arguments) for name, arguments in calls]

    return asyncio.run(converse())


def with_tools(server: McpServer, look: Callable[[Toolbox], object]) -> None:
    """Look at the tools of a server while it runs."""

    async def converse() -> None:
        async with mcp_toolbox(server) as toolbox:
            look(toolbox)

    asyncio.run(converse())


def new_processes(before: set[psutil.Process]) -> set[psutil.Process]:
    """The children of this process, without those that were there before."""
    return set(psutil.Process().children()) - before


def test_the_model_sees_what_the_server_says() -> None:
    """Names, descriptions and schemas are the server's; only those included are offered."""
    seen: list[dict[str, object]] = []
    with_tools(sema("eval", "docs_search"), lambda box: seen.extend(box.schemas))
    functions = [schema["function"] for schema in seen]
    assert [f["name"] for f in functions] == ["eval", "docs_search"]  # type: ignore[index]
    assert "Evaluate a single Sema expression" in functions[0]["description"]  # type: ignore[index]
    assert "code" in functions[0]["parameters"]["properties"]  # type: ignore[index]


def test_the_tools_of_sema_answer() -> None:
    """A value, an error with its class, a search, and a call that does not fit the schema."""
    value, error, found, misfit = call(
        sema(),
        ("eval", '{"code": "(+ 1 2)"}'),
        ("eval", '{"code": "(foo 1)"}'),
        ("docs_search", '{"query": "reverse a list"}'),
        ("eval", '{"kode": "1"}'),
    )
    assert value.text.endswith("Result: 3")
    assert error.failure is not None
    assert (error.failure.error_class, error.failure.name) == (ErrorClass.UNBOUND, "foo")
    assert "reverse" in found.text
    assert "code" in misfit.text


def test_names_are_made_legal() -> None:
    """Function calling takes no slash; the server is still called by its own name."""
    assert legal_name("notebook/add_cell") == "notebook_add_cell"
    (counted,) = call(ODD, ("words_count", '{"text": "a b c"}'))
    assert (counted.text, counted.name) == ("3", "words_count")


def test_a_server_gets_an_empty_folder_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment it sees PATH and what a program needs to start, never a key."""
    monkeypatch.setenv("SOME_API_KEY", "secret")
    (told,) = call(ODD, ("where", "{}"))
    folder, names = told.text.split(" [] ")
    assert "SOME_API_KEY" not in names.split()
    assert not Path(folder).exists()


def test_a_long_result_is_cut() -> None:
    """Head and tail are kept, as of our own tools."""
    (much,) = call(ODD, ("much", "{}"))
    assert len(much.text) < HEAD_CHARS + TAIL_CHARS + 100


def test_what_the_server_refuses_is_told_to_the_model() -> None:
    """An error of a tool is its answer; arguments that are no object never reach it."""
    refused, broken, unknown = call(ODD, ("refuse", "{}"), ("much", "[1]"), ("rm", "{}"))
    assert refused.text == "Error executing tool refuse"
    assert broken.misfit
    assert "there is no tool 'rm'" in unknown.text


def test_a_call_that_hangs_ends_in_bounded_time() -> None:
    """The model is told, and the next call is answered."""
    hung, next_one = call(ODD, ("hang", "{}"), ("words_count", '{"text": "a"}'), call_s=0.5)
    assert hung.text == "Error: the tool gave no answer within 0.5 s."
    assert next_one.text == "1"


def test_a_server_that_dies_is_not_the_models_fault() -> None:
    """The call raises, so that the item is void and never wrong."""
    with pytest.raises(VMError, match="the MCP server ended while it ran die"):
        call(ODD, ("die", "{}"))


def test_no_process_outlives_its_conversation() -> None:
    """Neither one that ended in peace nor one that was cancelled in a call."""

    async def cancelled() -> None:
        async with mcp_toolbox(ODD) as toolbox:
            await toolbox.call("hang", "{}")

    async def converse() -> None:
        async with mcp_toolbox(ODD):
            assert len(new_processes(before)) == 1
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    before = set(psutil.Process().children())
    asyncio.run(converse())
    assert new_processes(before) == set()


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (McpServer(command=("no-such-program",)), "there is no program 'no-such-program' on PATH"),
        (
            McpServer(command=(sys.executable, "-c", "raise SystemExit('broken set-up')")),
            r"it does not start \(it ended\): broken set-up",
        ),
        (
            McpServer(command=ODD.command, include=("count",)),
            "it has no tool 'count'; it has words/count, where",
        ),
    ],
    ids=["no program", "ends at once", "no such tool"],
)
def test_a_server_that_cannot_serve_is_a_usage_error(server: McpServer, said: str) -> None:
    """It is told before anything is asked, with what the server said."""
    with pytest.raises(SettingsError, match=said):
        asyncio.run(check_server(server))


def test_a_server_is_what_is_asked(tmp_path: Path) -> None:
    """It must be named in the file as a command; tools of ours do not go with it."""
    from pytest_sema_bench.catalog.registry import load_registry

    (tmp_path / "sema-models.yaml").write_text(
        f"configs:\n  odd:\n    mcp: {{command: {json.dumps(ODD.command)}}}\n    max_rounds: 2\n"
    )
    assert load_registry(tmp_path).config("odd").mcp == ODD
    (tmp_path / "sema-models.yaml").write_text(
        "configs:\n  odd:\n    tools: [eval_code]\n    mcp: {command: [x]}\n"
    )
    with pytest.raises(SettingsError, match=r"sema-models.yaml:\d: .*tools and mcp do not go"):
        load_registry(tmp_path)
