"""The wasm backend: its pool of hosts, lost, grown, cancelled, closed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm import Evaluation, SemaVM, create_vm
from pytest_sema_bench.settings import Limits
from tests.vm_hosts import running_hosts, until

pytestmark = pytest.mark.vm

MakeVM = Callable[[int], SemaVM]
Hosts = Callable[[], set[psutil.Process]]

SLEEP_FOR_EVER = "(async/sleep 600000)"
LOOP_FOR_EVER = "(define (f) (f)) (f)"


@pytest.fixture
def hosts() -> Hosts:
    """The hosts started since the test began."""
    before = running_hosts()
    return lambda: running_hosts() - before


@pytest.fixture
def make_vm(event_loop_runner: asyncio.Runner, hosts: Hosts) -> Iterator[MakeVM]:
    """Makes VMs of the test's own with that many hosts, which it may break."""
    vms: list[SemaVM] = []

    def make(n_hosts: int) -> SemaVM:
        vms.append(create_vm("wasm", n_hosts=n_hosts))
        return vms[-1]

    yield make
    for vm in vms:
        event_loop_runner.run(vm.close())


def test_no_task_of_one_evaluation_runs_on_in_the_next(
    make_vm: MakeVM, event_loop_runner: asyncio.Runner
) -> None:
    """What sleeps when its evaluation ends is gone with its interpreter."""
    leave_behind = '(async/spawn (fn () (async/sleep 50) (println "late") (time (fn () 1))))'

    async def check() -> None:
        vm = make_vm(1)
        await vm.evaluate([leave_behind], Limits())
        (later,) = await vm.evaluate(["(async/sleep 400) 7"], Limits())
        assert later == Evaluation(value="7")

    event_loop_runner.run(check())


LEAVES_SOMETHING = (
    "(gensym)",
    "(defmacro m (x) `(let ((tmp# ,x)) 'tmp#)) (m 1)",
    '(file/write-lines "left.txt" \'("x"))',
    "(define (grow n) (let ((self nil)) (set! self (fn () (list self n))) (self)))",
    "(for-each grow (range 100))",
    "(gc/stats)",
)


def test_every_evaluation_of_a_host_is_its_first(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """Neither counters nor garbage outlive their interpreter: what the VM tells stays the same."""

    async def check() -> None:
        vm = make_vm(1)
        first = await vm.evaluate(LEAVES_SOMETHING, Limits())
        assert [result.value for result in first[:2]] == ["g__0", "tmp__1"]
        for _ in range(20):
            assert await vm.evaluate(LEAVES_SOMETHING, Limits()) == first
        assert len(hosts()) == 1

    event_loop_runner.run(check())


def test_nothing_to_evaluate_has_no_evaluation(
    make_vm: MakeVM, event_loop_runner: asyncio.Runner
) -> None:
    """No sources, no results, and the host is there for the next."""

    async def check() -> None:
        vm = make_vm(1)
        assert await vm.evaluate([], Limits()) == ()
        assert await vm.evaluate(["7"], Limits()) == (Evaluation(value="7"),)

    event_loop_runner.run(check())


def test_memory_is_measured_on_a_host_that_nobody_used(
    make_vm: MakeVM, event_loop_runner: asyncio.Runner
) -> None:
    """What an earlier program left of the host's memory decides nothing."""

    def take(n_million: int) -> list[str]:
        return [f'(string/length (string/repeat "a" {n_million}000000))']

    async def check() -> None:
        vm = make_vm(1)
        assert (await vm.evaluate(take(80), Limits()))[0].value == "80000000"
        assert (await vm.evaluate(take(220), Limits()))[0].value == "220000000"

    event_loop_runner.run(check())


def test_a_host_that_has_grown_is_replaced(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """Memory never shrinks inside a host, so a big one is given up and a small one is kept."""

    async def check() -> None:
        vm = make_vm(1)
        await vm.evaluate(["1"], Limits())
        first = hosts()
        await vm.evaluate(["(map (fn (x) x) (range 0 1000))"], Limits())
        assert hosts() == first
        await vm.evaluate(['(string/length (string/repeat "a" 140000000))'], Limits())
        await vm.evaluate(["1"], Limits())
        assert len(hosts()) == 1
        assert not hosts() & first

    event_loop_runner.run(check())


LONG_COMMENT = ";" + "x" * 150_000
COUNTS_READING = pytest.mark.skipif(
    not hasattr(psutil.Process, "io_counters"), reason="the system does not count what is read"
)


def n_read(host: psutil.Process) -> int:
    """Bytes that the host has read: what it needs to start, and its requests."""
    return int(host.io_counters().read_chars)  # type: ignore[attr-defined,unused-ignore]


async def kill_busy_hosts(hosts: Hosts, n: int, idle: int, with_signal: signal.Signals) -> None:
    """Kill n hosts one after the other, each once it has read a request with a long comment."""
    killed: set[psutil.Process] = set()

    def busy() -> list[psutil.Process]:
        return [host for host in hosts() - killed if n_read(host) > idle + len(LONG_COMMENT) // 2]

    for _ in range(n):
        await until(busy)
        for host in busy():
            killed.add(host)
            os.kill(host.pid, with_signal)


@COUNTS_READING
def test_a_host_killed_in_the_middle_costs_one_retry(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """The evaluation starts again on a new host and gives the right value."""

    async def check() -> None:
        vm = make_vm(1)
        await vm.evaluate(["1"], Limits())
        (first,) = hosts()
        source = f"(async/sleep 1500) 42 {LONG_COMMENT}"
        evaluating = asyncio.create_task(vm.evaluate([source], Limits()))
        await kill_busy_hosts(hosts, 1, n_read(first), signal.SIGKILL)
        assert await evaluating == (Evaluation(value="42"),)
        assert first not in hosts()

    event_loop_runner.run(check())


@COUNTS_READING
def test_a_host_killed_twice_is_not_the_programs_fault(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """After the second loss the evaluation is a host fault, never a verdict."""

    async def check() -> None:
        vm = make_vm(1)
        await vm.evaluate(["1"], Limits())
        (first,) = hosts()
        source = f"{SLEEP_FOR_EVER} {LONG_COMMENT}"
        evaluating = asyncio.create_task(vm.evaluate([source], Limits()))
        await kill_busy_hosts(hosts, 2, n_read(first), signal.SIGKILL)
        with pytest.raises(VMError, match="return code -9; a second host did not get to the end"):
            await evaluating
        assert await vm.evaluate(["(+ 1 2)"], Limits()) == (Evaluation(value="3"),)

    event_loop_runner.run(check())


@COUNTS_READING
def test_a_host_that_crashes_by_itself_twice_is_the_programs_fault(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """A crash that comes again on a new host is what the program does."""

    async def check() -> None:
        vm = make_vm(1)
        await vm.evaluate(["1"], Limits())
        (first,) = hosts()
        source = f"{SLEEP_FOR_EVER} {LONG_COMMENT}"
        evaluating = asyncio.create_task(vm.evaluate([source, "1"], Limits()))
        await kill_busy_hosts(hosts, 2, n_read(first), signal.SIGSEGV)
        crashed, after = await evaluating
        assert crashed.error == "the program crashed the VM's process"
        assert after.error is not None

    event_loop_runner.run(check())


def test_a_host_killed_between_evaluations_is_not_missed(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """All idle hosts may die: the next evaluation starts a new one."""

    async def check() -> None:
        vm = make_vm(2)
        await asyncio.gather(*(vm.evaluate(["(async/sleep 100)"], Limits()) for _ in range(2)))
        for host in hosts():
            host.kill()
        assert await vm.evaluate(["(+ 1 2)"], Limits()) == (Evaluation(value="3"),)

    event_loop_runner.run(check())


def test_two_hosts_evaluate_at_the_same_time(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """A second evaluation ends while the first still runs; a third waits for a free host."""

    async def check() -> None:
        vm = make_vm(2)
        sleeping = asyncio.create_task(vm.evaluate([SLEEP_FOR_EVER], Limits()))
        values = [await vm.evaluate([str(n)], Limits()) for n in range(3)]
        assert values == [(Evaluation(value=str(n)),) for n in range(3)]
        assert not sleeping.done()
        assert len(hosts()) == 2
        sleeping.cancel()

    event_loop_runner.run(check())


def test_one_host_evaluates_in_the_order_of_asking(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """With one host evaluations wait for each other, and no second process is started."""

    async def check() -> None:
        vm = make_vm(1)
        ended: list[int] = []

        async def evaluate(n: int, sleep_ms: int) -> None:
            await vm.evaluate([f"(async/sleep {sleep_ms})"], Limits())
            ended.append(n)
            assert len(hosts()) <= 1

        await asyncio.gather(evaluate(1, 300), evaluate(2, 100), evaluate(3, 1))
        assert ended == [1, 2, 3]

    event_loop_runner.run(check())


MOMENTS = {"while a host starts": False, "in the middle of an evaluation": True}


@pytest.mark.parametrize("is_ready", MOMENTS.values(), ids=MOMENTS)
def test_a_cancelled_evaluation_frees_its_slot(
    is_ready: bool, make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """The host that was busy is ended, and the next evaluation gets a clean one."""

    async def check() -> None:
        vm = make_vm(1)
        if is_ready:
            await vm.evaluate(["1"], Limits())
        evaluating = asyncio.create_task(vm.evaluate([SLEEP_FOR_EVER], Limits()))
        await until(hosts)
        await asyncio.sleep(0.2 if is_ready else 0)
        busy = hosts()
        evaluating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await evaluating
        assert not hosts() & busy
        assert await vm.evaluate(["(+ 1 2)"], Limits()) == (Evaluation(value="3"),)
        assert len(hosts()) == 1

    event_loop_runner.run(check())


@pytest.mark.parametrize("is_ready", MOMENTS.values(), ids=MOMENTS)
def test_closing_ends_what_is_under_way(
    is_ready: bool, make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """close() waits for no program, leaves no process and tells whoever still waits."""

    async def check() -> None:
        vm = make_vm(2)
        if is_ready:
            await vm.evaluate(["1"], Limits())
        evaluating = asyncio.create_task(vm.evaluate([SLEEP_FOR_EVER], Limits()))
        await until(hosts)
        await asyncio.sleep(0.2 if is_ready else 0)
        await vm.close()
        with pytest.raises(VMError, match="the VM has been closed"):
            await evaluating
        assert hosts() == set()

    event_loop_runner.run(check())


def test_a_closed_vm_says_so(
    make_vm: MakeVM, hosts: Hosts, event_loop_runner: asyncio.Runner
) -> None:
    """Closing twice is fine, and evaluating afterwards is a fault of the caller."""

    async def check() -> None:
        vm = make_vm(1)
        await vm.evaluate(["1"], Limits())
        await vm.close()
        await vm.close()
        with pytest.raises(VMError, match="the VM has been closed"):
            await vm.evaluate(["1"], Limits())
        assert hosts() == set()

    event_loop_runner.run(check())


PARENT = """
import asyncio, sys
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.sema.vm import create_vm


async def main():
    vm = create_vm("wasm", n_hosts=1)
    await vm.evaluate(["1"], Limits())
    print("ready", flush=True)
    await vm.evaluate([sys.argv[1]], Limits())
    await asyncio.sleep(600)

asyncio.run(main())
"""
WHEN_KILLED = {"idle": "1", "sleeping": SLEEP_FOR_EVER, "working": LOOP_FOR_EVER}


@pytest.mark.parametrize("source", WHEN_KILLED.values(), ids=WHEN_KILLED)
def test_a_host_does_not_outlive_its_parent(source: str) -> None:
    """When Python is killed without a chance to clean up, the host notices and ends."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, source], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        orphans = psutil.Process(parent.pid).children()
        assert len(orphans) == 1
        with pytest.raises(subprocess.TimeoutExpired):
            parent.wait(timeout=0.3)
    finally:
        parent.kill()
        parent.communicate()
    _gone, alive = psutil.wait_procs(orphans, timeout=60)
    for host in alive:
        host.kill()
    assert alive == []


def test_what_quick_programs_took_is_not_counted_to_the_next(
    make_vm: MakeVM, event_loop_runner: asyncio.Runner
) -> None:
    """A host may have used more than the limit in all, each program far less."""
    source = "(let loop ((i 0)) (if (< i {n}) (loop (+ i 1)) i))"

    async def check() -> None:
        vm, limits = make_vm(1), Limits(cpu_s=0.8)
        for _ in range(150):
            await vm.evaluate([source.format(n=80_000)], limits)
        (long,) = await vm.evaluate([source.format(n=3_000_000)], limits)
        assert long == Evaluation(value="3000000")

    event_loop_runner.run(check())
