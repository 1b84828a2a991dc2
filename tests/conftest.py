"""Fixtures that more than one test module needs."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence

import hypothesis
import pytest

from pytest_sema_bench.sema.vm import Evaluation, SemaVM, create_vm
from pytest_sema_bench.settings import Limits
from tests.chat_server import ChatServer
from tests.postgres_server import database, postgres_server

__all__ = ["database", "postgres_server"]

# A busy machine must not fail a test: no example has to be quick.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

MARKED_BY_FIXTURE = {"vm": "vm", "pytester": "pytester", "browser": "browser"}
"""What a test needs, told by the fixtures it asks for, directly or not; else it says so itself."""

Capture = pytest.CaptureFixture[str]
VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]


def pytest_configure() -> None:
    """Let tests press Ctrl-C on runs of their own though a shell started this one with `&`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a VM, a pytest or a browser, so that `make quick` can do without."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKED_BY_FIXTURE:
                item.add_marker(MARKED_BY_FIXTURE[fixture])


@pytest.fixture(scope="session")
def event_loop_runner() -> Iterator[asyncio.Runner]:
    """One event loop for the session: VM hosts belong to the loop that started them."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def vm(event_loop_runner: asyncio.Runner) -> Iterator[SemaVM]:
    """The real VM, shared by the session."""
    vm = create_vm("wasm", n_hosts=2)
    yield vm
    event_loop_runner.run(vm.close())


@pytest.fixture(scope="session")
def vm_eval(event_loop_runner: asyncio.Runner, vm: SemaVM) -> VMEval:
    """Evaluate sources in one fresh interpreter, default limits."""

    def evaluate(sources: Sequence[str]) -> tuple[Evaluation, ...]:
        return event_loop_runner.run(vm.evaluate(sources, Limits()))

    return evaluate


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """A scripted chat server on loopback, new for each test; see tests/chat_server.py."""
    server = ChatServer()
    yield server
    server.close()
