"""Fresh evaluations per second of one host, against a new `node` for each, and its memory.

python benchmarks/vm.py
"""

import asyncio
import subprocess
import time

import psutil

from pytest_sema_bench.sema.vm.install import install
from pytest_sema_bench.sema.vm.node import find_node
from pytest_sema_bench.sema.vm.wasm import WasmVM
from pytest_sema_bench.settings import Limits

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


def main() -> None:
    """Measure both in turn and print the ratio."""
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
