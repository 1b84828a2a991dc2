"""What grading says about an answer."""

from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class VMFailure:
    """An error of the VM, for the tables of error classes."""

    error_class: ErrorClass
    name: str | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> "VMFailure | None":
        """The failure of an evaluation, None if it had none."""
        if evaluation.error_class is None:
            return None
        return cls(error_class=evaluation.error_class, name=evaluation.error_name)

    def as_json(self, where: str) -> dict[str, Any]:
        """The failure as records carry it; `where` is `tool` or `grade`."""
        return {"where": where, "class": self.error_class.value, "name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What one case gave."""

    call: str
    expected: str
    got: str | None
    """The value as Sema prints it, None where there was none because of an error."""
    passed: bool
    error: str | None = None
    failure: VMFailure | None = None

    def as_json(self) -> dict[str, Any]:
        """The case as records carry it; `error` only where there was one."""
        line = {
            "call": self.call,
            "expected": self.expected,
            "got": self.got,
            "pass": self.passed,
        }
        return line if self.error is None else {**line, "error": self.error}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an answer is right, and what shows it; void if nothing can be said of it."""

    outcome: Outcome
    reason: Reason | Void
    detail: str | None = None
    """The name that is missing or forbidden, or what made it void; None where the cases say it."""
    score: float | None
    """1.0 right, 0.3 runs but wrong, 0.0 does not run: the scale of the original experiment.
    None for void."""
    extracted: tuple[str, ...] = ()
    rule: str = ""
    """Which extraction rule found the answer."""
    cases: tuple[CaseResult, ...] = ()

    @classmethod
    def void(cls, reason: Void, detail: str) -> "Verdict":
        """What is said of an answer where something else is at fault than the model."""
        return cls(outcome=Outcome.VOID, reason=reason, detail=detail, score=None)

    @property
    def failing_case(self) -> CaseResult | None:
        """The first case that did not pass."""
        return next((case for case in self.cases if not case.passed), None)

    def vm_errors(self) -> list[dict[str, Any]]:
        """The VM errors that cases met, as records carry them."""
        return [case.failure.as_json("grade") for case in self.cases if case.failure]
