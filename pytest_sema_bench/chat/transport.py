"""The wire: connections, one request and its answer as bytes, and what can break in between."""

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from pytest_sema_bench.base_url import read_base_url
from pytest_sema_bench.chat.proxy import proxy_of

_LARGEST_REPLY_BYTES = 64 * 1024 * 1024
"""No model writes that much: a server that sends more sends without end."""
_TAIL_S = 1.0
_REDIRECTS = (307, 308)
"""Those that ask for the same request at another address; the others make a GET of it."""
_MOST_REDIRECTS = 3
_MISDIRECTED = 421
# On a line of its own: inside a reply's JSON line ends are escaped, whatever a model writes there.
_DONE = re.compile(rb"(?:^|[\r\n])data:[ \t]*\[DONE\][ \t]*[\r\n]")


class Why(Enum):
    """What keeps a server from being reached, as far as that tells how often to try."""

    LOST = "it may be there the next time"
    REFUSED = "nothing listens there"
    UNRESOLVED = "there is no host of that name"


class Unreachable(Exception):
    """No whole answer came. `sent` is False where the server cannot have seen the request."""

    def __init__(self, text: str, *, sent: bool, why: Why = Why.LOST) -> None:
        super().__init__(text)
        self.sent = sent
        self.why = why


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
        base = httpx.URL(read_base_url(base_url))
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
        self._proxy = proxy_of(base_url) if transport is None else None
        self._transport = transport or self._pool(n_connections)
        self._unpooled: httpx.AsyncBaseTransport | None = None

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The response to one request, whatever it belongs to.

        Raises Unreachable, whose text may hold anything.
        """
        response = await self._send(self._transport, self._url, content)
        for _ in range(_MOST_REDIRECTS):
            target = self._followed(response)
            if target is None:
                break
            response = await self._send(self._transport, target, content)
        if response.status == _MISDIRECTED:
            # Only another connection can help (RFC 9110, section 15.5.20).
            self._unpooled = self._unpooled or self._pool(0)
            response = await self._send(self._unpooled, self._url, content)
        return response

    async def _send(
        self, transport: httpx.AsyncBaseTransport, url: httpx.URL, content: bytes
    ) -> RawResponse:
        headers = {**self._headers, "Content-Length": str(len(content))}
        request = httpx.Request("POST", url, headers=headers, stream=_Body(content))
        try:
            response = await transport.handle_async_request(request)
            try:
                payload = await _payload(response)
            finally:
                await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            if isinstance(error.__cause__, aiohttp.ClientHttpProxyError):
                return self._refused_by_proxy(error.__cause__)
            raise self._unreachable(error) from None
        return RawResponse(status=response.status_code, headers=response.headers, payload=payload)

    def _followed(self, response: RawResponse) -> httpx.URL | None:
        """Where to ask instead; None for a redirect that would take the key elsewhere."""
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or location is None:
            return None
        try:
            target = self._url.join(location)
        except (httpx.InvalidURL, ValueError):
            return None
        return target if _origin(target) == _origin(self._url) else None

    def _refused_by_proxy(self, error: aiohttp.ClientHttpProxyError) -> RawResponse:
        assert self._proxy is not None
        text = f"{self._proxy.name} says: {error.message}"
        payload = json.dumps({"error": {"message": text}}).encode()
        return RawResponse(status=error.status, headers=httpx.Headers(), payload=payload)

    def _unreachable(self, error: Exception) -> Unreachable:
        """What is told of a connection that failed, to the server or to the proxy before it."""
        cause = error.__cause__
        if not isinstance(cause, aiohttp.ClientConnectorError):
            text = str(error) or type(error).__name__
            return Unreachable(text, sent=not _before_sending(error))
        proxied = self._proxy is not None and cause.host == self._proxy.url.host
        where = f"{self._proxy.name}: " if proxied and self._proxy else ""
        if isinstance(cause.os_error, socket.gaierror):
            text = f"{where}the name {cause.host!r} does not resolve; is it right?"
            return Unreachable(text, sent=False, why=Why.UNRESOLVED)
        if isinstance(cause.os_error, ConnectionRefusedError):
            what = "the proxy" if proxied else "the server"
            text = f"{where}nothing listens there; is {what} running, and is the port right?"
            return Unreachable(text, sent=False, why=Why.REFUSED)
        return Unreachable(f"{where}{error}", sent=False)

    def _pool(self, n_connections: int) -> httpx.AsyncBaseTransport:
        """Connections that are used again, so many at most; 0 for a new one for each request."""
        tls = _tls(self._url)

        def session() -> aiohttp.ClientSession:
            once = n_connections == 0
            connector = aiohttp.TCPConnector(limit=n_connections, ssl=tls, force_close=once)
            return aiohttp.ClientSession(connector=connector)

        proxy = None if self._proxy is None else self._proxy.url_and_auth
        return AiohttpTransport(client=session, proxy=proxy)

    def end(self, conversation: str) -> None:
        """Nothing to free: each request stands for itself."""

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()
        if self._unpooled is not None:
            await self._unpooled.aclose()


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
        # The mark may come in two chunks; to search all of it each time takes time in its square.
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


class LocalTransport(httpx.AsyncBaseTransport):
    """Answers requests with a function of this process: the wire format without the wire."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The function's answer to the request's JSON body."""
        body = json.loads(await request.aread())
        return httpx.Response(200, json=self._answer(body), request=request)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port; httpx leaves out the port that the scheme has anyway."""
    return url.scheme, url.host, url.port


def _tls(url: httpx.URL) -> ssl.SSLContext | bool:
    """No certificates are loaded for a plain HTTP server: that costs 30 ms."""
    return httpx.create_ssl_context() if url.scheme == "https" else False
