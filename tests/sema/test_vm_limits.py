"""What ends a program on the shared VM: steps, traps; and which VM it is."""

import asyncio

from pytest_sema_bench.sema.vm import ErrorClass, SemaVM
from pytest_sema_bench.sema.vm.install import pinned_version
from pytest_sema_bench.settings import Limits
from tests.conftest import VMEval

LOOP_FOR_EVER = "(define (f) (f)) (f)"
TRAP = "(time (fn () 1))"


def test_an_endless_loop_ends_by_its_steps(vm_eval: VMEval) -> None:
    """The VM counts steps over all sources together, so the verdict is the same anywhere."""
    before, endless, later = vm_eval(["1", LOOP_FOR_EVER, "2"])
    assert before.value == "1"
    assert endless.error_class is ErrorClass.STEPS
    assert later.error_class is ErrorClass.STEPS


def test_waiting_time_does_not_count_while_a_program_works(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """A busy program ends by its steps, however little it may wait."""
    (endless,) = event_loop_runner.run(vm.evaluate([LOOP_FOR_EVER], Limits(wall_s=0.4)))
    assert endless.error_class is ErrorClass.STEPS


def test_a_trap_is_the_programs_fault(vm_eval: VMEval) -> None:
    """What kills the instance is an error of the program, and the next evaluation runs."""
    before, trapped, after = vm_eval(["1", TRAP, "2"])
    assert before.value == "1"
    assert trapped.error is not None
    assert "time" in trapped.error
    assert after.error is not None
    assert after.error.startswith("not run: ")
    assert vm_eval(["2"])[0].value == "2"


def test_info_says_which_vm_judges(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Version, build and host of what is really running."""

    async def check() -> None:
        info = await vm.info()
        assert (info.backend, info.version) == ("wasm", pinned_version())
        assert len(info.build) == 64
        assert info.host.startswith("node v")
        assert info.label == f"wasm {info.version} ({info.build[:8]})"

    event_loop_runner.run(check())
