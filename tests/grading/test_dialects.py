"""Tasks in dialects: references are right, wrong answers wrong, and Sema is another language."""

import asyncio

import pytest

from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.dialect.dialect import make_dialect
from pytest_sema_bench.dialect.prose import source_in
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.grading.in_dialect import own_names, task_in
from pytest_sema_bench.grading.proof.check import wrong_answers
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder
from pytest_sema_bench.suite.task import GradeKind, Task, load_tasks
from tests.grading.test_attacks import ATTACKS
from tests.marking import QUICK, answer_of, task_of

DIALECTS = [make_dialect(7, 1.0), make_dialect(11, 0.5)]
SUITE = [task for name in bundled_suites() for task in load_tasks(suite_folder(name))]
CORE = [task for task in SUITE if task.suite and task.suite.name == "core"]


class Judge:
    """Grades in a dialect on the session's VM."""

    def __init__(self, vm: SemaVM, runner: asyncio.Runner, dialect: Dialect) -> None:
        self.dialect = dialect
        self._grader = Grader(vm, dialect=dialect)
        self._quick = Grader(vm, QUICK, dialect=dialect)
        self._runner = runner

    def __call__(self, jobs: list[tuple[Task, str]], *, quick: bool = False) -> list[Verdict]:
        """The verdicts on messages."""
        grader = self._quick if quick else self._grader

        async def grade_all() -> list[Verdict]:
            return list(
                await asyncio.gather(*(grader.grade(*job, stop_at_failure=quick) for job in jobs))
            )

        return self._runner.run(grade_all())


@pytest.fixture(scope="module", params=DIALECTS, ids=lambda dialect: dialect.label[:5])
def judge(request: pytest.FixtureRequest, vm: SemaVM, event_loop_runner: asyncio.Runner) -> Judge:
    """A judge of each dialect."""
    return Judge(vm, event_loop_runner, request.param)


def test_every_reference_is_right(judge: Judge) -> None:
    """All tasks of the bundled suites, in the weaker dialect those of the core."""
    tasks = SUITE if judge.dialect is DIALECTS[0] else CORE
    jobs = [
        (task, as_answer(task.kind, task_in(task, judge.dialect).reference or "")) for task in tasks
    ]
    verdicts = judge(jobs)
    failed = [job[0].id for job, v in zip(jobs, verdicts, strict=True) if v.outcome != "pass"]
    assert failed == []


def test_every_wrong_answer_is_wrong(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Those of the core, in words that the VM never gets to see."""
    judge = Judge(vm, event_loop_runner, DIALECTS[0])
    jobs = [(task, message) for task in CORE for _, message in wrong_answers(task, judge.dialect)]
    verdicts = judge(jobs, quick=True)
    passed = [job for job, verdict in zip(jobs, verdicts, strict=True) if verdict.outcome == "pass"]
    assert passed == []


@pytest.mark.parametrize("spoken", [False, True], ids=["in Sema", "in the dialect"])
def test_no_attack_earns_anything(judge: Judge, spoken: bool) -> None:
    """Hostile answers fail, be they translated or as they are."""
    jobs = []
    for name, (task_name, _) in ATTACKS.items():
        task, message = task_of(task_name), answer_of("attacks", name)
        if spoken and task.kind is not GradeKind.VALUE:
            message = _in_dialect(message, judge.dialect, own_names(task))
        jobs.append((task, message))
    verdicts = judge(jobs, quick=True)
    passed = [
        name
        for name, verdict in zip(ATTACKS, verdicts, strict=True)
        if verdict.outcome is Outcome.PASS
    ]
    assert passed == []


def _in_dialect(message: str, dialect: Dialect, own: frozenset[str]) -> str:
    """The message with each of its fenced blocks translated."""
    parts = message.split("```sema\n")
    blocks = (part.partition("```") for part in parts[1:])
    return parts[0] + "".join(
        f"```sema\n{source_in(code, dialect, own)}```{rest}" for code, _, rest in blocks
    )


def test_answers_in_sema_fail_in_a_strong_dialect(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """Who knows Sema by heart solves no program of the core in it."""
    judge = Judge(vm, event_loop_runner, DIALECTS[0])
    tasks = [task for task in CORE if task.kind is not GradeKind.VALUE]
    verdicts = judge(
        [(task, as_answer(task.kind, task.reference or "")) for task in tasks], quick=True
    )
    passed = [t.id for t, v in zip(tasks, verdicts, strict=True) if v.outcome is Outcome.PASS]
    assert passed == []


def test_a_verdict_is_in_the_words_of_the_answer(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """The call, the error and the missing name are those of the dialect."""
    judge, words = Judge(vm, event_loop_runner, DIALECTS[0]), DIALECTS[0].words
    task = task_of("listing")
    message = _in_dialect(answer_of("attacks", "foldl-never-called"), DIALECTS[0], own_names(task))
    (verdict,) = judge([(task, message)])
    assert (verdict.reason, verdict.detail) == (Reason.REQUIRES, words["foldl"])
    assert words["define"] in verdict.extracted[0]
    broken = f"```sema\n({words['define']} (halve n) ({words['car']} n))\n```"
    (verdict,) = judge([(task_of("halve"), broken)])
    failure = next(case.failure for case in verdict.cases if case.failure)
    assert failure.name == words["car"]


def test_the_prompt_keeps_what_stands_for_itself() -> None:
    """Quoted symbols, parameters, signs of a text and code in strings are no names there."""
    tasks = {task.slug: task_in(task, DIALECTS[0]) for task in SUITE}
    words = DIALECTS[0].words
    tree = tasks["arithmetic-tree"].full_prompt
    assert "the symbols `+`, `-`, `*`, `/`" in tree
    assert "(eval-tree '(+ 1 (* :x 3)) {:x 4}) ; => 13" in tree
    assert "`env`" in tree
    assert "`(define name …)`" in tasks["source-tools"].full_prompt
    assert "begin with `/`" in tasks["router"].full_prompt
    assert "`(when test)`" not in tasks["list-comprehension"].full_prompt
    assert f"`({words['when']} test)`" in tasks["list-comprehension"].full_prompt
    assert tasks["swap"].forbids[0] == words["first"]
    assert task_in(SUITE[0], None) is SUITE[0]
