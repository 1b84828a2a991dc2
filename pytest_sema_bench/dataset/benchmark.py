"""Which tasks are the benchmark's own: whoever trains on them can no longer measure with them."""

from functools import cache
from pathlib import Path

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.suite.folder import bundled_suites, suites_folder
from pytest_sema_bench.suite.task import Task, load_tasks

FLAG = "--benchmark"


def is_benchmark(task: Task | Record) -> bool:
    """Whether a task, or the task of a record, is one of a bundled suite, or a copy of one."""
    if task.task_hash in _hashes():
        return True
    if isinstance(task, Record):
        # A task that has changed since is still the benchmark's; old records name no suite.
        return task.suite is not None and task.suite.name in bundled_suites()
    return task.suite is not None and task.suite.canary in _canaries()


def refuse(what: Path, n: int) -> SettingsError:
    """What to raise for tasks of the benchmark that nobody asked for by name."""
    return SettingsError(
        f"{what}: {n} of its tasks are the benchmark's own; a model that is trained on them cannot "
        f"be measured with them any more. {FLAG} takes them all the same, and marks the rows"
    )


@cache
def _tasks() -> tuple[Task, ...]:
    return tuple(task for name in bundled_suites() for task in load_tasks(suites_folder() / name))


@cache
def _hashes() -> frozenset[str]:
    return frozenset(task.task_hash for task in _tasks())


@cache
def _canaries() -> frozenset[str]:
    return frozenset(t.suite.canary for t in _tasks() if t.suite and t.suite.canary)
