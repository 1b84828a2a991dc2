"""Grades answers: loads them, calls the cases, compares outside the interpreter.

Each case has an interpreter of its own; `sources` says what it is given, `judge` what comes of
it. docs/grading.md tells it in full.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

from pytest_sema_bench.dialect import Dialect, speak
from pytest_sema_bench.extraction import Extracted, extract
from pytest_sema_bench.grading.in_dialect import own_names, task_in, verdict_in
from pytest_sema_bench.grading.judge import (
    CaseRun,
    blame,
    case_run,
    judge,
    judge_again,
    matches,
    skipped,
)
from pytest_sema_bench.grading.names import NameBook
from pytest_sema_bench.grading.once import Once
from pytest_sema_bench.grading.prepare import Prepared, check_given, prepare
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.grading.rules import Loaded
from pytest_sema_bench.grading.sources import make_sources
from pytest_sema_bench.grading.verdict import CaseResult, Verdict
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.sema.reader import Kind, ReadError, read_forms
from pytest_sema_bench.sema.value import Value
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import GradeKind, Task

GRADER_VERSION = 2
"""Raised whenever the same answer to the same task on the same VM could get another verdict."""


_MAX_KEPT = 4096
"""Answers of which it is remembered what came of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What came of an answer's code."""

    runs: tuple[CaseRun, ...]
    broken: tuple[Reason, str] | None
    """The rule that it breaks though all cases pass."""

    @property
    def is_steady(self) -> bool:
        """Whether it would come out so again, on a less busy machine too."""
        return not any(run.reason is Reason.TIME for run in self.runs)


class Grader:
    """Grades answers on one VM. What it must know of a task is worked out once and kept."""

    def __init__(
        self,
        vm: SemaVM,
        limits: Limits | None = None,
        *,
        reuse: bool = True,
        dialect: Dialect | None = None,
    ) -> None:
        """With `reuse`, what came of an answer once is not tried again.

        Answers are in the `dialect`, tasks in Sema.
        """
        self._vm = vm
        self.dialect = dialect
        self._limits = self._task_limits = limits or Limits().for_verdicts
        self._reuse = reuse
        self._prepared: Once[str, Prepared] = Once(_MAX_KEPT)
        self._names = NameBook(vm, self._limits)
        self._forget_answers()

    def within(self, limits: Limits) -> "Grader":
        """One that gives answers other limits. What is known of tasks is known to both."""
        other = copy(self)
        other._limits = limits
        other._forget_answers()
        return other

    def _forget_answers(self) -> None:
        self._repeats: dict[tuple[str, int], bool] = {}
        self._judged: Once[tuple[str, tuple[str, ...], bool], _Judged] = Once(_MAX_KEPT)

    async def grade(
        self, task: Task, message: str, *, truncated: bool = False, stop_at_failure: bool = False
    ) -> Verdict:
        """The verdict on a model's final message.

        `truncated` says that the token limit cut the message off. With `stop_at_failure` the
        cases after the first that fails are not run. Raises TaskError if the task itself
        cannot be evaluated and VMError if the VM's host is at fault.
        """
        prompt = task_in(task, self.dialect).prompt
        answer = extract(_well_formed(message), task.kind, prompt, self._to_sema)
        if not answer.blocks:
            reason = Reason.TRUNCATED if truncated else Reason.NO_ANSWER
            return _verdict(answer, Outcome.FAIL, reason, score=0.0)
        dialect = None if task.kind is GradeKind.VALUE else self.dialect
        own = own_names(task) if dialect else frozenset[str]()
        speech = speak(dialect, answer.blocks, own)
        judged = await self._judge(task, speech.sources, stop_at_failure)
        cases = [run.result for run in judged.runs]
        if failed := next((run for run in judged.runs if run.reason), None):
            reason = Reason.TRUNCATED if truncated else failed.reason or Reason.WRONG_VALUE
            # A value is no code that runs: a word of babble is worth no more than silence.
            is_code = task.kind is not GradeKind.VALUE
            score = 0.3 if is_code and any(run.ran for run in judged.runs) else 0.0
            detail = None if truncated else failed.detail
            verdict = _verdict(
                answer, Outcome.FAIL, reason, score=score, cases=cases, detail=detail
            )
            return verdict_in(verdict, speech, own)
        if judged.broken:
            reason, name = judged.broken
            verdict = _verdict(answer, Outcome.FAIL, reason, score=0.3, cases=cases, detail=name)
            return verdict_in(verdict, speech, own)
        verdict = _verdict(answer, Outcome.PASS, Reason.RIGHT, score=1.0, cases=cases)
        return verdict_in(verdict, speech, own)

    def _to_sema(self, code: str) -> str:
        return speak(self.dialect, [code]).texts[0]

    async def _judge(self, task: Task, blocks: tuple[str, ...], stop_at_failure: bool) -> _Judged:
        """What comes of the answer; of one that was graded before what came of it then."""
        if not self._reuse:
            return await self._judge_anew(task, blocks, stop_at_failure)
        asked = task.task_hash, blocks, stop_at_failure
        work = partial(self._judge_anew, task, blocks, stop_at_failure)
        return await self._judged.get(asked, work, lambda judged: judged.is_steady)

    async def _judge_anew(
        self, task: Task, blocks: tuple[str, ...], stop_at_failure: bool
    ) -> _Judged:
        prepared, broken = await self.prepared(task), None
        if task.kind is GradeKind.VALUE:
            runs = [await self._grade_value(task, blocks[0], prepared.expected[0])]
        else:
            runs = await self._run_cases(task, blocks, prepared, stop_at_failure)
        if not any(run.reason for run in runs):
            broken = await self._broken_rule(task, blocks, prepared, runs)
        return _Judged(runs=tuple(runs), broken=broken)

    async def prepared(self, task: Task) -> Prepared:
        """What is known of a task. Raises TaskError if it cannot be evaluated."""
        work = partial(prepare, task, self._names, self._vm, self._task_limits)
        return await self._prepared.get(task.task_hash, work)

    async def _grade_value(self, task: Task, text: str, expected: tuple[Value, ...]) -> CaseRun:
        case, probe = task.cases[0], Probe("value", task.task_hash, text)
        # Read, never evaluated: the answer is text in a string, whatever brackets it holds.
        sources = [probe.source(), probe.call(f"(read-many {_string_literal(text)})")]
        evaluation = (await self._vm.evaluate(sources, self._limits))[-1]
        reading = probe.read(evaluation.value)
        got = reading.value.items[0] if reading and len(reading.value.items) == 1 else None
        passed = matches(got, expected, case)
        if not passed and not task.strict and _only_names(text):
            passed = any(value == Value("string", text) for value in expected)
            got = got or Value("text", text)
        reason = None if passed else Reason.WRONG_VALUE
        return case_run(case, expected, got, evaluation, reason, call="the value")

    async def _run_cases(
        self, task: Task, blocks: tuple[str, ...], prepared: Prepared, stop_at_failure: bool
    ) -> list[CaseRun]:
        runs: list[CaseRun] = []
        for index, case in enumerate(task.cases):
            if runs and runs[-1].ends_grading:
                runs.append(skipped(case, prepared.expected[index]))
                continue
            runs.append(await self._run_case(task, index, blocks, prepared))
            if stop_at_failure and runs[-1].reason:
                break
        return runs

    async def _run_case(
        self, task: Task, index: int, blocks: tuple[str, ...], prepared: Prepared
    ) -> CaseRun:
        first, second = await self._call_case(task, index, blocks, prepared)
        if second is None or second.reason is None or await self._repeats_call(task, index):
            return second or first
        return first

    async def _repeats_call(self, task: Task, index: int) -> bool:
        """Whether a case's call can be made twice, as the reference shows; asked when in doubt."""
        asked = task.task_hash, index
        if asked not in self._repeats:
            blocks = (task.reference or "",)
            runs = await self._call_case(task, index, blocks, await self.prepared(task))
            self._repeats[asked] = all(run is not None and run.reason is None for run in runs)
        return self._repeats[asked]

    async def _call_case(
        self, task: Task, index: int, blocks: tuple[str, ...], prepared: Prepared
    ) -> tuple[CaseRun, CaseRun | None]:
        """What the case gave, and what it gave when the call was made again, if it was."""
        case, expected, rules = task.cases[index], prepared.expected[index], prepared.rules
        probe = Probe("case", task.task_hash, index, blocks)
        sources = make_sources(task, index, blocks, prepared, probe, probe.call)
        results = await self._vm.evaluate(sources.in_order, self._limits)
        if sources.i_given is not None:
            error = results[sources.i_given].error
            check_given(task, case, error and probe.scrub(error))
        results = tuple(_readable(probe, result) for result in results[len(sources.before) :])
        n_loaded = len(sources.blocks) + len(sources.after)
        evaluation = blame(results[: n_loaded + 1])
        reading = probe.read(evaluation.value)
        called = () if reading is None else zip(rules.watched, reading.flags, strict=True)
        run = replace(
            judge(case, expected, evaluation, reading),
            called=frozenset(name for name, flag in called if flag),
            unloaded=_unloaded(results[: len(sources.blocks)]),
        )
        if run.reason is None:
            return run, judge_again(run, case, expected, results[n_loaded + 1 :], probe)
        if name := rules.passed_as_value(blocks, evaluation.error):
            error = f"`{name}` is forbidden, so it cannot be passed as a value either"
            result = replace(run.result, error=error, failure=None)
            run = replace(run, result=result, reason=Reason.FORBIDS, detail=name)
        return run, None

    async def _broken_rule(
        self, task: Task, blocks: tuple[str, ...], prepared: Prepared, runs: Sequence[CaseRun]
    ) -> tuple[Reason, str] | None:
        """The rule that an answer breaks though all its cases pass, None if it keeps to all."""
        if not task.requires and not task.forbids:
            return None
        called = frozenset().union(*(run.called for run in runs))
        users = [text for case in task.cases for text in (case.given, case.call) if text]
        unloaded = runs[0].unloaded
        reads = [i not in unloaded or await self._can_read(b) for i, b in enumerate(blocks)]
        loaded = Loaded(
            read=tuple(block for block, read in zip(blocks, reads, strict=True) if read),
            ran=tuple(block for i, block in enumerate(blocks) if i not in unloaded),
        )
        return prepared.rules.broken(loaded, called, users)

    async def _can_read(self, block: str) -> bool:
        """Whether the VM can read a block: else nothing of it ran, whatever its macros do."""
        source = f"(read-many {_string_literal(block)})"
        return (await self._vm.evaluate([source], self._limits))[0].error is None


def _unloaded(results: Sequence[Evaluation]) -> frozenset[int]:
    """The blocks that the VM refused as a whole."""
    refused = (i for i, result in enumerate(results) if result.error_class is ErrorClass.PARSE)
    return frozenset(refused)


def _string_literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _readable(probe: Probe, evaluation: Evaluation) -> Evaluation:
    """The evaluation without the probe's names in its message."""
    if evaluation.error is None:
        return evaluation
    name = evaluation.error_name and probe.scrub(evaluation.error_name)
    return replace(evaluation, error=probe.scrub(evaluation.error), error_name=name)


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
