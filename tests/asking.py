"""How the tests of `chat` use a client, and a limiter that notes what it is told."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pytest_sema_bench.agent.loop import AgentRun
from pytest_sema_bench.chat import ChatClient, HttpWire, Patience
from pytest_sema_bench.chat.permit import AttemptResult, Permit
from pytest_sema_bench.grading import Verdict
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.settings import Config

KEY = "sk-secret-0123456789"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Two and two?"}]}
QUICK = Patience(attempts=3, first_wait_s=0.0, longest_wait_s=0.0)
"""No wait between attempts, but long for a reply: a busy machine does not matter."""

T = TypeVar("T")

TOOLS = Config(name="tools", tools=("eval_code",))
BARE = Config(name="bare")

Converse = Callable[..., tuple[AgentRun, Verdict]]
"""The fixture `converse`: plays a script to the end and grades what comes out."""


def use(
    work: Callable[[ChatClient], Coroutine[Any, Any, T]],
    url: str,
    *,
    key: str | None = KEY,
    patience: Patience = QUICK,
    **options: Any,
) -> T:
    """What `work` makes of a client, which is closed afterwards."""

    async def run() -> T:
        wire = HttpWire(url, key, n_connections=4)
        client = ChatClient(wire, redactor=Redactor([key]), patience=patience, **options)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


class NotingLimiter:
    """A limiter that lets every attempt pass and keeps what it was asked and told."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.results: list[AttemptResult] = []
        self.n_open = 0
        self._delay_s = delay_s

    async def acquire(self, **asked: Any) -> Permit:
        """A permit, after a while."""
        await asyncio.sleep(self._delay_s)
        self.asked.append(asked)
        self.n_open += 1
        return _NotingPermit(self)


class _NotingPermit:
    def __init__(self, limiter: NotingLimiter) -> None:
        self._limiter = limiter

    def end(self, result: AttemptResult) -> None:
        self._limiter.results.append(result)
        self._limiter.n_open -= 1
