"""Decontamination: copies of reference answers are found whatever their text, little else is."""

import asyncio

import pytest

from pytest_sema_bench.dataset.leak_run import Solver
from pytest_sema_bench.dataset.leak_text import Texts
from pytest_sema_bench.dataset.mix import leaks
from pytest_sema_bench.dataset.row import BENCHMARK, Row, Source
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_task
from tests.samples.planted import copies, own_programs

TASKS = tuple(
    load_task(suite_folder() / f"{name}.yaml")
    for name in (
        *("L1/03-mapping", "L2/03-list-length", "L2/04-reverse", "L2/09-maximum"),
        *("L2/13-number-pipeline", "L3/03-point-record", "L3/10-nested-sum", "L4/05-when-bind"),
        *("L4/07-transpose", "L5/04-lazy-stream"),
    )
)
PROGRAMS = tuple(task for task in TASKS if task.kind.value == "program")


def row(code: str, **more: object) -> Row:
    """A row of a program."""
    made = {"source": Source.EXAMPLES, "licence": "MIT", "family": "f", "vm": "1.36.0", **more}
    return Row(code=code, **made)  # type: ignore[arg-type]


@pytest.mark.vm
def test_copies_under_other_names_are_found_among_programs_of_ours(
    event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """Renamed, laid out anew, arguments swapped: each is found for its task, no other dropped."""
    planted = dict(copies(PROGRAMS, seed=3))
    rows = [row(code) for code in (*planted.values(), *own_programs(40, seed=3))]
    found = event_loop_runner.run(leaks(rows, TASKS, vm))
    assert [leak.task if leak else None for leak in found] == [*planted, *[None] * 40]


@pytest.mark.vm
def test_another_way_to_solve_a_task_is_found_by_its_cases(
    event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """A program that shares no text with a task is found if it passes the task's hidden cases."""
    code = """
      (define (level d items)
        (cond ((null? items) 0)
              ((list? (first items)) (+ (level (+ 1 d) (first items)) (level d (rest items))))
              (else (+ (* d (first items)) (level d (rest items))))))
      (define weigh (fn (tree) (level 1 tree)))
      (weigh '(1 (2)))"""
    solver = Solver(PROGRAMS, vm)
    assert Texts(tasks=PROGRAMS).leak(code) is None
    leak = event_loop_runner.run(solver.leak(code, "5"))
    assert leak is not None
    assert (leak.task, leak.why) == ("L3-10-nested-sum", "passes its cases (weigh as nested-sum)")


@pytest.mark.vm
def test_a_question_asked_of_the_vm_is_found_by_its_value_and_functions(
    event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """What computes a value task's key with all its functions gives it away."""
    [task] = [task for task in TASKS if task.id == "L1-03-mapping"]
    key = task.cases[0].equals[0]
    solver = Solver(TASKS, vm)
    question = task.prompt.split("```")[1].removeprefix("sema").strip()
    leak = event_loop_runner.run(solver.leak(f"(define answer {question})\nanswer", key))
    assert leak is not None
    assert leak.task == "L1-03-mapping"


TEXTS = {
    "its prompt": (lambda task: ("(+ 1 2)", task.prompt), "its prompt says"),
    "its canary": (lambda task: (f'"{task.suite.canary}"', None), "holds the canary"),
    "a wrong answer": (lambda task: (task.wrong[1].code, None), "the same syntax tree"),
}


@pytest.mark.parametrize(("made", "why"), TEXTS.values(), ids=TEXTS)
def test_what_a_task_says_is_found_by_its_text(made: object, why: str) -> None:
    """Prompt, canary and wrong answers are the benchmark's too."""
    [task] = [task for task in TASKS if task.id == "L4-07-transpose"]
    code, prompt = made(task)  # type: ignore[operator]
    leak = Texts(tasks=TASKS).leak(code, prompt)
    assert leak is not None
    assert leak.why.startswith(why)


@pytest.mark.vm
def test_what_a_conversation_asks_is_held_against_the_prompts(
    event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """A trace is found by what its user asks, though its code shows nothing."""
    [task] = [task for task in PROGRAMS if task.id == "L4-07-transpose"]
    messages = ({"role": "user", "content": task.prompt}, {"role": "assistant", "content": "no"})
    [leak] = event_loop_runner.run(leaks([row("(+ 1 2)", messages=messages)], [task], vm))
    assert leak is not None
    assert leak.why.startswith("its prompt says")


@pytest.mark.vm
def test_rows_of_the_benchmark_that_were_asked_for_are_left_alone(
    event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """A row that is tagged as the benchmark's is no leak: its card says what it is."""
    [task] = [task for task in PROGRAMS if task.id == "L2-04-reverse"]
    assert isinstance(task, Task)
    rows = [row(task.reference or "", tags=(BENCHMARK,)), row(task.reference or "")]
    found = event_loop_runner.run(leaks(rows, [task], vm))
    assert [leak and leak.task for leak in found] == [None, "L2-04-reverse"]
