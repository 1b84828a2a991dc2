"""The same programs and answers on two VMs, and what differs between what they give."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.grading.format import cut
from pytest_sema_bench.grading.grader import Grader
from pytest_sema_bench.grading.verdict import CaseResult, Verdict
from pytest_sema_bench.sema.vm import Evaluation, SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task

T = TypeVar("T")
_SHOWN_CHARS = 600
_GENERATED = re.compile(r"(?<=__)\d+(?![\w.])")
"""The number of a generated symbol."""


class DifferenceKind(Enum):
    """In what two VMs differ, the most telling first."""

    VERDICT = "verdict"
    VALUE = "value"
    """Another value, or an error on one of them only."""
    OUTPUT = "output"
    ERROR_CLASS = "error class"
    ERROR_TEXT = "error text"
    """Message or hint, whatever the frames say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Sources that share an interpreter, each of which is compared."""

    sort: str
    """What it is among all that is run, in the plural."""
    name: str
    place: str
    """`file:line`, for people."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model sent, or might have sent."""

    sort: str
    name: str
    place: str
    task: Task
    message: str
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two VMs do not do alike."""

    kind: DifferenceKind
    name: str
    place: str
    code: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came of a comparison."""

    differences: tuple[Difference, ...]
    n_unsteady: int
    """Programs and answers that the first VM itself does not do alike twice: left out."""


async def compare_programs(programs: Iterable[Program], first: SemaVM, second: SemaVM) -> Findings:
    """What differs between two VMs in what sources do. Raises VMError."""

    async def run(vm: SemaVM, program: Program) -> tuple[Evaluation, ...]:
        return await vm.evaluate(program.sources, Limits())

    def differ(
        program: Program, ones: Sequence[Evaluation], others: Sequence[Evaluation]
    ) -> list[Difference]:
        return [
            Difference(
                kind=kind,
                name=program.name,
                place=program.place,
                code=source,
                first=_shown(one),
                second=_shown(other),
            )
            for source, one, other in zip(program.sources, ones, others, strict=True)
            if (kind := _kind(one, other)) is not None
        ]

    return await _compare(programs, run, differ, first, second)


async def compare_answers(answers: Iterable[Answer], first: SemaVM, second: SemaVM) -> Findings:
    """What differs between two VMs in how answers are graded. Raises VMError."""
    graders = {id(vm): Grader(vm, reuse=False) for vm in (first, second)}

    async def grade(vm: SemaVM, answer: Answer) -> Verdict | TaskError:
        try:
            return await graders[id(vm)].grade(
                answer.task, answer.message, truncated=answer.truncated
            )
        except TaskError as error:
            return error

    def differ(
        answer: Answer, one: Verdict | TaskError, other: Verdict | TaskError
    ) -> list[Difference]:
        found = _verdicts_differ(one, other)
        if found is None:
            return []
        kind, code, texts = found
        return [
            Difference(
                kind=kind,
                name=answer.name,
                place=answer.place,
                code=code,
                first=texts[0],
                second=texts[1],
            )
        ]

    return await _compare(answers, grade, differ, first, second)


A = TypeVar("A", Program, Answer)


async def _compare(
    subjects: Iterable[A],
    run: Callable[[SemaVM, A], Awaitable[T]],
    differ: Callable[[A, T, T], list[Difference]],
    first: SemaVM,
    second: SemaVM,
) -> Findings:
    async def look(subject: A) -> tuple[list[Difference], bool]:
        one, other = await asyncio.gather(run(first, subject), run(second, subject))
        found = differ(subject, one, other)
        # Random numbers and clocks differ on one VM as well.
        unsteady = bool(found and differ(subject, one, await run(first, subject)))
        return ([], True) if unsteady else (found, False)

    looks = await asyncio.gather(*map(look, subjects))
    return Findings(
        differences=tuple(difference for found, _ in looks for difference in found),
        n_unsteady=sum(unsteady for _, unsteady in looks),
    )


def _steady(text: str | None) -> str:
    """The text with the numbers of generated symbols (`tmp__17`) counted from 1.

    How many symbols the VM has made before is no difference that matters.
    """
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return str(numbers.setdefault(found[0], len(numbers) + 1))

    return _GENERATED.sub(number, text or "")


def _kind(one: Evaluation, other: Evaluation) -> DifferenceKind | None:
    """In what two evaluations differ first, None if in nothing."""
    if (one.error is None) is not (other.error is None) or _words(one) != _words(other):
        return DifferenceKind.VALUE
    if one.output != other.output:
        return DifferenceKind.OUTPUT
    if one.error_class is not other.error_class:
        return DifferenceKind.ERROR_CLASS
    return None if _message(one.error) == _message(other.error) else DifferenceKind.ERROR_TEXT


def _words(evaluation: Evaluation) -> list[str] | None:
    """The value without its line breaks, which not every backend makes."""
    return None if evaluation.value is None else _steady(evaluation.value).split()


def _message(error: str | None) -> str | None:
    """What is said without where: not every backend has all frames."""
    if error is None:
        return None
    lines = _steady(error).splitlines()
    return "\n".join(line for line in lines if not line.startswith("  at "))


def _shown(evaluation: Evaluation) -> str:
    if evaluation.error is not None and evaluation.error_class is not None:
        return f"{evaluation.error_class.value} error: {_message(evaluation.error)}"
    printed = f", prints {list(evaluation.output)}" if evaluation.output else ""
    return cut(f"{evaluation.value or 'nil'}{printed}", _SHOWN_CHARS // 2, _SHOWN_CHARS // 2)


def _verdicts_differ(
    one: Verdict | TaskError, other: Verdict | TaskError
) -> tuple[DifferenceKind, str, tuple[str, str]] | None:
    """The kind, the call that shows it, and what each VM says; None where they agree."""
    if isinstance(one, TaskError) or isinstance(other, TaskError):
        if isinstance(one, TaskError) and isinstance(other, TaskError):
            return None
        texts = tuple(
            str(each) if isinstance(each, TaskError) else each.outcome.value
            for each in (one, other)
        )
        return DifferenceKind.VERDICT, "the task itself", (texts[0], texts[1])
    if one.outcome is not other.outcome:
        failing = one.failing_case or other.failing_case
        return (
            DifferenceKind.VERDICT,
            failing.call if failing else "the answer",
            (_verdict(one), _verdict(other)),
        )
    for case, same in zip(one.cases, other.cases, strict=False):
        if kind := _case_kind(case, same):
            return kind, case.call, (_case(case), _case(same))
    return None


def _case_kind(one: CaseResult, other: CaseResult) -> DifferenceKind | None:
    if _steady(one.got) != _steady(other.got) or (one.failure is None) is not (
        other.failure is None
    ):
        return DifferenceKind.VALUE
    if one.failure and other.failure and one.failure.error_class is not other.failure.error_class:
        return DifferenceKind.ERROR_CLASS
    return None if _message(one.error) == _message(other.error) else DifferenceKind.ERROR_TEXT


def _verdict(verdict: Verdict) -> str:
    failing = verdict.failing_case
    shown = f": {_case(failing)}" if failing else ""
    return f"{verdict.outcome.value} ({verdict.reason.value}){shown}"


def _case(case: CaseResult) -> str:
    if case.error is None:
        return case.got or "nothing"
    told = f"{case.failure.error_class.value} error: " if case.failure else ""
    return f"{told}{_message(case.error)}"
