"""Servers that are elsewhere: names nobody knows, proxies, redirects, misdirected requests."""

import socket
from pathlib import Path

import pytest

from pytest_sema_bench.chat import ChatClient, ChatReply, Patience
from pytest_sema_bench.chat.permit import Reach
from pytest_sema_bench.chat.proxy import proxy_of
from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.errors import ModelError, SettingsError
from tests.asking import BODY, KEY, NotingLimiter, fail, use
from tests.chat_server import ChatServer, Request, Step, refuse, say

PATIENT = Patience(attempts=5, first_wait_s=0.0, longest_wait_s=0.0)


def complete(url: str) -> ChatReply:
    """The reply to one call of a client that waits for nothing."""
    return use(lambda client: client.complete(BODY), url, patience=PATIENT)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_name_that_does_not_resolve_is_told_after_the_first_try() -> None:
    """It will not by itself: most likely it is mistyped."""
    with pytest.raises(ModelError, match=r"'no-such-host\.invalid' does not resolve") as caught:
        complete("http://no-such-host.invalid/v1")
    assert caught.value.attempts == 1


@pytest.fixture
def set_proxy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which only HTTP_PROXY decides."""
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_dead_proxy_is_called_a_proxy(set_proxy: pytest.MonkeyPatch) -> None:
    """Its address and the variable it comes from, and not its password."""
    port = closed_port()
    set_proxy.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
    with pytest.raises(ModelError) as caught:
        complete("http://apart.invalid/v1")
    told = f"the proxy 127.0.0.1:{port} of HTTP_PROXY: nothing listens there; is the proxy running"
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.attempts == 3


def test_a_proxy_whose_name_does_not_resolve_is_called_a_proxy(
    set_proxy: pytest.MonkeyPatch,
) -> None:
    """That is no fault of the base URL."""
    set_proxy.setenv("HTTP_PROXY", "http://no-such-proxy.invalid:3128")
    with pytest.raises(ModelError, match=r"the proxy .* of HTTP_PROXY: the name 'no-such-proxy"):
        complete("http://apart.invalid/v1")


def test_a_proxy_that_opens_no_tunnel_is_called_a_proxy(
    set_proxy: pytest.MonkeyPatch, chat_server: ChatServer
) -> None:
    """What it answers to CONNECT is not the server's answer."""
    chat_server.play([refuse(407)])
    set_proxy.setenv("HTTPS_PROXY", chat_server.url.removesuffix("/v1"))
    set_proxy.delenv("https_proxy", raising=False)
    with pytest.raises(ModelError, match=r"answered 407: the proxy 127.0.0.1:\d+ of HTTPS_PROXY"):
        complete("https://apart.invalid/v1")


def test_a_proxy_that_speaks_no_http_does_not_show_its_password(
    set_proxy: pytest.MonkeyPatch, chat_server: ChatServer
) -> None:
    """The library's own text for it holds the proxy's whole address."""
    chat_server.play([Step(headers={"no header": "x"})])
    proxy = chat_server.url.removesuffix("/v1").replace("//", "//me:secret@")
    set_proxy.setenv("HTTPS_PROXY", proxy)
    set_proxy.delenv("https_proxy", raising=False)
    with pytest.raises(ModelError, match="cannot reach the server: Invalid header token") as caught:
        complete("https://apart.invalid/v1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:99999", "nonsense"])
def test_a_proxy_that_cannot_be_used_is_a_settings_error(
    proxy: str, set_proxy: pytest.MonkeyPatch
) -> None:
    """It names the variable."""
    set_proxy.setenv("HTTP_PROXY", proxy)
    with pytest.raises(SettingsError, match="the proxy in HTTP_PROXY"):
        complete("http://apart.invalid/v1")


@pytest.mark.parametrize("names", ["[::1]", "[::1]:80", "::1"])
def test_no_proxy_may_name_a_port_or_brackets(names: str, set_proxy: pytest.MonkeyPatch) -> None:
    """Tools that read NO_PROXY do not agree on how an address is written."""
    set_proxy.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    set_proxy.setenv("NO_PROXY", names)
    assert proxy_of("http://[::1]/v1") is None
    assert proxy_of("http://[::2]/v1") is not None


def test_certificates_that_cannot_be_read_are_a_settings_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable; plain HTTP needs none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE: no certificates can be read from"):
        HttpWire("https://apart.invalid/v1", None)
    HttpWire("http://apart.invalid/v1", None)


def moved(status: int, location: str) -> Step:
    """A redirect."""
    return refuse(status, "moved", Location=location)


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_within_the_server_is_followed_with_the_same_request(
    status: int, chat_server: ChatServer
) -> None:
    """As servers send that want a slash more or a newer version in the path."""

    def play(request: Request) -> Step:
        return (
            say("Four.")
            if request.path == "/v2/chat/completions"
            else moved(status, "/v2/chat/completions")
        )

    chat_server.play(play)
    assert complete(chat_server.url).message["content"] == "Four."
    first, second = chat_server.requests
    assert (first.raw, first.headers) == (second.raw, second.headers)


def test_a_user_in_a_redirect_is_left_out(chat_server: ChatServer) -> None:
    """It would be sent in place of the key."""
    place = chat_server.url.replace("//", "//me:pass@").replace("v1", "v2")

    def play(request: Request) -> Step:
        return say("Four.") if "v2" in request.path else moved(307, f"{place}/chat/completions")

    chat_server.play(play)
    assert complete(chat_server.url).message["content"] == "Four."
    assert chat_server.requests[1].headers["authorization"] == f"Bearer {KEY}"


ELSEWHERE = {
    "another host": (307, "http://localhost:1/v1/chat/completions", "use http://localhost:1/v1 as"),
    "another scheme": (308, "https://127.0.0.1/v1/chat/completions", "use https://127.0.0.1/v1 as"),
    "to be got": (302, "/v2/chat/completions", "points to /v2/chat/completions"),
    "a page": (302, "https://login.example/?next=x", "points to https://login.example/: moved"),
    "no address": (308, "http://[", "points to http://["),
    "for ever": (307, "/v1/chat/completions", "points to /v1/chat/completions"),
}


@pytest.mark.parametrize(("status", "location", "told"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_any_other_redirect_is_told_at_once(
    status: int, location: str, told: str, chat_server: ChatServer
) -> None:
    """The key goes nowhere else; the error has the address to use, and nobody asks again."""
    error, (result,) = fail(chat_server, moved(status, location))
    assert told in str(error)
    assert result.refusal is not None
    assert result.refusal[0] is Reach.KEY
    assert chat_server.n_requests <= 4


def test_a_misdirected_request_is_tried_again_on_a_new_connection(chat_server: ChatServer) -> None:
    """Connections that are kept may belong to another server behind the same address."""

    async def three(client: ChatClient) -> list[str]:
        return [(await client.complete(BODY)).message["content"] for _ in range(3)]

    chat_server.play(lambda request: refuse(421) if request.n_before == 1 else say("Four."))
    assert use(three, chat_server.url, key=KEY) == ["Four."] * 3
    assert (chat_server.n_requests, chat_server.n_connections) == (4, 2)


def test_a_request_that_stays_misdirected_is_told(chat_server: ChatServer) -> None:
    """Then the base URL is wrong."""
    limiter = NotingLimiter()
    chat_server.play([refuse(421)])
    with pytest.raises(ModelError, match="check the base URL"):
        use(lambda client: client.complete(BODY), chat_server.url, limiter=limiter)
    assert chat_server.n_requests == 2
