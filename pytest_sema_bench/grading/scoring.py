"""Grades answers made elsewhere: one by one as a reward function, or a stream of JSON lines.

    from pytest_sema_bench.grading.scoring import Scorer

    with Scorer() as scorer:                    # or Scorer(Path("my/tasks"))
        graded = scorer.grade("L2-05-palindrome", completion)
        reward = graded.score                   # 1.0 right, 0.3 runs but wrong, 0.0 does not run

`Scorer` starts the VM once and keeps it; it may be called from several threads at a time.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.errors import BenchError, VMError
from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.grading.graded import Graded
from pytest_sema_bench.records.outcome import Void
from pytest_sema_bench.sema.loop_thread import LoopThread
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks

_LINES_PER_HOST = 4


class AnswerGrader:
    """Grades answers to the tasks of a suite, on one event loop."""

    def __init__(
        self,
        tasks: Iterable[Task] = (),
        *,
        backend: str,
        limits: Limits | None = None,
        n_hosts: int | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        """`n_hosts` evaluations at a time; None for as many as there are processors.

        Answers are in the `dialect`, or in plain Sema.
        """
        self.tasks: Mapping[str, Task] = {task.id: task for task in tasks}
        self.n_hosts = n_hosts or os.cpu_count() or 1
        self._vm = create_vm(backend, self.n_hosts)
        self._grader = Grader(self._vm, limits, dialect=dialect)
        self._label: str | None = None

    async def grade(self, task_id: str, answer: str, *, truncated: bool = False) -> Graded:
        """The grade of one answer. Raises BenchError if the task is unknown or no VM starts."""
        task = self.tasks.get(task_id)
        if task is None:
            raise BenchError(f"there is no task {task_id!r}; `--list-tasks` says which there are")
        return await self.grade_task(task, answer, truncated=truncated)

    async def grade_task(
        self, task: Task, answer: str, *, truncated: bool = False, stop_at_failure: bool = False
    ) -> Graded:
        """As `grade`, for a task that need not be one of the suite.

        With `stop_at_failure` the cases after the first that fails are not run.
        """
        label = await self.vm_label()
        try:
            verdict = await self._grader.grade(
                task, answer, truncated=truncated, stop_at_failure=stop_at_failure
            )
        except VMError as error:
            verdict = Verdict.void(Void.VM, str(error))
        return Graded.of(task, verdict, label)

    async def vm_label(self) -> str:
        """Which VM grades, as records name it. Raises VMError if it cannot be started."""
        if self._label is None:
            self._label = (await self._vm.info()).label
        return self._label

    async def close(self) -> None:
        """End the VM's processes."""
        await self._vm.close()


class Scorer:
    """A blocking, thread-safe door to `AnswerGrader`: the reward function to train with."""

    def __init__(self, tasks: Path | None = None, *, backend: str = "wasm") -> None:
        """`tasks` is a folder or file; None for the bundled suite. Raises TaskError."""
        self._grader = AnswerGrader(load_tasks(tasks or suite_folder()), backend=backend)
        self._thread = LoopThread("scorer")

    def grade(self, task_id: str, answer: str, *, truncated: bool = False) -> Graded:
        """The grade of a model's final message, as it came.

        `truncated` says that the token limit cut it off. Raises BenchError for an unknown
        task or if the VM cannot be started.
        """
        return self._thread.submit(
            self._grader.grade(task_id, answer, truncated=truncated)
        ).result()

    def close(self) -> None:
        """End the VM; the scorer cannot be used any more."""
        self._thread.close(self._grader.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line that cannot be graded."""

    line: int
    message: str


async def grade_lines(
    lines: Iterable[str], grader: AnswerGrader
) -> AsyncIterator[dict[str, Any] | LineFault]:
    """For each line its object with the grade added, or what is wrong with it, in order.

    A bounded window of lines is under way, so memory does not grow with their number.
    """
    under_way: deque[asyncio.Task[dict[str, Any] | LineFault]] = deque()
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            under_way.append(asyncio.ensure_future(_grade_line(number, line, grader)))
            if len(under_way) >= _LINES_PER_HOST * grader.n_hosts:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        # Several lines may have met the same fault, of which the first has been told.
        await asyncio.gather(*under_way, return_exceptions=True)


async def _grade_line(number: int, line: str, grader: AnswerGrader) -> dict[str, Any] | LineFault:
    try:
        entry = json.loads(line)
    except ValueError as error:
        return LineFault(number, f"not JSON: {error}")
    if not isinstance(entry, dict):
        return LineFault(number, 'not a JSON object; expected {"task": id, "answer": text}')
    task_id, answer = entry.get("task"), entry.get("answer")
    if not isinstance(task_id, str) or not isinstance(answer, str | None):
        return LineFault(number, 'expected {"task": id, "answer": text}, both strings')
    if task_id not in grader.tasks:
        return LineFault(number, f"there is no task {task_id!r}")
    truncated = entry.get("truncated") is True
    graded = await grader.grade(task_id, answer or "", truncated=truncated)
    return {**entry, **graded.as_json()}
