"""The wire over HTTP: connections, one request and its answer as bytes, what can break in between.

Imported only where a server is asked: aiohttp takes long to import.
"""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from pytest_sema_bench.base_url import read_base_url
from pytest_sema_bench.chat.certificates import certificates
from pytest_sema_bench.chat.proxy import proxy_of
from pytest_sema_bench.chat.wire import RawResponse, Unreachable, Why

_LARGEST_REPLY_BYTES = 64 * 1024 * 1024
"""No model writes that much: a server that sends more sends without end."""
_PLAIN_BYTES = 1024 * 1024
"""aiohttp wants to be given more than that as a file, and warns."""
_TAIL_S = 1.0
_REDIRECTS = (307, 308)
"""Those that ask for the same request at another address; the others make a GET of it."""
_MOST_REDIRECTS = 3
_MISDIRECTED = 421
# On a line of its own: inside a reply's JSON line ends are escaped, whatever a model writes there.
_DONE = re.compile(rb"(?:^|[\r\n])data:[ \t]*\[DONE\][ \t]*[\r\n]")


class HttpWire:
    """One endpoint of a server, and a key, without any deadline of its own."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        n_connections: int = 1,
        endpoint: str = "/chat/completions",
    ) -> None:
        base = urlsplit(read_base_url(base_url))
        self._url = URL(base._replace(path=base.path.rstrip("/") + endpoint, fragment="").geturl())
        self.path = self._url.raw_path
        """Path of the requests' URL."""
        port = "" if self._url.is_default_port() else f":{self._url.port}"
        self.place = f"{self._url.host}{port}{self.path}"
        """Host, port and path: what an error shows."""
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "pytest-sema-bench",
            **({"Authorization": f"Bearer {api_key}"} if api_key else {}),
        }
        self._proxy = proxy_of(base_url)
        proxy = str(self._proxy.url) if self._proxy else ""
        self._certificates = certificates(base_url) or certificates(proxy)
        self._n_connections = n_connections
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def post(self, content: bytes, conversation: str | None) -> RawResponse:
        """The response to one request, whatever it belongs to.

        Raises Unreachable, whose text may hold anything.
        """
        response = await self._send(self._url, content)
        for _ in range(_MOST_REDIRECTS):
            target = self._followed(response)
            if target is None:
                break
            response = await self._send(target, content)
        if response.status == _MISDIRECTED:
            # Only another connection can help (RFC 9110, section 15.5.20).
            response = await self._send(self._url, content, pooled=False)
        return response

    async def _send(self, url: URL, content: bytes, *, pooled: bool = True) -> RawResponse:
        body = content if len(content) <= _PLAIN_BYTES else BytesIO(content)
        proxy = self._proxy.url if self._proxy else None
        try:
            async with self._session(pooled=pooled).post(
                url, data=body, allow_redirects=False, proxy=proxy
            ) as response:
                payload = await _payload(response.content)
        except aiohttp.ClientHttpProxyError as error:
            return self._refused_by_proxy(error)
        except aiohttp.ClientError as error:
            raise self._unreachable(error) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return RawResponse(status=response.status, headers=headers, payload=payload)

    def _session(self, *, pooled: bool) -> aiohttp.ClientSession:
        """Connections that are used again, so many at most, or a new one for each request."""
        if pooled not in self._sessions:
            limit = self._n_connections if pooled else 0
            connector = aiohttp.TCPConnector(
                limit=limit, ssl=self._certificates, force_close=not pooled
            )
            self._sessions[pooled] = aiohttp.ClientSession(
                connector=connector, headers=self._headers, timeout=aiohttp.ClientTimeout()
            )
        return self._sessions[pooled]

    def _followed(self, response: RawResponse) -> URL | None:
        """Where to ask instead; None for a redirect that would take the key elsewhere."""
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or location is None:
            return None
        try:
            target = self._url.join(URL(location))
        except ValueError:
            return None
        # A user in it would be sent in place of the key.
        return target.with_user(None) if _origin(target) == _origin(self._url) else None

    def _refused_by_proxy(self, error: aiohttp.ClientHttpProxyError) -> RawResponse:
        assert self._proxy is not None
        text = f"{self._proxy.name} says: {error.message}"
        payload = json.dumps({"error": {"message": text}}).encode()
        return RawResponse(status=error.status, payload=payload)

    def _unreachable(self, error: aiohttp.ClientError) -> Unreachable:
        """What is told of a connection that failed, to the server or to the proxy before it."""
        if not isinstance(error, aiohttp.ClientConnectorError):
            # All that these say beside their message is an address: the proxy's with its password.
            told = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
            text = " ".join(told.split()) or type(error).__name__
            return Unreachable(text, sent=not isinstance(error, aiohttp.InvalidURL))
        proxied = self._proxy is not None and error.host == self._proxy.url.raw_host
        where = f"{self._proxy.name}: " if proxied and self._proxy else ""
        if isinstance(error.os_error, socket.gaierror):
            text = f"{where}the name {error.host!r} does not resolve; is it right?"
            return Unreachable(text, sent=False, why=Why.UNRESOLVED)
        if isinstance(error.os_error, ConnectionRefusedError):
            what = "the proxy" if proxied else "the server"
            text = f"{where}nothing listens there; is {what} running, and is the port right?"
            return Unreachable(text, sent=False, why=Why.REFUSED)
        return Unreachable(f"{where}{error}", sent=False)

    def end(self, conversation: str) -> None:
        """Nothing to free: each request stands for itself."""

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()


async def _payload(body: aiohttp.StreamReader) -> bytes:
    """The body; of a stream, up to `[DONE]`, for some servers leave the connection open then."""
    payload = bytearray()
    chunks = body.iter_any()
    async for chunk in chunks:
        # The mark may come in two chunks; to search all of it each time takes time in its square.
        seen = max(0, len(payload) - 64)
        payload += chunk
        if len(payload) > _LARGEST_REPLY_BYTES:
            raise Unreachable(f"more than {_LARGEST_REPLY_BYTES} bytes came", sent=True)
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
    except (TimeoutError, aiohttp.ClientError):
        pass


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, also where the port is the one that the scheme has anyway."""
    return url.scheme, url.host, url.port
