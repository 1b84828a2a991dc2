"""Rows from the reference answers of a suite, which its own cases prove."""

from pathlib import Path

from pytest_sema_bench.dataset.benchmark import is_benchmark, refuse
from pytest_sema_bench.dataset.prove import Draft, Sifting
from pytest_sema_bench.dataset.row import BENCHMARK, Source
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.task import GradeKind, Task, load_tasks


async def drafts(
    suite: Path, licence: str | None, vm: SemaVM, sifting: Sifting, *, benchmark: bool
) -> list[Draft]:
    """The references that pass their tasks' cases. Raises SettingsError and TaskError."""
    tasks = load_tasks(suite)
    if not benchmark and (n := sum(map(is_benchmark, tasks))):
        raise refuse(suite, n)
    grader, made = Grader(vm), []
    for task in tasks:
        if task.kind is GradeKind.VALUE:
            sifting.drop("the answer is a value and no code", task.id)
        elif task.reference is None:
            sifting.drop("the task has no reference answer", task.id)
        elif (
            await grader.grade(task, as_answer(task.kind, task.reference))
        ).outcome is Outcome.PASS:
            made.append(_draft(task, task.reference, licence_of_task(task, licence)))
        else:
            sifting.drop("the reference fails its task", task.id)
    return made


def licence_of_task(task: Task, given: str | None) -> str:
    """The given licence, or that of the suite. Raises SettingsError where nobody tells it."""
    told = given or (task.suite and task.suite.licence)
    if not told:
        raise SettingsError(f"{task.path}: no suite.yaml tells a licence; give --licence")
    return told


def _draft(task: Task, reference: str, licence: str) -> Draft:
    tags = [task.id, *filter(None, (task.level, task.category))]
    return Draft(
        place=task.id,
        source=Source.TASKS,
        licence=licence,
        family=task.id,
        prompt=task.full_prompt,
        code=reference.strip(),
        tags=(*tags, BENCHMARK) if is_benchmark(task) else tuple(tags),
    )
