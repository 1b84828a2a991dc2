"""The chat API: OpenAI-compatible chat completions over HTTP, and nothing else knows HTTP.

`ChatClient.complete` sends one request body and gives a `ChatReply`, or raises `ModelError`
after bounded retries. A reply is taken as it is: what is odd about a message is for `agent` to
read; what is not a chat completion at all is retried like any other failure of the server.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.settings import SHORTEST_SECRET_CHARS
from pytest_sema_bench.transcript import Call, Message, Tokens

_RETRYABLE = frozenset({408, 409, 425, 429}) | frozenset(range(500, 600))
_EXCERPT_CHARS = 600
_REDACTED = "[key removed]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may take and how often it is tried."""

    reply_s: float = 300.0
    """Total time for one attempt, from connecting to the last byte."""
    total_s: float = 900.0
    """Total time for a call with all its attempts and waits."""
    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    """Cap of a wait, also of one that the server asks for in Retry-After."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """The assistant's message as it came, and what the call was like."""

    message: Message
    call: Call


class _Retryable(Exception):
    """A failure that may pass; carries what a final error needs to say."""

    def __init__(self, error: ModelError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


class ChatClient:
    """One server and key. Must be used and closed on one event loop."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        n_connections: int,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        key = api_key or ""
        # As it is and as servers may write it within JSON.
        forms = {key, json.dumps(key)[1:-1], key.replace("/", "\\/")}
        self._secrets = forms if len(key) >= SHORTEST_SECRET_CHARS else set()
        self._patience = patience or Patience()
        # The aiohttp transport: httpx's own pool slows down with the square of its
        # connections (benchmarks/transport.py has the measurement).
        self._http = httpx.AsyncClient(
            transport=transport
            or AiohttpTransport(client=lambda: _session(base_url, n_connections)),
            base_url=base_url.rstrip("/") + "/",
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {api_key}"} if api_key else {}),
            },
            timeout=None,  # noqa: S113 - asyncio.timeout bounds the whole attempt instead
        )

    async def complete(self, body: dict[str, Any]) -> ChatReply:
        """The reply to one request body. Raises ModelError; never the key in its text."""
        n_attempts, last = 0, ModelError("the first one did not end")

        def remember(state: RetryCallState) -> None:
            nonlocal last
            failure = state.outcome.exception() if state.outcome else None
            last = failure.error if isinstance(failure, _Retryable) else last

        attempts = AsyncRetrying(
            retry=retry_if_exception_type(_Retryable),
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait_s,
            before_sleep=remember,
            reraise=True,
        )
        try:
            async with asyncio.timeout(self._patience.total_s):
                async for attempt in attempts:
                    with attempt:
                        n_attempts += 1
                        reply = await self._attempt(body)
        except TimeoutError:
            text = f"no answer within {self._patience.total_s:g} s, attempts: {n_attempts}; {last}"
            raise ModelError(
                text, status=last.status, request_id=last.request_id, attempts=n_attempts
            ) from None
        except _Retryable as failure:
            failure.error.attempts = n_attempts
            raise failure.error from None
        return replace(reply, call=replace(reply.call, retries=n_attempts - 1))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _attempt(self, body: dict[str, Any]) -> ChatReply:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._patience.reply_s):
                # ASCII JSON, for half a surrogate pair that a model sent cannot be UTF-8.
                response = await self._http.post("chat/completions", content=json.dumps(body))
        except TimeoutError:
            text = f"no complete reply within {self._patience.reply_s:g} s"
            raise _Retryable(ModelError(text)) from None
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            text = f"cannot reach the server: {self._clean(str(error)) or type(error).__name__}"
            raise _Retryable(ModelError(text)) from None
        text = self._clean(response.content.decode("utf-8-sig", "replace"))
        if response.status_code != 200:
            raise self._refusal(response, text)
        return _read_reply(text, time.monotonic() - started)

    def _refusal(self, response: httpx.Response, text: str) -> Exception:
        status = response.status_code
        error = ModelError(
            f"the server answered {status}: {_excerpt(text)}",
            status=status,
            request_id=response.headers.get("x-request-id"),
        )
        if status not in _RETRYABLE:
            return error
        return _Retryable(error, _retry_after_s(response.headers.get("retry-after")))

    def _wait_s(self, state: RetryCallState) -> float:
        """What the server asks for, else random up to an exponential bound; capped either way."""
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, _Retryable) and failure.wait_s is not None:
            return min(failure.wait_s, self._patience.longest_wait_s)
        backoff = wait_random_exponential(
            multiplier=self._patience.first_wait_s, max=self._patience.longest_wait_s
        )
        return backoff(state)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _REDACTED)
        return text


class LocalTransport(httpx.AsyncBaseTransport):
    """Answers requests with a function of this process: the wire format without the wire."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The function's answer to the request's JSON body."""
        body = json.loads(await request.aread())
        return httpx.Response(200, json=self._answer(body), request=request)


def _session(base_url: str, n_connections: int) -> aiohttp.ClientSession:
    """A pool of connections that, unlike the transport's own, honours HTTPS_PROXY and NO_PROXY."""
    connector = aiohttp.TCPConnector(limit=n_connections, ssl=_tls(base_url))
    return aiohttp.ClientSession(connector=connector, trust_env=True)


def _tls(base_url: str) -> ssl.SSLContext | bool:
    """No certificates are loaded for a plain HTTP server: that costs 30 ms."""
    return httpx.create_ssl_context() if base_url.startswith("https") else False


def _retry_after_s(header: str | None) -> float | None:
    """Seconds to wait from a Retry-After header: a number or an HTTP date (RFC 9110)."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:  # the asctime form names no zone; HTTP dates are all UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _read_reply(text: str, latency_s: float) -> ChatReply:
    """The message in a response body. Raises _Retryable if the body is no chat completion."""
    try:
        data = json.loads(text)
        choice = data["choices"][0]
        message = choice["message"]
        if not isinstance(message, dict):
            raise TypeError("message is not an object")
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        error = ModelError(f"the reply is not a chat completion: {_excerpt(text)}", status=200)
        raise _Retryable(error) from None
    reason, served = choice.get("finish_reason"), data.get("model")
    return ChatReply(
        message=message,
        call=Call(
            finish_reason=reason if isinstance(reason, str) else None,
            served_model=served if isinstance(served, str) else None,
            tokens=_tokens(data.get("usage")),
            latency_s=round(latency_s, 4),
            retries=0,
        ),
    )


def _tokens(usage: object) -> Tokens:
    if not isinstance(usage, dict):
        return Tokens()

    def count(*path: str) -> int:
        value: object = usage
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, int) else 0

    return Tokens(
        prompt=count("prompt_tokens"),
        cached=count("prompt_tokens_details", "cached_tokens") or count("prompt_cache_hit_tokens"),
        completion=count("completion_tokens"),
        reasoning=count("completion_tokens_details", "reasoning_tokens"),
    )


def _excerpt(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _EXCERPT_CHARS else text[:_EXCERPT_CHARS] + " …"
