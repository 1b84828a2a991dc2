"""Proves that a task can be trusted: right answers pass, wrong ones fail, on the real VM.

Wrong answers are those of the task file, the empty one, the hard-coded example, and the
mutants of the reference. A mutant that passes and is not listed under `equivalent` is a
wrong answer that the task would let through.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.dialect.prose import source_in
from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading.grader import Grader
from pytest_sema_bench.grading.in_dialect import own_names
from pytest_sema_bench.grading.proof.mutate import Mutant, choose, mutate
from pytest_sema_bench.grading.proof.plain import plain_problems
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.folder import Demands
from pytest_sema_bench.suite.task import Case, Equivalent, GradeKind, Task

MIN_TASK_RATE = 0.85
"""Share of its mutants that the cases of each task must catch."""
MAX_MUTANTS = 60
"""Mutants tried per task, unless asked otherwise."""

_QUICK = Limits(cpu_s=0.5, wall_s=10.0)
"""For answers that ought to fail: many of them loop. Used if the reference keeps within it."""


class Fate(Enum):
    """What became of a mutant."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantCheck:
    """A mutant and what the cases said to it."""

    mutant: Mutant
    fate: Fate
    why: str | None = None
    """Why it is a right answer after all, in the words of the task file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCheck:
    """What the proof of one task showed."""

    task: Task
    n_wrong: int
    """Wrong answers tried: the task's own, the empty one and the hard-coded example."""
    n_caught: int
    mutants: tuple[MutantCheck, ...] = ()
    """Those that were tried; () where there is no code to change."""
    problems: tuple[str, ...]
    """One line each; () if the task holds."""

    @property
    def survivors(self) -> tuple[MutantCheck, ...]:
        """The mutants that passed without being justified."""
        return tuple(check for check in self.mutants if check.fate is Fate.SURVIVED)


def n_mutants(checks: Iterable[TaskCheck]) -> tuple[int, int, int]:
    """How many mutants were caught, how many had to be, and how many are equivalent."""
    fates = [mutant.fate for check in checks for mutant in check.mutants]
    n_equivalent = fates.count(Fate.EQUIVALENT)
    return fates.count(Fate.CAUGHT), len(fates) - n_equivalent, n_equivalent


def caught_rate(checks: Iterable[TaskCheck]) -> float | None:
    """The share of mutants caught, equivalents aside, in [0, 1]; None if there are none."""
    n_caught, n, _ = n_mutants(checks)
    return n_caught / n if n else None


class Graders:
    """What the tasks of a suite are proven with; what it learns of the VM it learns once."""

    def __init__(self, vm: SemaVM, dialect: Dialect | None = None) -> None:
        self.vm = vm
        self.patient = Grader(vm, dialect=dialect)
        self.quick = self.patient.within(_QUICK)


async def check_task(
    task: Task, graders: Graders, *, strict: bool = True, max_mutants: int = MAX_MUTANTS
) -> TaskCheck:
    """The proof of one task. With `strict`, also what our own suite asks of its tasks."""
    problems: list[str] = _demands(task) if strict else []
    n_caught, mutants = 0, list[MutantCheck]()
    wrong = wrong_answers(task, graders.quick.dialect)
    patient, quick = graders.patient, graders.quick
    try:
        proven = await _is_quick(task, quick)
        if not proven:
            quick = patient
            if task.reference is not None:
                verdict = await patient.grade(task, _told(task, task.reference, patient.dialect))
                proven = verdict.outcome is Outcome.PASS
                if not proven:
                    problems.append(f"the reference answer fails: {_why(verdict)}")
        problems += await plain_problems(task, await patient.prepared(task), graders.vm, Limits())
        for name, message in wrong:
            if await _passes(task, message, quick):
                problems.append(f"{name} passes")
            else:
                n_caught += 1
        if proven and max_mutants and task.kind is not GradeKind.VALUE:
            mutants, complaints = await _check_mutants(task, quick, patient, max_mutants)
            problems += complaints
    except (TaskError, ValueError) as error:
        problems.append(str(error))
    return TaskCheck(
        task=task,
        n_wrong=len(wrong),
        n_caught=n_caught,
        mutants=tuple(mutants),
        problems=tuple(problems),
    )


async def _is_quick(task: Task, quick: Grader) -> bool:
    """Whether there is a reference and it passes within the shorter limits."""
    if task.reference is None:
        return False
    try:
        return await _passes(task, _told(task, task.reference, quick.dialect), quick)
    except TaskError:
        return False


async def _check_mutants(
    task: Task, quick: Grader, patient: Grader, limit: int
) -> tuple[list[MutantCheck], list[str]]:
    """What became of the mutants, and what is wrong with that."""
    possible = mutate(task.reference or "")

    async def judge(mutant: Mutant) -> MutantCheck:
        why = next((entry.why for entry in task.equivalent if _names(entry, mutant)), None)
        # What is said to be right gets the time that a right answer gets.
        grader = patient if why else quick
        if not await _passes(task, _told(task, mutant.source, grader.dialect), grader):
            return MutantCheck(mutant=mutant, fate=Fate.CAUGHT)
        return MutantCheck(mutant=mutant, fate=Fate.EQUIVALENT if why else Fate.SURVIVED, why=why)

    checks = list(await asyncio.gather(*map(judge, choose(possible, limit))))
    problems = [problem for e in task.equivalent if (problem := _stale(e, possible, checks))]
    n_caught = sum(check.fate is Fate.CAUGHT for check in checks)
    n = sum(check.fate is not Fate.EQUIVALENT for check in checks)
    if n and n_caught / n < MIN_TASK_RATE:
        share = f"{n_caught} of {n} mutants ({n_caught / n:.0%})"
        problems.append(f"the cases catch {share}, expected {MIN_TASK_RATE:.0%} or more")
    return checks, problems


def _names(entry: Equivalent, mutant: Mutant) -> bool:
    text, name = (" ".join(words.split()) for words in (entry.mutant, mutant.id))
    return name == text or (" -> " not in text and name.startswith(f"{text} -> "))


def _stale(
    entry: Equivalent, possible: Sequence[Mutant], checks: Sequence[MutantCheck]
) -> str | None:
    """What is wrong with an entry under `equivalent`, None if nothing is."""
    if not any(_names(entry, mutant) for mutant in possible):
        return f"equivalent: the reference has no mutant {entry.mutant!r}"
    fates = {check.fate for check in checks if _names(entry, check.mutant)}
    if fates == {Fate.CAUGHT}:
        return f"equivalent: {entry.mutant!r} is caught by a case; take it off the list"
    return None


async def _passes(task: Task, message: str, grader: Grader) -> bool:
    verdict = await grader.grade(task, message, stop_at_failure=True)
    return verdict.outcome is Outcome.PASS


def wrong_answers(task: Task, dialect: Dialect | None = None) -> list[tuple[str, str]]:
    """Name and message of each answer that must fail, mutants aside."""
    wrong = [("the empty answer", "")]
    wrong += [(f"wrong answer ({w.why})", _told(task, w.code, dialect)) for w in task.wrong]
    if example := hard_coded_example(task):
        wrong.append(("the public example hard-coded", _told(task, example, dialect)))
    return wrong


def _told(task: Task, answer: str, dialect: Dialect | None) -> str:
    """An answer in Sema as a model would send it that writes the dialect."""
    if dialect is not None and task.kind is not GradeKind.VALUE:
        answer = source_in(answer, dialect, own_names(task))
    return as_answer(task.kind, answer)


def hard_coded_example(task: Task) -> str | None:
    """A definition that always returns the first public example's value, None if there is none."""
    case = next((case for case in task.public_cases if case.equals), None)
    if case is None or task.kind is GradeKind.VALUE:
        return None
    if case.call is None:
        return case.equals[0]
    name = _called_name(case)
    return f"(define ({name} . rest) {case.equals[0]})" if name else None


def _called_name(case: Case) -> str | None:
    call = (case.call or "").strip()
    name = call[1:].split(None, 1)[0].rstrip(")") if call.startswith("(") else ""
    return name if name and not name.startswith(("(", "#", "'")) else None


def _demands(task: Task) -> list[str]:
    problems = []
    if task.reference is None:
        problems.append("has no reference answer")
    demands = task.suite.demands if task.suite else Demands()
    if len(task.wrong) < demands.n_wrong:
        n = demands.n_wrong
        problems.append(f"has {len(task.wrong)} wrong answers, expected at least {n}")
    if task.kind is not GradeKind.VALUE:
        if len(task.cases) < demands.n_cases:
            n = demands.n_cases
            problems.append(f"has {len(task.cases)} cases, expected at least {n}")
        if not task.public_cases:
            problems.append("shows the model no example: mark a case `public: true`")
    return problems


def _why(verdict: Verdict) -> str:
    case = verdict.failing_case
    if case is None:
        return f"{verdict.reason.value} {verdict.detail or ''}".strip()
    got = case.got if case.error is None else case.error.splitlines()[0]
    return f"{verdict.reason.value}: {case.call} gave {got}, expected {case.expected}"


def suite_problems(checks: Sequence[TaskCheck]) -> tuple[str, ...]:
    """What is wrong with a suite as a whole; () if it holds, whatever its tasks' problems."""
    rate, least = caught_rate(checks), min_suite_rate(checks)
    if rate is None or rate >= least:
        return ()
    return (f"the cases catch {rate:.1%} of all mutants, expected {least:.0%} or more",)


def min_suite_rate(checks: Sequence[TaskCheck]) -> float:
    """The share of all mutants that the suite of these tasks must catch."""
    suites = [check.task.suite for check in checks]
    demands = [suite.demands if suite else Demands() for suite in suites]
    return max((each.mutant_rate for each in demands), default=Demands().mutant_rate)


def all_hold(checks: Sequence[TaskCheck]) -> bool:
    """Whether neither a task nor the suite has a problem."""
    return not suite_problems(checks) and not any(check.problems for check in checks)
