"""Processor time per graded answer of the bundled suite: references, and wrong answers.

    python benchmarks/grading.py [N]

Grades each task's reference and its first N wrong answers (all unless given), each kind in a
run of its own with a new grader and new hosts, as `pytest --sema-model` does. What is printed
is the processor time of this process and its hosts, start-up included, over the answers graded.
"""

import asyncio
import os
import resource
import sys
import time
from collections.abc import Sequence

from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.grading.proof.check import wrong_answers
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks

Job = tuple[Task, str]


async def grade(jobs: Sequence[Job], name: str = "wasm") -> tuple[int, float]:
    """How many of the answers are right, and the wall seconds that grading all of them took."""
    n_hosts = os.cpu_count() or 1
    vm = create_vm(name, n_hosts=n_hosts)
    slots = asyncio.Semaphore(4 * n_hosts)
    started = time.monotonic()
    try:
        grader = Grader(vm)

        async def grade_one(job: Job) -> bool:
            async with slots:
                return (await grader.grade(*job)).score == 1.0

        return sum(await asyncio.gather(*map(grade_one, jobs))), time.monotonic() - started
    finally:
        await vm.close()


def cpu_s() -> tuple[float, float]:
    """Processor seconds of this process and of its ended children so far."""
    usages = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own, hosts = (usage.ru_utime + usage.ru_stime for usage in usages)
    return own, hosts


def measure(title: str, jobs: Sequence[Job]) -> None:
    """Grade the answers and print a line about them."""
    before = cpu_s()
    n_right, wall_s = asyncio.run(grade(jobs))
    own, hosts = (1000 * (b - a) / len(jobs) for a, b in zip(before, cpu_s(), strict=True))
    print(
        f"{title:10} {len(jobs):4} answers, {n_right} right: {own + hosts:6.1f} ms of CPU each "
        f"({own:.1f} here, {hosts:.1f} in hosts), {wall_s:.1f} s",
        flush=True,
    )


def main() -> None:
    """Measure both kinds."""
    n_wrong = int(sys.argv[1]) if len(sys.argv) > 1 else None
    tasks = load_tasks(suite_folder())
    references = [(task, as_answer(task.kind, task.reference or "")) for task in tasks]
    measure("reference", references)
    measure("again x5", references * 5)
    wrong = [(task, message) for task in tasks for _, message in wrong_answers(task)[:n_wrong]]
    measure("wrong", wrong)


if __name__ == "__main__":
    main()
