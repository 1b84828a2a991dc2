"""A verdict as it is written down: in a record, in a line of `sema-bench grade`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.suite.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """An answer's grade, and what graded it."""

    outcome: Outcome
    """Void if the VM's host was at fault: no statement about the answer."""
    score: float | None
    """1.0 right, 0.3 runs but wrong, 0.0 does not run; None for void."""
    reason: Reason | Void
    detail: str | None
    extracted: tuple[str, ...]
    """What was taken for the answer: blocks of code, or one value."""
    cases: tuple[dict[str, Any], ...]
    """Per case `call`, `expected`, `got`, `pass`, and `error` where there was one."""
    vm_errors: tuple[dict[str, Any], ...]
    """The VM errors that the answer met: `where`, `class`, `name`."""
    vm: str
    grader: int
    task_hash: str

    @classmethod
    def of(cls, task: Task, verdict: Verdict, vm: str) -> "Graded":
        """The grade that a verdict of today's grader is; `vm` is the label of its VM."""
        return cls(
            outcome=verdict.outcome,
            score=verdict.score,
            reason=verdict.reason,
            detail=verdict.detail,
            extracted=verdict.extracted,
            cases=tuple(case.as_json() for case in verdict.cases),
            vm_errors=tuple(verdict.vm_errors()),
            vm=vm,
            grader=GRADER_VERSION,
            task_hash=task.task_hash,
        )

    def as_json(self) -> dict[str, Any]:
        """All fields, which `sema-bench grade` adds to a line."""
        values = ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values}

    def in_record(self, from_tools: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """The fields of a record that it decides; `from_tools` are the VM errors of tool calls."""
        fields = {**self.as_json(), "vm_errors": [*from_tools, *self.vm_errors]}
        del fields["extracted"]
        return fields
