"""The reward over HTTP: `POST /` for the reward of an answer, `GET /health`.

A failing VM is answered with 503, as is a request beyond those that may be under way; what a
client got wrong with 4xx and a sentence. On SIGTERM or SIGINT no request is taken any more, those
under way are answered, and the server ends.
"""

import asyncio
import hmac
import ipaddress
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.reward.body import read_body
from pytest_sema_bench.reward.grader import RewardGrader
from pytest_sema_bench.reward.scale import RewardSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where the endpoint listens, and what it puts up with."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 for any that is free."""
    token: str | None = None
    """What `Authorization: Bearer …` must hold; None for nothing."""
    max_body_bytes: int = 1_048_576
    n_under_way: int = 256
    """Requests that are graded, or wait for it, at a time."""
    body_s: float = 10.0
    """How long a client may take to send a body."""
    ending_s: float = 90.0
    """How long the requests under way may take in the end."""

    def __post_init__(self) -> None:
        if self.token is None and not _is_loopback(self.host):
            raise SettingsError(
                f"--host {self.host} is not this machine alone, so it needs --token-env NAME, the "
                "environment variable that holds the token that clients must send"
            )


class Endpoint:
    """The endpoint's handlers."""

    def __init__(self, grader: RewardGrader, settings: ServeSettings) -> None:
        self._grader = grader
        self._settings = settings
        self._n_under_way = 0
        self._n_answered = 0
        self._n_faults = 0

    def app(self) -> web.Application:
        """The application, to be run."""
        app = web.Application(client_max_size=self._settings.max_body_bytes)
        app.router.add_get("/health", self._health)
        app.router.add_post("/", self._reward)
        app.router.add_post("/reward", self._reward)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        told = {
            "status": "ok",
            "vm": await self._grader.vm_label(),
            "under_way": self._n_under_way,
            "answered": self._n_answered,
            "vm_faults": self._n_faults,
        }
        return _answer(200, told)

    async def _reward(self, request: web.Request) -> web.Response:
        if not self._may(request.headers.get("Authorization", "")):
            return _error(401, "this endpoint needs `Authorization: Bearer TOKEN`")
        if self._n_under_way >= self._settings.n_under_way:
            return _error(503, f"{self._n_under_way} requests are under way; try again")
        self._n_under_way += 1
        try:
            return await self._graded(request)
        finally:
            self._n_under_way -= 1

    async def _graded(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self._settings.body_s):
                raw = await request.read()
        except TimeoutError:
            return _error(408, f"the body did not come within {self._settings.body_s:g} s")
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"the body is over {self._settings.max_body_bytes} bytes")
        try:
            asked = read_body(raw)
            reward = await asked.reward(self._grader)
        except BenchError as error:
            return _error(422, str(error))
        if reward.graded is None:
            self._n_faults += 1
            return _error(503, f"the VM failed, so there is no reward: {reward.fault}")
        self._n_answered += 1
        return _answer(200, asked.told(reward))

    def _may(self, header: str) -> bool:
        if self._settings.token is None:
            return True
        wanted = f"Bearer {self._settings.token}"
        return hmac.compare_digest(header.encode("utf-8", "replace"), wanted.encode())


async def serve(
    settings: ServeSettings, rewards: RewardSettings, listening: Callable[[str], None]
) -> None:
    """Serve until a signal ends it; `listening` is told the address.

    Raises VMError if no VM starts, TaskError for a suite, SettingsError if the port is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    grader = RewardGrader(rewards)
    try:
        await grader.vm_label()
        await asyncio.to_thread(grader.load_suites)
        runner = web.AppRunner(
            Endpoint(grader, settings).app(), access_log=None, shutdown_timeout=settings.ending_s
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
            host, port = runner.addresses[0][:2]
            listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await stop.wait()
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise SettingsError(f"cannot listen on {where}: {error.strerror or error}") from error
        finally:
            await runner.cleanup()
    finally:
        await grader.close()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _answer(status: int, told: dict[str, Any]) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(told).encode(), content_type="application/json"
    )


def _error(status: int, message: str) -> web.Response:
    response = _answer(status, {"error": message})
    if status == 503:
        response.headers["Retry-After"] = "1"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
