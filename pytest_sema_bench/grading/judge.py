"""What the evaluations of a case are worth: pure functions from results to a `CaseRun`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_sema_bench.grading.format import shown_message, shown_value
from pytest_sema_bench.grading.probe import Probe, Reading
from pytest_sema_bench.grading.verdict import CaseResult, VMFailure
from pytest_sema_bench.records.outcome import Reason
from pytest_sema_bench.sema.value import Value, equal
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation
from pytest_sema_bench.suite.task import Case

_ENDS_GRADING = frozenset({ErrorClass.TIME, ErrorClass.MEMORY})
"""After such an error the remaining cases are not run: each could take as long again."""
_USED_UP = _ENDS_GRADING | {ErrorClass.STEPS, ErrorClass.STACK}
"""An interpreter has one budget: what a first call used up, a second one lacks."""
_SKIPPED = "not run: an earlier case used up its time or memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRun:
    """What one case gave, and what can be learnt from it beyond that."""

    result: CaseResult
    reason: Reason | None = None
    """Why it failed; None if it passed."""
    detail: str | None = None
    called: frozenset[str] = frozenset()
    """The watched functions that were called."""
    unloaded: frozenset[int] = frozenset()
    """The answer's blocks of which the VM ran nothing, by their index."""

    @property
    def ran(self) -> bool:
        """Whether the call ran to its end."""
        return self.result.failure is None and self.result.error != _SKIPPED

    @property
    def ends_grading(self) -> bool:
        """Whether the cases after it are not run."""
        if self.result.failure is None:
            return self.result.error == _SKIPPED
        return self.result.failure.error_class in _ENDS_GRADING


def judge(
    case: Case, expected: Sequence[Value], evaluation: Evaluation, reading: Reading | None
) -> CaseRun:
    """What the evaluation of a case's call is worth."""
    reason, got = None, reading.value if reading else None
    if evaluation.error_class is ErrorClass.TIME:
        reason = Reason.TIME
    elif evaluation.error is not None:
        reason = Reason.ERROR
    elif expected and not matches(got, expected, case):
        reason = Reason.WRONG_VALUE
        if reading is None:
            evaluation = replace(evaluation, error=_why_unread(evaluation))
    elif not _prints(evaluation.output, case):
        reason = Reason.WRONG_OUTPUT
        printed = "\n".join(evaluation.output) or "nothing"
        evaluation = replace(evaluation, error=f"printed {printed}")
    return case_run(case, expected, got, evaluation, reason)


def judge_again(
    first: CaseRun,
    case: Case,
    expected: Sequence[Value],
    results: Sequence[Evaluation],
    probe: Probe,
) -> CaseRun | None:
    """What a second call gave; None if there was none, or it lacked what the first used up."""
    if not results or results[0].error_class in _USED_UP:
        return None
    second = judge(case, expected, results[0], probe.read(results[0].value))
    if second.reason is None:
        return first
    result = replace(second.result, call=f"{second.result.call} ; the second time")
    return replace(first, result=result, reason=second.reason)


def skipped(case: Case, expected: Sequence[Value]) -> CaseRun:
    """What is said of a case that was not run."""
    return case_run(case, expected, None, Evaluation(error=_SKIPPED), Reason.ERROR)


def blame(results: Sequence[Evaluation]) -> Evaluation:
    """The call's evaluation; where it failed because a block did not load, that block's.

    An unbound name in the call usually means that the block that should have defined it
    had an error, and that error is what the reader needs.
    """
    *loaded, last = results
    if last.error_class in (None, *_ENDS_GRADING):
        return next((e for e in loaded if e.error_class in _ENDS_GRADING), last)
    return next((e for e in loaded if e.error), last)


def matches(got: Value | None, expected: Sequence[Value], case: Case) -> bool:
    """Whether a value is one of those that count."""
    return got is not None and any(
        equal(got, value, numeric=case.numeric, tolerance=case.tolerance) for value in expected
    )


def case_run(
    case: Case,
    expected: Sequence[Value],
    got: Value | None,
    evaluation: Evaluation,
    reason: Reason | None,
    call: str | None = None,
) -> CaseRun:
    """A case's result in the words of a record; `call` is for what is no call."""
    shown = " or ".join(map(str, expected))
    if case.prints:
        shown = " and ".join(filter(None, [shown, "printed " + ", ".join(map(repr, case.prints))]))
    shown_call = case.call.strip() if case.call else "the answer's value"
    result = CaseResult(
        call=call or shown_call,
        expected=shown,
        got=shown_value(got),
        passed=reason is None,
        error=shown_message(evaluation.error),
        failure=VMFailure.of(evaluation),
    )
    return CaseRun(result=result, reason=reason)


def _why_unread(evaluation: Evaluation) -> str:
    if evaluation.value is None:
        return "the last form has no value"
    return "the value cannot be read: it is too long, or the last form could not be told apart"


def _prints(output: Sequence[str], case: Case) -> bool:
    """Whether the wanted lines are among the output's, in their order, or all of it."""
    lines = [line.rstrip() for line in output]
    wanted = [line.rstrip() for line in case.prints]
    if case.prints_all:
        return "\n".join(lines).rstrip() == "\n".join(wanted).rstrip()
    rest = iter(lines)
    return all(want in rest for want in wanted)
