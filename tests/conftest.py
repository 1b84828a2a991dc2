"""Fixtures that more than one test module needs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from pytest_sema_bench.settings import Limits
from pytest_sema_bench.vm import Evaluation, SemaVM, create_vm

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]


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
