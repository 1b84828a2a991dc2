"""How the chat client reaches a server: connections, proxies, what the environment holds."""

import socket
from pathlib import Path

import pytest

from pytest_sema_bench.chat import ChatClient, ChatReply, Patience
from pytest_sema_bench.errors import ModelError, SettingsError
from tests.asking import BODY, KEY, use
from tests.chat_server import ChatServer, say

PATIENT = Patience(attempts=5, first_wait_s=0.0, longest_wait_s=0.0)


@pytest.mark.parametrize(("apart", "attempts"), [(False, 3), (True, 5)])
def test_a_server_that_was_never_started_is_not_waited_for(*, apart: bool, attempts: int) -> None:
    """Three attempts, then advice. A recording has them all: its replay knows of no other call."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match="is the server running") as caught:
            use(lambda client: client.complete(BODY), url, patience=PATIENT, apart=apart)
    assert caught.value.attempts == attempts


def test_a_server_that_has_answered_is_waited_for() -> None:
    """It may be starting anew."""
    server = ChatServer()
    server.play([say("Four.")])

    async def before_and_after(client: ChatClient) -> None:
        await client.complete(BODY)
        server.close()
        await client.complete(BODY)

    with pytest.raises(ModelError, match="is the server running") as caught:
        use(before_and_after, server.url, patience=PATIENT)
    assert caught.value.attempts == 5


def test_connections_are_reused(chat_server: ChatServer) -> None:
    """Calls one after the other need one connection."""

    async def three(client: ChatClient) -> ChatReply:
        for _ in range(2):
            await client.complete(BODY)
        return await client.complete(BODY)

    use(three, chat_server.url)
    assert (chat_server.n_requests, chat_server.n_connections) == (3, 1)


def test_the_proxy_of_the_environment_is_used(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own credentials apart from the key, and not for hosts that NO_PROXY names."""
    proxy = chat_server.url.removesuffix("/v1").replace("//", "//me:pass@")
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("NO_PROXY", "apart.invalid")
    monkeypatch.setenv("no_proxy", "apart.invalid")
    chat_server.play([say("Four.")])
    use(lambda client: client.complete(BODY), "http://model.invalid/v1")
    (request,) = chat_server.requests
    assert request.path == "http://model.invalid/v1/chat/completions"
    assert request.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="
    assert request.headers["authorization"] == f"Bearer {KEY}"
    with pytest.raises(ModelError, match=r"apart\.invalid"):
        use(lambda client: client.complete(BODY), "http://apart.invalid/v1")


def test_what_netrc_holds_for_the_host_stays_there(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server without a key gets no other password of the user's."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    chat_server.play([say("Four.")])
    use(lambda client: client.complete(BODY), chat_server.url, key=None)
    assert "authorization" not in chat_server.requests[0].headers


def test_a_base_url_that_is_none_is_a_settings_error() -> None:
    """It is found before anything is sent."""
    with pytest.raises(SettingsError, match="is no base URL"):
        use(lambda client: client.complete(BODY), "http://host:port/v1")
