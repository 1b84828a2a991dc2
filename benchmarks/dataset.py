"""Planted copies of reference answers among programs of our own: found, and how long it takes.

    python benchmarks/dataset.py [N_PROGRAMS]        # 2,000 programs and 20 copies

Proof on the VM, exact and near duplicates and decontamination are timed apart. The exit status is
1 if a copy is missed or more than five others are dropped.
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pytest_sema_bench.dataset.duplicates import similar_pairs
from pytest_sema_bench.dataset.mix import leaks, tasks_to_keep_out
from pytest_sema_bench.dataset.normal import normal
from pytest_sema_bench.dataset.prove import Draft, Sifting, prove
from pytest_sema_bench.dataset.row import Source
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.suite.task import GradeKind
from tests.samples.planted import copies, own_programs

N_COPIES = 20
MAX_OTHERS = 5


async def measure(n: int) -> int:
    """Print what was found and how long each step took."""
    vm = create_vm("wasm", n_hosts=os.cpu_count() or 1)
    tasks = tasks_to_keep_out([])
    solvable = [task for task in tasks if task.kind is GradeKind.PROGRAM]
    dice = random.Random(0)  # noqa: S311 - reproducible
    planted = dict(copies(dice.sample(solvable, N_COPIES), seed=0))
    codes = [*own_programs(n, seed=0), *planted.values()]
    dice.shuffle(codes)
    drafts = [
        Draft(place=f"program {i}", source=Source.EXAMPLES, licence="MIT", family="made", code=code)
        for i, code in enumerate(codes)
    ]
    try:
        began, sifting = time.monotonic(), Sifting()
        await prove(drafts, vm, sifting)
        rows = sifting.kept
        proven = time.monotonic()
        print(f"proven, three times each: {len(rows)} of {len(codes)} in {proven - began:.0f} s")
        programs = [found.numbered for row in rows if (found := normal(row.code))]
        n_near = len({later for later, _, _ in similar_pairs(programs, 0.7)})
        compared = time.monotonic()
        print(f"held against each other: {n_near} near copies in {compared - proven:.1f} s")
        found_leaks = await leaks(rows, tasks, vm)
        print(f"decontaminated against {len(tasks)} tasks in {time.monotonic() - compared:.0f} s")
        print(f"in all {time.monotonic() - began:.0f} s")
    finally:
        await vm.close()
    dropped = {row.code: leak for row, leak in zip(rows, found_leaks, strict=True) if leak}
    missed = [task for task, code in planted.items() if code not in dropped]
    others = {code: leak for code, leak in dropped.items() if code not in planted.values()}
    print(f"{N_COPIES - len(missed)} of {N_COPIES} copies found, {len(others)} others dropped")
    print("".join(f"missed: {task}\n{planted[task]}\n" for task in missed), end="")
    print("".join(f"also dropped for {k.task}: {k.why}: {c}\n" for c, k in others.items()), end="")
    return int(bool(missed) or len(others) > MAX_OTHERS)


if __name__ == "__main__":
    sys.exit(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)))
