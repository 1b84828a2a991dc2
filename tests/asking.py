"""How the tests of `chat` use a client, and a limiter that notes what it is told."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from pytest_sema_bench.agent.loop import AgentRun
from pytest_sema_bench.chat import ChatClient, ChatReply, Patience
from pytest_sema_bench.chat.permit import AttemptResult, Permit
from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.grading import Verdict
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.settings import Config
from tests.chat_server import ChatServer, Step, complete, raw

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


def ask(server: ChatServer, limiter: NotingLimiter | None = None, **options: Any) -> ChatReply:
    """The reply to one body."""
    return use(
        lambda client: client.complete(BODY),
        server.url,
        limiter=limiter or NotingLimiter(),
        **options,
    )


def fail(server: ChatServer, step: Step, **options: Any) -> tuple[ModelError, list[AttemptResult]]:
    """How a call ends that is always answered like this, and what the limiter was told."""
    server.play([step])
    limiter = NotingLimiter()
    with pytest.raises(ModelError) as caught:
        ask(server, limiter, **options)
    assert limiter.n_open == 0
    return caught.value, limiter.results


def body(status: int, message: str = "", **fields: Any) -> Step:
    """An error status with an error object."""
    return raw(json.dumps({"error": {"message": message, **fields}}).encode(), status=status)


def inside(code: object, message: str = "no", **fields: Any) -> Step:
    """An error object in a reply with status 200."""
    return complete({"error": {"code": code, "message": message, **fields}})
