"""Grades the stored answers of a run again, without a model, and says why a verdict moved."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from pathlib import Path

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.grading.scoring import AnswerGrader
from pytest_sema_bench.records.outcome import Stop
from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.suite.folder import suite_folder


class Cause(Enum):
    """What differs between the two gradings of an answer."""

    TASK = "the task changed"
    VM = "the VM changed"
    GRADER = "the grader changed"
    NONE = "nothing changed"
    """The same task, VM and grader gave another verdict: that is a bug of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regraded:
    """A record before and after."""

    before: Record
    after: Record

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All that differs, the most telling first; (Cause.NONE,) if nothing does."""
        differing = (
            (Cause.TASK, self.before.task_hash != self.after.task_hash),
            (Cause.VM, self.before.vm != self.after.vm),
            (Cause.GRADER, self.before.grader != self.after.grader),
        )
        return tuple(cause for cause, differs in differing if differs) or (Cause.NONE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrading:
    """A run graded again."""

    regraded: tuple[Regraded, ...]
    kept: tuple[Record, ...]
    """Records without an answer to grade: void ones."""
    unknown: tuple[Record, ...]
    """Records of tasks that are not in the suite any more."""

    @property
    def records(self) -> tuple[Record, ...]:
        """The new set of records."""
        return (*(entry.after for entry in self.regraded), *self.kept)


async def regrade(records: Iterable[Record], grader: AnswerGrader) -> Regrading:
    """All records graded again. Raises BenchError if the VM cannot be started."""
    gradable: list[Record] = []
    kept: list[Record] = []
    unknown: list[Record] = []
    for record in records:
        if record.answer is None or record.stop is None:
            kept.append(record)
        else:
            (gradable if record.task in grader.tasks else unknown).append(record)
    regraded = await asyncio.gather(*(_regrade(record, grader) for record in gradable))
    return Regrading(regraded=tuple(regraded), kept=tuple(kept), unknown=tuple(unknown))


def new_folder(run: Path) -> Path:
    """The next free `regraded-N` in a run folder, not yet made."""
    paths = (run / f"regraded-{n}" for n in count(1))
    return next(path for path in paths if not path.exists())


async def _regrade(record: Record, grader: AnswerGrader) -> Regraded:
    truncated = record.stop is Stop.TRUNCATED
    graded = await grader.grade(record.task, record.answer or "", truncated=truncated)
    from_tools = [error for error in record.vm_errors if error["where"] == "tool"]
    transcript = f"../{record.transcript}" if record.transcript else None
    after = replace(record, **graded.in_record(from_tools), transcript=transcript)
    return Regraded(before=record, after=after)


def tasks_of(run: RunData) -> Path:
    """The folder of tasks that the run used, if it is still there; else the bundled suite."""
    tasks, suite = (run.manifest.settings[name] for name in ("tasks", "suite"))
    if tasks is None:
        return suite_folder(suite)
    path = Path(tasks)
    if not path.exists():
        raise BenchError(f"the run's tasks are not at {path} any more; give --tasks")
    return path
