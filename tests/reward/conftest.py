"""What tests of the reward share: settings with the tasks of tests/samples, and an endpoint."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from pytest_sema_bench.reward import process
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.serve import Endpoint, ServeSettings
from tests.marking import QUICK, SAMPLES
from tests.samples.double_task import write_double_task

ATTACK_TASKS = str(SAMPLES / "attacks" / "tasks")


class LiveEndpoint:
    """The endpoint on a port of loopback, over the pool that the functions of trainers use."""

    def __init__(self, rewards: RewardSettings, settings: ServeSettings) -> None:
        self.pool = process.pool(rewards)
        self._runner = web.AppRunner(Endpoint(self.pool.grader, settings).app())
        self.port = self.pool.thread.submit(self._start()).result()
        self.url = f"http://127.0.0.1:{self.port}"

    async def _start(self) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port: int = self._runner.addresses[0][1]
        return port

    def post(self, body: object, **more: Any) -> httpx.Response:
        """What the endpoint answers to a body."""
        # Escaped: an answer may hold half a character.
        return httpx.post(self.url, content=json.dumps(body), timeout=120, **more)

    def close(self) -> None:
        """End it; the pool stays."""
        self.pool.thread.submit(self._runner.cleanup()).result()


@pytest.fixture(scope="session")
def rewards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewardSettings]:
    """Settings that know `double` and the tasks of the attacks; the pool ends with the session."""
    double: Path = write_double_task(tmp_path_factory.mktemp("reward") / "tasks")
    yield RewardSettings(suites=(str(double), ATTACK_TASKS), n_hosts=2, limits=QUICK)
    process.close()


@pytest.fixture(scope="module")
def endpoint(rewards: RewardSettings) -> Iterator[LiveEndpoint]:
    """An endpoint with these settings and small limits."""
    settings = ServeSettings(max_body_bytes=200_000, n_under_way=70, body_s=1.0)
    live = LiveEndpoint(rewards, settings)
    yield live
    live.close()
