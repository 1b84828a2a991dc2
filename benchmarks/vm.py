"""What an evaluation costs on each backend.

    python benchmarks/vm.py [VM ...]

Without arguments: fresh evaluations per second of one host of the default backend, against a new
`node` for each, and its memory. With the names of VMs, as `--sema-vm` takes them: evaluations per
second on all cores, and processor time per evaluation and per graded reference answer, in one
run, each VM in turn.
"""

import asyncio
import ctypes
import os
import resource
import subprocess
import sys
import time

import psutil
from grading import grade

from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.sema.vm.install import install
from pytest_sema_bench.sema.vm.node import find_node
from pytest_sema_bench.sema.vm.wasm import WasmVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks

SOURCES = ["(define (square x) (* x x))", "(square 12)"]
ONE_SHOT = """
import { readFileSync } from "node:fs";
const { SemaInterpreter, initSync } = await import(process.argv[2] + "/sema_wasm.js");
initSync({ module: readFileSync(process.argv[2] + "/sema_wasm_bg.wasm") });
const interpreter = SemaInterpreter.createWithOptions({ deny: ["network", "fs-write"] });
for (const source of process.argv.slice(3))
  console.log((await interpreter.evalVMAsync(source)).value);
"""


async def pooled(n: int) -> tuple[float, list[int]]:
    """Seconds for n evaluations in one host, and its memory in bytes along the way."""
    vm = WasmVM(n_hosts=1)
    memory = []
    try:
        await vm.evaluate(SOURCES, Limits())
        elapsed = 0.0
        for _ in range(10):
            started = time.monotonic()
            for _ in range(n // 10):
                (_, last) = await vm.evaluate(SOURCES, Limits())
                assert last.value == "144"
            elapsed += time.monotonic() - started
            memory += [child.memory_info().rss for child in psutil.Process().children()]
    finally:
        await vm.close()
    return elapsed, memory


def one_shot(n: int) -> float:
    """Seconds for n evaluations, each in a `node` of its own."""
    node = find_node()
    package, _ = install(node)
    command = [str(node.executable), "--input-type=module", "--eval", ONE_SHOT, "-", str(package)]
    started = time.monotonic()
    for _ in range(n):
        done = subprocess.run([*command, *SOURCES], capture_output=True, text=True, check=True)
        assert done.stdout.split()[-1] == "144"
    return time.monotonic() - started


_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER: what a killed bubblewrap leaves is ours to wait for, and counts."""


def cpu_s() -> float:
    """Processor seconds of this process and all that ever ran below it."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    usages = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


async def evaluations(name: str, n: int) -> float:
    """Seconds for n evaluations on all cores."""
    n_hosts = os.cpu_count() or 1
    vm = create_vm(name, n_hosts)
    try:
        await vm.info()
        started = time.monotonic()
        for found in await asyncio.gather(*(vm.evaluate(SOURCES, Limits()) for _ in range(n))):
            assert found[-1].value == "144"
        return time.monotonic() - started
    finally:
        await vm.close()


def backends(names: list[str], n: int = 400) -> None:
    """Measure each VM and print a line about it."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    tasks = load_tasks(suite_folder())
    references = [(task, as_answer(task.kind, task.reference or "")) for task in tasks]
    for name in names:
        before = cpu_s()
        elapsed = asyncio.run(evaluations(name, n))
        each_ms = 1000 * (cpu_s() - before) / n
        before = cpu_s()
        n_right, wall_s = asyncio.run(grade(references, name))
        answer_ms = 1000 * (cpu_s() - before) / len(references)
        print(
            f"{name}: {n / elapsed:.0f} evaluations/s, {each_ms:.1f} ms of CPU each; "
            f"{n_right} of {len(references)} references right, {answer_ms:.0f} ms of CPU and "
            f"{1000 * wall_s / len(references):.0f} ms an answer",
            flush=True,
        )


def main() -> None:
    """Measure what was asked for."""
    if len(sys.argv) > 1:
        backends(sys.argv[1:])
        return
    one_shot(1)
    slow = one_shot(20) / 20
    elapsed, memory = asyncio.run(pooled(5000))
    fast = elapsed / 5000
    print(f"pooled host      {1 / fast:8.0f} evaluations/s, a fresh interpreter each")
    print(f"node per program {1 / slow:8.1f} evaluations/s")
    print(f"ratio            {slow / fast:8.1f}")
    megabytes = [f"{m / 1e6:.0f}" for m in memory]
    print("host memory after each 500 evaluations, MB:", " ".join(megabytes))


if __name__ == "__main__":
    main()
