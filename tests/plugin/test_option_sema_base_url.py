"""--sema-base-url and --sema-api-key-env: any server, with its key."""

import pytest

from tests.chat_server import ChatServer
from tests.plugin.bench_dir import KEY, BenchDir


def test_a_server_gets_any_model_name_and_the_key(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...]
) -> None:
    """Requests go to URL/chat/completions with the key of the named variable."""
    chat_server.play(bench_dir.script())
    result = bench_dir.ask(chat_server, *workers)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=4)
    assert {
        (request.path, request.body["model"], request.headers["authorization"])
        for request in chat_server.requests
    } == {("/v1/chat/completions", "m", f"Bearer {KEY}")}
    assert {record.served_model for record in bench_dir.records()} == {"reference"}


def test_a_server_without_a_key_gets_none(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """No variable named, no header sent; a slash at the URL's end does no harm."""
    chat_server.play(bench_dir.script())
    result = bench_dir.run("--sema-model=m", f"--sema-base-url={chat_server.url}/", "-k", "adding")
    result.assert_outcomes(passed=1, deselected=3)
    assert all("authorization" not in request.headers for request in chat_server.requests)
    assert {request.path for request in chat_server.requests} == {"/v1/chat/completions"}
