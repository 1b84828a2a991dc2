"""Grades answers: loads them, calls the cases, compares outside the interpreter.

Each case has an interpreter of its own, and in it, one source after the other: what the case
gives, the probe, the answer's blocks, the call. The probe is compiled and bound to the
built-ins before the answer is loaded, under a name that the answer cannot know, so nothing
that the answer defines changes how a value is read.
"""

import asyncio
import secrets
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from pytest_sema_bench.answer import Extracted, extract_code, extract_value
from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.grade.verdict import CaseResult, Outcome, Reason, Verdict, VMFailure
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.syntax import Kind, ReadError, names_used, read_forms, single_datum
from pytest_sema_bench.task import Case, GradeKind, Task
from pytest_sema_bench.value import Value, decode, equal
from pytest_sema_bench.vm import ErrorClass, Evaluation, SemaVM

GRADER_VERSION = 1
"""Raised whenever the same answer to the same task on the same VM could get another verdict."""

_ENDS_GRADING = frozenset({ErrorClass.TIME, ErrorClass.MEMORY})
"""After such an error the remaining cases are not run: each could take as long again."""


class Grader:
    """Grades answers on one VM. Expected values are evaluated once per task and kept."""

    def __init__(self, vm: SemaVM, limits: Limits | None = None) -> None:
        self._vm = vm
        self._limits = limits or Limits()
        self._expected: dict[str, asyncio.Task[tuple[tuple[Value, ...], ...]]] = {}

    async def grade(
        self, task: Task, message: str, *, truncated: bool = False, stop_at_failure: bool = False
    ) -> Verdict:
        """The verdict on a model's final message.

        `truncated` says that the token limit cut the message off; with `stop_at_failure` the
        cases behind the first that fails are neither run nor listed. Raises TaskError if the
        task itself cannot be evaluated and VMError if the VM's host is at fault.
        """
        expected = await self.expected(task)
        is_value = task.kind is GradeKind.VALUE
        answer = extract_value(message) if is_value else extract_code(message)
        if not answer.blocks:
            reason = Reason.TRUNCATED if truncated else Reason.NO_ANSWER
            return _verdict(answer, Outcome.FAIL, reason, score=0.0)
        if is_value:
            cases = [await self._grade_value(task, answer.blocks[0], expected[0])]
        else:
            cases = await self._grade_code(task, answer.blocks, expected, stop_at_failure)
        if not all(case.passed for case in cases):
            runs = any(case.failure is None and case.error is None for case in cases)
            reason = Reason.TRUNCATED if truncated else _reason(cases)
            return _verdict(answer, Outcome.FAIL, reason, cases=cases, score=0.3 if runs else 0.0)
        if broken := _broken_rule(task, answer.blocks):
            reason, name = broken
            return _verdict(answer, Outcome.FAIL, reason, cases=cases, score=0.3, detail=name)
        return _verdict(answer, Outcome.PASS, Reason.RIGHT, cases=cases, score=1.0)

    async def expected(self, task: Task) -> tuple[tuple[Value, ...], ...]:
        """For each case the values that count. Raises TaskError if one cannot be evaluated."""
        if task.task_hash not in self._expected:
            self._expected[task.task_hash] = asyncio.ensure_future(self._evaluate_expected(task))
        return await asyncio.shield(self._expected[task.task_hash])

    async def _evaluate_expected(self, task: Task) -> tuple[tuple[Value, ...], ...]:
        probe = _probe_name()
        quoted = task.kind is GradeKind.VALUE
        sources = [
            _probe_call(probe, f"(quote {text})" if quoted else text)
            for case in task.cases
            for text in case.equals
        ]
        results = await self._vm.evaluate([_probe_source(probe), *sources], self._limits)
        values = iter(results[1:])
        return tuple(
            tuple(_expected_value(task, text, next(values)) for text in case.equals)
            for case in task.cases
        )

    async def _grade_value(self, task: Task, text: str, expected: tuple[Value, ...]) -> CaseResult:
        case, evaluation = task.cases[0], Evaluation()
        got: Value | None = None
        if single_datum(text) is not None:
            probe = _probe_name()
            sources = [_probe_source(probe), _probe_call(probe, f"(quote {text})")]
            evaluation = (await self._vm.evaluate(sources, self._limits))[-1]
            got = decode(evaluation.value or "")
        passed = _matches(got, expected, case)
        if not passed and not task.strict and _only_names(text):
            got = got or Value("text", text)
            passed = any(value == Value("string", text) for value in expected)
        return _case_result(case, "the value", expected, got, evaluation, passed=passed)

    async def _grade_code(
        self,
        task: Task,
        blocks: tuple[str, ...],
        expected: tuple[tuple[Value, ...], ...],
        stop_at_failure: bool,
    ) -> list[CaseResult]:
        results: list[CaseResult] = []
        for case, values in zip(task.cases, expected, strict=True):
            if results and stop_at_failure and not results[-1].passed:
                break
            if results and _stops(results[-1]):
                skipped = "not run: an earlier case used up its time or memory"
                result = _case_result(case, _shown_call(case), values, None, Evaluation())
                results.append(_replace_error(result, skipped))
                continue
            results.append(await self._run_case(case, blocks, values))
        return results

    async def _run_case(
        self, case: Case, blocks: tuple[str, ...], expected: tuple[Value, ...]
    ) -> CaseResult:
        probe = _probe_name()
        before = [case.given] if case.given else []
        if case.call is None:
            loaded, last = [*blocks[:-1]], _probe_last_form(probe, blocks[-1])
        else:
            loaded, last = [*blocks], _probe_call(probe, case.call)
        sources = [*before, _probe_source(probe), *loaded, last]
        results = await self._vm.evaluate(sources, self._limits)
        if case.given and results[0].error:
            raise ValueError(f"`given` of a case does not run: {results[0].error}")
        evaluation = _blame(results[len(before) + 1 :])
        got = decode(evaluation.value or "")
        passed = evaluation.error is None and (not expected or _matches(got, expected, case))
        if passed and not _prints(evaluation.output, case.prints):
            passed = False
            evaluation = _with_output(evaluation)
        return _case_result(case, _shown_call(case), expected, got, evaluation, passed=passed)


def _probe_name() -> str:
    return f"probe-{secrets.token_hex(8)}"


@cache
def _probe_text() -> str:
    return (files("pytest_sema_bench.grade") / "probe.sema").read_text("utf-8")


def _probe_source(name: str) -> str:
    return _probe_text().replace("PROBE", name)


def _probe_call(name: str, source: str) -> str:
    return f"({name}\n{source}\n)"


def _probe_last_form(name: str, block: str) -> str:
    """The block with its last form handed to the probe; unchanged if it has no such form."""
    try:
        forms = read_forms(block)
    except ReadError:
        return block
    if not forms or (forms[-1].head or "").startswith(("define", "defmacro", "defun", "def")):
        return block
    last = forms[-1]
    return f"{block[: last.start]}{_probe_call(name, block[last.start : last.end])}"


def _blame(results: Sequence[Evaluation]) -> Evaluation:
    """The call's evaluation; where it failed because a block did not load, that block's.

    An unbound name in the call usually means that the block that should have defined it
    had an error, and that error is what the reader needs.
    """
    *loaded, last = results
    if last.error_class in (None, *_ENDS_GRADING):
        return next((e for e in loaded if e.error_class in _ENDS_GRADING), last)
    return next((e for e in loaded if e.error), last)


def _matches(got: Value | None, expected: Sequence[Value], case: Case) -> bool:
    return got is not None and any(
        equal(got, value, numeric=case.numeric, tolerance=case.tolerance) for value in expected
    )


def _prints(output: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the wanted lines are among the output's, in their order."""
    lines = iter(line.rstrip() for line in output)
    return all(want.rstrip() in lines for want in wanted)


def _expected_value(task: Task, text: str, evaluation: Evaluation) -> Value:
    value = decode(evaluation.value or "")
    if value is None:
        why = evaluation.error or "it has no value"
        raise TaskError(task.path, 1, f"equals: {text!r} cannot be evaluated: {why}")
    return value


def _only_names(text: str) -> bool:
    """Whether bare text is made of symbols, so that it can only be a string without quotes."""
    try:
        forms = read_forms(text)
    except ReadError:
        return False
    constants = ("true", "false", "nil")
    return bool(forms) and all(
        form.kind is Kind.ATOM and form.text[0].isalpha() and form.text not in constants
        for form in forms
    )


def _broken_rule(task: Task, blocks: tuple[str, ...]) -> tuple[Reason, str] | None:
    if not task.requires and not task.forbids:
        return None
    used = names_used(read_forms("\n".join(blocks)))
    for name in task.requires:
        if name not in used:
            return Reason.REQUIRES, name
    for name in task.forbids:
        if name in used:
            return Reason.FORBIDS, name
    return None


def _reason(cases: Sequence[CaseResult]) -> Reason:
    failing = next(case for case in cases if not case.passed)
    if failing.failure is not None:
        return Reason.ERROR
    return Reason.WRONG_OUTPUT if failing.error else Reason.WRONG_VALUE


def _stops(result: CaseResult) -> bool:
    if result.failure is None:
        return result.error is not None and result.error.startswith("not run")
    return result.failure.error_class in _ENDS_GRADING


def _shown_call(case: Case) -> str:
    return case.call.strip() if case.call else "the answer's value"


def _with_output(evaluation: Evaluation) -> Evaluation:
    printed = "\n".join(evaluation.output) or "nothing"
    return Evaluation(value=evaluation.value, output=evaluation.output, error=f"printed {printed}")


def _replace_error(result: CaseResult, error: str) -> CaseResult:
    return CaseResult(
        call=result.call, expected=result.expected, got=None, passed=False, error=error
    )


def _case_result(
    case: Case,
    call: str,
    expected: Sequence[Value],
    got: Value | None,
    evaluation: Evaluation,
    *,
    passed: bool = False,
) -> CaseResult:
    shown = " or ".join(map(str, expected))
    if case.prints:
        shown = " and ".join(filter(None, [shown, "printed " + ", ".join(map(repr, case.prints))]))
    return CaseResult(
        call=call,
        expected=shown,
        got=None if got is None else str(got),
        passed=passed,
        error=evaluation.error,
        failure=VMFailure.of(evaluation),
    )


def _verdict(
    answer: Extracted,
    outcome: Outcome,
    reason: Reason,
    *,
    score: float,
    cases: Sequence[CaseResult] = (),
    detail: str | None = None,
) -> Verdict:
    return Verdict(
        outcome=outcome,
        reason=reason,
        detail=detail,
        score=score,
        extracted=answer.blocks,
        rule=answer.rule,
        cases=tuple(cases),
    )
