"""`requires` and `forbids` look at what was loaded of an answer."""

import asyncio
from dataclasses import replace

import pytest

from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.records.outcome import Reason
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.task import Task
from tests.marking import Marker, task_of


@pytest.fixture(scope="module")
def mark(vm: SemaVM, event_loop_runner: asyncio.Runner) -> Marker:
    """One grader for this module, so that what it knows of the tasks is worked out once."""
    return Marker(vm, event_loop_runner)


def halving(requires: tuple[str, ...] = (), forbids: tuple[str, ...] = ()) -> Task:
    """The task `half` with rules."""
    rules = repr((requires, forbids))
    return replace(task_of("half"), requires=requires, forbids=forbids, task_hash=rules)


def drafted(draft: str, code: str) -> str:
    """A block, prose, and another block."""
    return f"{fenced(draft)}\n\nTo go with it, the function itself:\n\n{fenced(code)}"


BY_MATCH = "(define (halve n) (match n (_ (/ n 2))))"
BY_COND = "(define (halve n) (cond (else (/ n 2))))"
PLAIN = "(define (halve n) (/ n 2))"
ANSWERS = {
    "a block that cannot be read hides nothing": (
        halving(requires=("match",)),
        drafted("(define (half n) (* n 1/2)", BY_MATCH),
        Reason.RIGHT,
    ),
    "a block that cannot be read uses nothing": (
        halving(forbids=("cond",)),
        drafted("(define (half n) (cond (else n))", PLAIN),
        Reason.RIGHT,
    ),
    "a block that was never loaded satisfies nothing": (
        halving(requires=("match",)),
        drafted("(let (x) (match 5 (_ 2)))", PLAIN),
        Reason.REQUIRES,
    ),
    "what a block runs before it fails has been loaded": (
        halving(requires=("match",)),
        drafted(f"{BY_MATCH} (car 5)", "(define other 1)"),
        Reason.RIGHT,
    ),
    "a macro runs in a block that is never loaded": (
        halving(forbids=("cond",)),
        drafted(
            f"(defmacro sly () (begin (eval '{BY_COND}) nil)) (sly) (let (x) 1)", "(define n 1)"
        ),
        Reason.FORBIDS,
    ),
}


@pytest.mark.parametrize(("task", "message", "reason"), ANSWERS.values(), ids=[*ANSWERS])
def test_rules_look_at_what_was_loaded(
    mark: Marker, task: Task, message: str, reason: Reason
) -> None:
    """A broken draft beside the answer neither breaks a rule nor keeps one."""
    verdict: Verdict = mark(task, message)
    assert verdict.reason is reason, verdict.cases
