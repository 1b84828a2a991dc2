"""--sema-max-rounds: what patience buys."""

import pytest

from tests.chat_server import ChatServer, call_tool
from tests.plugin.bench_dir import REFERENCE, BenchDir


def test_an_item_may_take_so_many_rounds(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """The last request forbids tools; it is another question than with three rounds."""
    chat_server.play([call_tool("1")])
    bench_dir.ask(chat_server, "-k", "adding", "--sema-max-rounds=5")
    assert [record.rounds for record in bench_dir.records()] == [5]
    assert [request.body["tool_choice"] for request in chat_server.requests][-2:] == [
        "auto",
        "none",
    ]
    chat_server.requests.clear()
    bench_dir.ask(chat_server, "-k", "adding", "--sema-max-rounds=5", "--sema-resume")
    assert chat_server.requests == []
    bench_dir.ask(chat_server, "-k", "adding", "--sema-resume")
    assert len(chat_server.requests) == 4


@pytest.mark.parametrize("value", ["0", "many"])
def test_other_values_are_usage_errors(bench_dir: BenchDir, value: str) -> None:
    """Nothing is asked."""
    result = bench_dir.run_here(REFERENCE, f"--sema-max-rounds={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sema-max-rounds*"])
