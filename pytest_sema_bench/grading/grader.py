"""Grades answers: loads them, calls the cases, compares outside the interpreter.

Each case has an interpreter of its own, and in it, one source after the other: the probe, what
the case gives, what keeps the names of the call and watches those of the rules, the answer's
blocks, the call. docs/grading.md tells it in full.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.extraction import Extracted, extract
from pytest_sema_bench.grading.format import shown_message, shown_value, steady
from pytest_sema_bench.grading.names import NameBook
from pytest_sema_bench.grading.prepare import Prepared, prepare
from pytest_sema_bench.grading.probe import Probe, Reading
from pytest_sema_bench.grading.verdict import CaseResult, Verdict, VMFailure
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.sema.names import DEFINERS
from pytest_sema_bench.sema.reader import Kind, ReadError, read_forms
from pytest_sema_bench.sema.value import Value, equal
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Case, GradeKind, Task

GRADER_VERSION = 2
"""Raised whenever the same answer to the same task on the same VM could get another verdict."""

_ENDS_GRADING = frozenset({ErrorClass.TIME, ErrorClass.MEMORY})
"""After such an error the remaining cases are not run: each could take as long again."""
_USED_UP = _ENDS_GRADING | {ErrorClass.STEPS, ErrorClass.STACK}
"""An interpreter has one budget: what a first call used up, a second one lacks."""
_SKIPPED = "not run: an earlier case used up its time or memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class _CaseRun:
    """What one case gave, and what can be learnt from it beyond that."""

    result: CaseResult
    reason: Reason | None = None
    """Why it failed; None if it passed."""
    detail: str | None = None
    called: frozenset[str] = frozenset()
    """The watched functions that were called."""


class Grader:
    """Grades answers on one VM. What it must know of a task is worked out once and kept."""

    def __init__(self, vm: SemaVM, limits: Limits | None = None) -> None:
        self._vm = vm
        self._limits = limits or Limits()
        self._prepared: dict[str, asyncio.Task[Prepared]] = {}
        self._names = NameBook(vm, self._limits)
        self._repeats: dict[tuple[str, int], bool] = {}

    async def grade(
        self, task: Task, message: str, *, truncated: bool = False, stop_at_failure: bool = False
    ) -> Verdict:
        """The verdict on a model's final message.

        `truncated` says that the token limit cut the message off. With `stop_at_failure` the
        cases after the first that fails are not run. Raises TaskError if the task itself
        cannot be evaluated and VMError if the VM's host is at fault.
        """
        message = _well_formed(message)
        is_value = task.kind is GradeKind.VALUE
        answer = extract(message, task.kind, task.prompt)
        if not answer.blocks:
            reason = Reason.TRUNCATED if truncated else Reason.NO_ANSWER
            return _verdict(answer, Outcome.FAIL, reason, score=0.0)
        prepared = await self._prepare(task)
        if is_value:
            expected = prepared.expected[0]
            runs = [await self._grade_value(task, answer.blocks[0], expected)]
        else:
            runs = await self._run_cases(task, answer.blocks, prepared, stop_at_failure)
        cases = [run.result for run in runs]
        if failed := next((run for run in runs if run.reason), None):
            reason = Reason.TRUNCATED if truncated else failed.reason or Reason.WRONG_VALUE
            # A value is no code that runs: a word of babble is worth no more than silence.
            score = 0.3 if not is_value and any(_runs(case) for case in cases) else 0.0
            detail = None if truncated else failed.detail
            return _verdict(answer, Outcome.FAIL, reason, score=score, cases=cases, detail=detail)
        called = frozenset().union(*(run.called for run in runs))
        users = [text for case in task.cases for text in (case.given, case.call) if text]
        if broken := prepared.rules.broken(answer.blocks, called, users):
            reason, name = broken
            return _verdict(answer, Outcome.FAIL, reason, score=0.3, cases=cases, detail=name)
        return _verdict(answer, Outcome.PASS, Reason.RIGHT, score=1.0, cases=cases)

    async def _prepare(self, task: Task) -> Prepared:
        if task.task_hash not in self._prepared:
            work = prepare(task, self._names, self._vm, self._limits)
            self._prepared[task.task_hash] = asyncio.ensure_future(work)
        under_way = self._prepared[task.task_hash]
        try:
            # All answers to the task wait for it: the one that is cancelled must not take it along.
            return await asyncio.shield(under_way)
        except Exception:
            # A host fault now says nothing about the next try.
            if self._prepared.get(task.task_hash) is under_way:
                del self._prepared[task.task_hash]
            raise

    async def _grade_value(self, task: Task, text: str, expected: tuple[Value, ...]) -> _CaseRun:
        case, probe = task.cases[0], Probe("value", task.task_hash, text)
        # Read, never evaluated: the answer is text in a string, whatever brackets it holds.
        sources = [probe.source(), probe.call(f"(read-many {_string_literal(text)})")]
        evaluation = (await self._vm.evaluate(sources, self._limits))[-1]
        reading = probe.read(evaluation.value)
        got = reading.value.items[0] if reading and len(reading.value.items) == 1 else None
        passed = _matches(got, expected, case)
        if not passed and not task.strict and _only_names(text):
            passed = any(value == Value("string", text) for value in expected)
            got = got or Value("text", text)
        reason = None if passed else Reason.WRONG_VALUE
        return _case_run(case, "the value", expected, got, evaluation, reason)

    async def _run_cases(
        self, task: Task, blocks: tuple[str, ...], prepared: Prepared, stop_at_failure: bool
    ) -> list[_CaseRun]:
        runs: list[_CaseRun] = []
        for index, case in enumerate(task.cases):
            if runs and _stops(runs[-1].result):
                values, skipped = prepared.expected[index], Evaluation(error=_SKIPPED)
                call = _shown_call(case)
                runs.append(_case_run(case, call, values, None, skipped, Reason.ERROR))
                continue
            runs.append(await self._run_case(task, index, blocks, prepared))
            if stop_at_failure and runs[-1].reason:
                break
        return runs

    async def _run_case(
        self, task: Task, index: int, blocks: tuple[str, ...], prepared: Prepared
    ) -> _CaseRun:
        first, second = await self._call_case(task, index, blocks, prepared)
        if second is None or second.reason is None or await self._repeats_call(task, index):
            return second or first
        return first

    async def _repeats_call(self, task: Task, index: int) -> bool:
        """Whether a case's call can be made twice, as the reference shows; asked when in doubt."""
        asked = task.task_hash, index
        if asked not in self._repeats:
            blocks = (task.reference or "",)
            runs = await self._call_case(task, index, blocks, await self._prepare(task))
            self._repeats[asked] = all(run is not None and run.reason is None for run in runs)
        return self._repeats[asked]

    async def _call_case(
        self, task: Task, index: int, blocks: tuple[str, ...], prepared: Prepared
    ) -> tuple[_CaseRun, _CaseRun | None]:
        """What the case gave, and what it gave when the call was made again, if it was."""
        case, expected = task.cases[index], prepared.expected[index]
        scope, rules = prepared.scopes[index], prepared.rules
        probe = Probe("case", task.task_hash, index, blocks)
        before = [probe.source(rules.flags(probe)), *scope.before(probe), *rules.sources(probe)]
        if case.call is None:
            loaded, calls = [*blocks[:-1]], [_last_form(probe, blocks[-1])]
        else:
            twice = task.kind is GradeKind.PROGRAM and task.reference is not None
            loaded = [*blocks, *scope.after(probe)]
            calls = [scope.call_source(probe)] * (2 if twice else 1)
        results = await self._vm.evaluate([*before, *loaded, *calls], self._limits)
        if case.given is not None:
            # Behind the probe and what is lent comes what the case gives.
            _check_given(task, results[1 + len(scope.lent)], probe)
        results = tuple(_readable(probe, result) for result in results[len(before) :])
        evaluation = _blame(results[: len(loaded) + 1])
        reading = probe.read(evaluation.value)
        run = _judge(case, expected, evaluation, reading)
        called = () if reading is None else zip(rules.watched, reading.flags, strict=True)
        run = replace(run, called=frozenset(name for name, flag in called if flag))
        if run.reason is None:
            return run, _judge_again(run, case, expected, results[len(loaded) + 1 :], probe)
        if name := rules.passed_as_value(blocks, evaluation.error):
            error = f"`{name}` is forbidden, so it cannot be passed as a value either"
            result = replace(run.result, error=error, failure=None)
            run = replace(run, result=result, reason=Reason.FORBIDS, detail=name)
        return run, None


def _last_form(probe: Probe, block: str) -> str:
    """The block with its last form handed to the probe; unchanged if it has none with a value."""
    try:
        forms = read_forms(block)
    except ReadError:
        return block
    if not forms or forms[-1].head in DEFINERS:
        return block
    last = forms[-1]
    return f"{block[: last.start]}{probe.call(block[last.start : last.end])}"


def _string_literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _check_given(task: Task, given: Evaluation, probe: Probe) -> None:
    """Raises TaskError if what a case gives does not run."""
    if given.error is not None:
        message = f"the `given` of a case does not run: {probe.scrub(given.error)}"
        raise TaskError(task.path, task.line, message)


def _readable(probe: Probe, evaluation: Evaluation) -> Evaluation:
    """The evaluation without the probe's names in its message."""
    if evaluation.error is None:
        return evaluation
    name = evaluation.error_name and steady(probe.scrub(evaluation.error_name))
    return replace(evaluation, error=probe.scrub(evaluation.error), error_name=name)


def _blame(results: Sequence[Evaluation]) -> Evaluation:
    """The call's evaluation; where it failed because a block did not load, that block's.

    An unbound name in the call usually means that the block that should have defined it
    had an error, and that error is what the reader needs.
    """
    *loaded, last = results
    if last.error_class in (None, *_ENDS_GRADING):
        return next((e for e in loaded if e.error_class in _ENDS_GRADING), last)
    return next((e for e in loaded if e.error), last)


def _judge(
    case: Case, expected: Sequence[Value], evaluation: Evaluation, reading: Reading | None
) -> _CaseRun:
    """What the evaluation of a case's call is worth."""
    reason, got = None, reading.value if reading else None
    if evaluation.error is not None:
        reason = Reason.ERROR
    elif expected and not _matches(got, expected, case):
        reason = Reason.WRONG_VALUE
        if reading is None:
            evaluation = replace(evaluation, error=_why_unread(evaluation))
    elif not _prints(evaluation.output, case.prints):
        reason = Reason.WRONG_OUTPUT
        printed = "\n".join(evaluation.output) or "nothing"
        evaluation = replace(evaluation, error=f"printed {printed}")
    return _case_run(case, _shown_call(case), expected, got, evaluation, reason)


def _judge_again(
    run: _CaseRun,
    case: Case,
    expected: Sequence[Value],
    results: Sequence[Evaluation],
    probe: Probe,
) -> _CaseRun | None:
    """What a second call gave; None if there was none, or it lacked what the first used up."""
    if not results or results[0].error_class in _USED_UP:
        return None
    second = _judge(case, expected, results[0], probe.read(results[0].value))
    if second.reason is None:
        return run
    call = f"{second.result.call} ; the second time"
    return replace(second, result=replace(second.result, call=call), called=run.called)


def _why_unread(evaluation: Evaluation) -> str:
    if evaluation.value is None:
        return "the last form has no value"
    return "the value cannot be read: it is too long, or the last form could not be told apart"


def _matches(got: Value | None, expected: Sequence[Value], case: Case) -> bool:
    return got is not None and any(
        equal(got, value, numeric=case.numeric, tolerance=case.tolerance) for value in expected
    )


def _prints(output: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the wanted lines are among the output's, in their order."""
    lines = iter([line.rstrip() for line in output])
    return all(want.rstrip() in lines for want in wanted)


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


def _well_formed(text: str) -> str:
    """The text as the VM would see it: a lone half of a surrogate pair is no character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _runs(result: CaseResult) -> bool:
    return result.failure is None and result.error != _SKIPPED


def _stops(result: CaseResult) -> bool:
    if result.failure is None:
        return result.error == _SKIPPED
    return result.failure.error_class in _ENDS_GRADING


def _shown_call(case: Case) -> str:
    return case.call.strip() if case.call else "the answer's value"


def _case_run(
    case: Case,
    call: str,
    expected: Sequence[Value],
    got: Value | None,
    evaluation: Evaluation,
    reason: Reason | None,
) -> _CaseRun:
    shown = " or ".join(map(str, expected))
    if case.prints:
        shown = " and ".join(filter(None, [shown, "printed " + ", ".join(map(repr, case.prints))]))
    result = CaseResult(
        call=call,
        expected=shown,
        got=shown_value(got),
        passed=reason is None,
        error=shown_message(evaluation.error),
        failure=VMFailure.of(evaluation),
    )
    return _CaseRun(result=result, reason=reason)


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
