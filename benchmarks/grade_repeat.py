"""Grades the same answers three times, the last with both processors busy, and compares.

    python benchmarks/grade_repeat.py [N]

N answers (1000 unless given): references, wrong answers and mutants of the bundled tasks, in
turn; and right answers that work for about as long as they may, on either side of it. Prints
whether all verdicts are identical, cases and messages included, and those that are not; the exit
status is 1 if there is any.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, zip_longest

from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.grading.proof.check import wrong_answers
from pytest_sema_bench.grading.proof.mutate import mutate
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import GradeKind, Task, load_tasks

Job = tuple[Task, str, Limits]
USUAL = Limits(cpu_s=3.0).for_verdicts
NEAR = Limits(cpu_s=1.0).for_verdicts
"""For answers near the limit: as the usual ones, but sooner."""
N_TURNS = (20_000, 24_000, 27_000, 30_000, 36_000)
"""Turns of a loop that takes some 0.7 to 1.7 s; its steps would last for 10,000,000."""


def answers_to(task: Task) -> Iterator[Job]:
    """A task's reference, its wrong answers and the mutants of the reference, as messages."""
    reference = task.reference or ""
    yield task, as_answer(task.kind, reference), USUAL
    yield from ((task, message, USUAL) for _, message in wrong_answers(task))
    if task.kind is not GradeKind.VALUE:
        yield from ((task, as_answer(task.kind, each.source), USUAL) for each in mutate(reference))


def near_the_limit() -> Iterator[Job]:
    """Right answers, each of which first does some work that makes garbage of growing lists."""
    programs = [t for t in load_tasks(suite_folder()) if t.kind is GradeKind.PROGRAM]
    for task in programs[:2]:
        for n in N_TURNS:
            work = f"(let loop ((i 0) (xs '())) (if (< i {n}) (loop (+ i 1) (cons i xs)) nil))"
            yield (
                replace(task, cases=task.cases[:1]),
                as_answer(task.kind, f"{task.reference}{work}"),
                NEAR,
            )


def choose(n: int) -> list[Job]:
    """The first n answers, taking one of each task in turn."""
    columns = zip_longest(*(answers_to(task) for task in load_tasks(suite_folder())))
    return list(islice((job for column in columns for job in column if job), n))


async def grade(jobs: Sequence[Job]) -> list[Verdict]:
    """The verdicts, graded in parallel by a new grader on new hosts."""
    n_hosts = os.cpu_count() or 1
    vm = create_vm("wasm", n_hosts=n_hosts)
    slots = asyncio.Semaphore(4 * n_hosts)
    try:
        graders = {limits: Grader(vm, limits) for limits in (USUAL, NEAR)}

        async def grade_one(job: Job) -> Verdict:
            task, message, limits = job
            async with slots:
                return await graders[limits].grade(task, message)

        return list(await asyncio.gather(*map(grade_one, jobs)))
    finally:
        await vm.close()


def timed(title: str, jobs: Sequence[Job]) -> list[Verdict]:
    """The verdicts, with a line on how long they took."""
    started = time.monotonic()
    verdicts = asyncio.run(grade(jobs))
    print(f"{title:12} {len(jobs)} answers in {time.monotonic() - started:.0f} s", flush=True)
    return verdicts


def main() -> int:
    """Grade three times and report; 1 if any verdict differs."""
    near = list(near_the_limit())
    jobs = near + choose(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    runs = [timed("first", jobs), timed("backwards", jobs[::-1])[::-1]]
    spin = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        runs.append(timed("busy", jobs))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    differing = [job for job, *verdicts in zip(jobs, *runs, strict=True) if len(set(verdicts)) > 1]
    for task, message, _ in differing:
        print(f"differs: {task.id}\n{message}\n")
    reasons = [verdict.reason.value for verdict in runs[0]]
    for reason in sorted(set(reasons)):
        print(f"{reasons.count(reason):6} {reason}")
    print("all verdicts identical" if not differing else f"{len(differing)} answers differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
