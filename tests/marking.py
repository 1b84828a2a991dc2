"""Grading in tests: a grader on the session's VM, and the tasks and answers of tests/samples."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task, load_task

SAMPLES = Path(__file__).parent / "samples"
QUICK = Limits(cpu_s=3.0, wall_s=3.0)


def task_of(name: str) -> Task:
    """A task that answers are graded against here."""
    return load_task(SAMPLES / "attacks" / "tasks" / f"{name}.yaml")


def answer_of(folder: str, name: str) -> str:
    """The answer in a sample file: text, or a JSON string where text cannot say it."""
    text = SAMPLES / folder / f"{name}.md"
    if text.exists():
        return text.read_text("utf-8")
    answer: str = json.loads((SAMPLES / folder / f"{name}.json").read_text("utf-8"))
    return answer


class Marker:
    """Grades in the session's event loop."""

    def __init__(self, vm: SemaVM, runner: asyncio.Runner) -> None:
        self.grader = Grader(vm, QUICK)
        self._runner = runner

    def __call__(
        self, task: Task, message: str, *, truncated: bool = False, stop_at_failure: bool = False
    ) -> Verdict:
        """The verdict of the session's grader."""
        return self._runner.run(
            self.grader.grade(task, message, truncated=truncated, stop_at_failure=stop_at_failure)
        )

    def all_at_once(self, jobs: Sequence[tuple[Task, str]]) -> list[Verdict]:
        """The verdicts on many answers, graded concurrently."""

        async def grade_all() -> list[Verdict]:
            return list(await asyncio.gather(*(self.grader.grade(*job) for job in jobs)))

        return self._runner.run(grade_all())
