"""Proves that a task asks what it grades: the plain VM gives what the graded call gives.

The plain VM is what somebody has who tries a task by hand: the answer, then the call, or the
expression that the prompt asks for.
"""

from pytest_sema_bench.extraction import extract
from pytest_sema_bench.grading.judge import matches
from pytest_sema_bench.grading.prepare import Prepared
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.grading.sources import make_sources, plain_sources, with_last_form
from pytest_sema_bench.sema.vm import Evaluation, SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import GradeKind, Task


async def plain_problems(
    task: Task, prepared: Prepared, vm: SemaVM, limits: Limits
) -> tuple[str, ...]:
    """What the reference, or the question of a value task, gives in the plain VM and should not."""
    if task.kind is GradeKind.VALUE:
        problem = await _key_problem(task, prepared, vm, limits)
        return () if problem is None else (problem,)
    if task.reference is None:
        return ()
    problems = []
    blocks = (task.reference,)
    for index, case in enumerate(task.cases):
        probe = Probe("plain", task.task_hash, index)
        sources = make_sources(task, index, blocks, prepared, probe, _as_it_is)
        n_before = len(sources.in_order) - len(sources.calls)
        graded = (await vm.evaluate(sources.in_order, limits))[n_before]
        plain = (await vm.evaluate(plain_sources(task, index, blocks), limits))[-1]
        if _result(graded) != _result(plain):
            what = f"case {index + 1}, {(case.call or 'the expression').strip()},"
            problems.append(f"{what} gives {_shown(graded)} graded and {_shown(plain)} by hand")
    return tuple(problems)


async def _key_problem(task: Task, prepared: Prepared, vm: SemaVM, limits: Limits) -> str | None:
    """What is wrong with the key, if the prompt shows the code whose value is asked for."""
    question = extract(task.prompt, GradeKind.EXPRESSION)
    # Code within a sentence may be no more than a part of what is asked.
    if not question.blocks or not question.rule.startswith("fenced"):
        return None
    probe = Probe("question", task.task_hash)
    *first, last = question.blocks
    sources = [probe.source(), *first, with_last_form(last, probe.call)]
    result = (await vm.evaluate(sources, limits))[-1]
    reading = probe.read(result.value)
    if reading is not None and matches(reading.value, prepared.expected[0], task.cases[0]):
        return None
    got = _shown(result) if reading is None else reading.value
    return f"the question's code gives {got}, the key is {' or '.join(task.cases[0].equals)}"


def _as_it_is(source: str) -> str:
    return f"(begin\n{source}\n)"


def _result(evaluation: Evaluation) -> tuple[object, ...]:
    return evaluation.value, evaluation.output, evaluation.error_class


def _shown(evaluation: Evaluation) -> str:
    if evaluation.error is not None:
        return evaluation.error.partition("\n")[0]
    printed = f" and prints {', '.join(evaluation.output)}" if evaluation.output else ""
    return f"{evaluation.value or 'nil'}{printed}"
