"""The suite and the attacks on a native Sema: what holds on WASM holds there too."""

import asyncio
from collections.abc import Iterator

import pytest

from pytest_sema_bench.grading.proof.check import Graders, check_task
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.sema.vm import SemaVM, create_vm
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks
from tests.grading.test_attacks import ATTACKS
from tests.marking import Marker, answer_of, task_of
from tests.sema_builds import native

pytestmark = pytest.mark.native

HARMLESS = {"time-while-loading"}
"""No attack here: native has the clock whose lack traps on WASM."""


@pytest.fixture(scope="module")
def vm(event_loop_runner: asyncio.Runner) -> Iterator[SemaVM]:
    """The native VM, in place of the session's."""
    vm = create_vm(str(native()), n_hosts=2)
    yield vm
    event_loop_runner.run(vm.close())


def test_no_attack_buys_a_pass(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Each answer that games the grader on WASM in vain fails here as well."""
    names = [name for name in ATTACKS if name not in HARMLESS]
    jobs = [(task_of(ATTACKS[name][0]), answer_of("attacks", name)) for name in names]
    verdicts = Marker(vm, event_loop_runner).all_at_once(jobs)
    passed = [n for n, v in zip(names, verdicts, strict=True) if v.outcome is not Outcome.FAIL]
    assert passed == []


def test_the_suite_holds(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Every reference of `core` passes and every wrong answer is caught."""

    async def check() -> list[str]:
        tasks = load_tasks(suite_folder())
        graders = Graders(vm)
        checks = await asyncio.gather(*(check_task(t, graders, max_mutants=0) for t in tasks))
        assert sum(each.n_caught for each in checks) == sum(each.n_wrong for each in checks) > 400
        return [f"{each.task.id}: {problem}" for each in checks for problem in each.problems]

    assert event_loop_runner.run(check()) == []
