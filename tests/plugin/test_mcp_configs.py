"""Configurations whose tools come from an MCP server."""

import json

import pytest

from tests import sema_builds
from tests.agent.test_mcp_tools import ODD
from tests.chat_server import ChatServer, call_tool, say
from tests.plugin.bench_dir import REFERENCE, BenchDir

CONFIG = f"configs:\n  odd:\n    mcp: {{command: {json.dumps(ODD.command)}}}\n"


def test_the_reference_model_runs_its_answers_in_sema_s_own_server(
    bench_dir: BenchDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sema-mcp` comes with the package; each conversation calls the server's `eval`."""
    monkeypatch.setenv("SEMA_BIN", str(sema_builds.native().path))
    result = bench_dir.run(REFERENCE, "--sema-config=sema-mcp")
    result.assert_outcomes(passed=4)
    assert [record.tool_calls for record in bench_dir.records()] == [{"eval": 1}] * 4


def test_a_server_that_dies_makes_the_item_void(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """It is an error and never a wrong answer, and says which tool it died in."""
    (bench_dir.path / "sema-models.yaml").write_text(CONFIG)
    chat_server.play([call_tool(name="die", arguments={}), say("done")])
    result = bench_dir.ask(chat_server, "--sema-config=odd", "-k", "adding")
    result.assert_outcomes(errors=1, deselected=3)
    result.stdout.fnmatch_lines(["*the MCP server ended while it ran die*"])


def test_without_the_program_nothing_is_asked(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """A server that cannot start is a usage error."""
    (bench_dir.path / "sema-models.yaml").write_text(
        "configs:\n  odd:\n    mcp: {command: [no-such-program]}\n"
    )
    result = bench_dir.ask(chat_server, "--sema-config=odd")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: MCP server: there is no program 'no-such-program' on PATH"]
    )
    assert chat_server.requests == []
