"""The wire: connections, one request and its answer as bytes, and what can break in between."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from pytest_sema_bench.errors import SettingsError

_LARGEST_REPLY_BYTES = 64 * 1024 * 1024
"""No model writes that much: a server that sends more sends without end."""
_TAIL_S = 1.0
_DONE = re.compile(rb"(?:^|[\r\n])data:[ \t]*\[DONE\][ \t]*[\r\n]")


class Unreachable(Exception):
    """No whole answer came. `sent` is False where the server cannot have seen the request.

    `refused` is True where its machine says that nothing listens.
    """

    def __init__(self, text: str, *, sent: bool, refused: bool = False) -> None:
        super().__init__(text)
        self.sent = sent
        self.refused = refused


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """What came back for one request, unread."""

    status: int
    headers: httpx.Headers
    payload: bytes


class HttpWire:
    """One server and key, without any deadline of its own.

    It talks to the transport itself and not through `httpx.AsyncClient`, which writes each URL
    to the log, keys and all if the base URL holds one.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        n_connections: int = 1,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            base = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise SettingsError(f"the base URL of a provider is no URL: {error}") from None
        path, _, query = base.raw_path.partition(b"?")
        path = path.rstrip(b"/") + b"/chat/completions"
        self._url = base.copy_with(raw_path=path + (b"?" + query if query else b""))
        self.path = path.decode()
        """Path of the requests' URL."""
        self.place = f"{self._url.host}{_port(self._url)}{self.path}"
        """Host, port and path: what an error shows."""
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "pytest-sema-bench",
            **({"Authorization": f"Bearer {api_key}"} if api_key else {}),
        }
        # The aiohttp transport: httpx's own pool slows down with the square of its
        # connections (benchmarks/transport.py has the measurement).
        self._transport = transport or AiohttpTransport(
            client=lambda: _session(base_url, n_connections), proxy=_proxy(self._url)
        )

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The response to one request, whatever it belongs to.

        Raises Unreachable, whose text may hold anything.
        """
        headers = {**self._headers, "Content-Length": str(len(content))}
        request = httpx.Request("POST", self._url, headers=headers, stream=_Body(content))
        try:
            response = await self._transport.handle_async_request(request)
            try:
                payload = await _payload(response)
            finally:
                await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            if _refused(error):
                text = "nothing listens there; is the server running, and is the port right?"
                raise Unreachable(text, sent=False, refused=True) from None
            text = str(error) or type(error).__name__
            raise Unreachable(text, sent=not _before_sending(error)) from None
        return RawResponse(status=response.status_code, headers=response.headers, payload=payload)

    def end(self, conversation: str) -> None:
        """Nothing to free: each request stands for itself."""

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


class _Body(httpx.AsyncByteStream):
    """A request body as a stream: of one given as bytes aiohttp warns above 1 MB."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


def _port(url: httpx.URL) -> str:
    return "" if url.port is None else f":{url.port}"


async def _payload(response: httpx.Response) -> bytes:
    """The body; of a stream, up to `[DONE]`, for some servers leave the connection open then."""
    payload = bytearray()
    chunks = response.aiter_bytes()
    async for chunk in chunks:
        seen = max(0, len(payload) - 64)
        payload += chunk
        if len(payload) > _LARGEST_REPLY_BYTES:
            raise httpx.ReadError(f"more than {_LARGEST_REPLY_BYTES} bytes came")
        if _DONE.search(payload, seen):
            await _read_on(chunks)
            break
    return bytes(payload)


async def _read_on(chunks: AsyncIterator[bytes]) -> None:
    """What ends the body, so that the connection can be used again; but not for long."""
    try:
        async with asyncio.timeout(_TAIL_S):
            async for _ in chunks:
                pass
    except (TimeoutError, httpx.HTTPError, aiohttp.ClientError):
        pass


def _before_sending(error: Exception) -> bool:
    """Whether no connection was made: refused, no such host, no TLS, no URL.

    httpx-aiohttp 0.2 maps aiohttp's connector errors and lost connections to the same class,
    so aiohttp's own error, which is the cause, decides.
    """
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
    return isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol)


def _refused(error: Exception) -> bool:
    """Whether the connection to the server itself, not to a proxy, was refused."""
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientProxyConnectionError):
        return False
    return isinstance(cause, aiohttp.ClientConnectorError) and isinstance(
        cause.os_error, ConnectionRefusedError
    )


class LocalTransport(httpx.AsyncBaseTransport):
    """Answers requests with a function of this process: the wire format without the wire."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The function's answer to the request's JSON body."""
        body = json.loads(await request.aread())
        return httpx.Response(200, json=self._answer(body), request=request)


def _session(base_url: str, n_connections: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=n_connections, ssl=_tls(base_url))
    return aiohttp.ClientSession(connector=connector)


def _proxy(url: httpx.URL) -> httpx.Proxy | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY give for a URL.

    aiohttp's own `trust_env` looks it up for each request in a thread of its own, and would send
    what ~/.netrc holds for the host.
    """
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(url.host):
        return None
    try:
        return httpx.Proxy(proxy)
    except (httpx.InvalidURL, ValueError) as error:
        raise SettingsError(f"the proxy in the environment is no URL: {error}") from None


def _tls(base_url: str) -> ssl.SSLContext | bool:
    """No certificates are loaded for a plain HTTP server: that costs 30 ms."""
    return httpx.create_ssl_context() if base_url.startswith("https") else False
