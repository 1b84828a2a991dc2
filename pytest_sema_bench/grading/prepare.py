"""What grading a task needs to know before the first answer, asked of the VM once per task."""

from dataclasses import dataclass

from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.grading.names import NameBook, NameKind
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.grading.rules import Rules
from pytest_sema_bench.grading.scope import INTERNALS, Scope, make_scope
from pytest_sema_bench.sema.names import symbols_in
from pytest_sema_bench.sema.value import Value
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Case, GradeKind, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A task, ready to grade answers to it."""

    expected: tuple[tuple[Value, ...], ...]
    """For each case the values that count."""
    scopes: tuple[Scope, ...]
    """For each case its sources and what their names mean."""
    rules: Rules


async def prepare(task: Task, names: NameBook, vm: SemaVM, limits: Limits) -> Prepared:
    """All that grading needs. Raises TaskError if the task cannot be evaluated."""
    named = frozenset([*task.requires, *task.forbids])
    used = [symbols_in(text) for case in task.cases for text in (case.given, case.call)]
    internals = INTERNALS if task.kind is not GradeKind.VALUE else ()
    kinds = await names.kinds_of(named.union(internals, *used))
    in_place = await names.in_place(n for n, kind in kinds.items() if kind is NameKind.OPCODE)
    return Prepared(
        expected=await _expected(task, vm, limits),
        scopes=tuple(
            [await make_scope(task, case, kinds, in_place, vm, limits) for case in task.cases]
        ),
        rules=Rules(
            requires=task.requires,
            forbids=task.forbids,
            kinds={name: kinds[name] for name in named},
        ),
    )


async def check_evaluates(task: Task, vm: SemaVM, limits: Limits) -> None:
    """Raises TaskError, with the line of the case, for what a task expects or gives and cannot."""
    await _expected(task, vm, limits)
    for case in task.cases:
        if case.given is not None:
            check_given(task, case, (await vm.evaluate([case.given], limits))[0].error)


def check_given(task: Task, case: Case, error: str | None) -> None:
    """Raises TaskError if what a case gives ended in an error."""
    if error is not None:
        message = f"the `given` of a case does not run: {error}"
        raise TaskError(task.path, case.line, message)


async def _expected(task: Task, vm: SemaVM, limits: Limits) -> tuple[tuple[Value, ...], ...]:
    probe = Probe("expected", task.task_hash)
    quoted = task.kind is GradeKind.VALUE
    sources = [
        probe.call(f"(quote {text})" if quoted else text)
        for case in task.cases
        for text in case.equals
    ]
    results = iter((await vm.evaluate([probe.source(), *sources], limits))[1:])

    def value_of(text: str, line: int) -> Value:
        evaluation = next(results)
        reading = probe.read(evaluation.value)
        why = evaluation.error or "it has no value that could be compared"
        if reading is None or _is_opaque(reading.value):
            raise TaskError(task.path, line, f"equals: {text!r} cannot be evaluated: {why}")
        return reading.value

    return tuple(tuple(value_of(text, case.line) for text in case.equals) for case in task.cases)


def _is_opaque(value: Value) -> bool:
    """Whether a value prints without its content, so that it would equal every other one."""
    hides = value.type == "opaque" and value.text.startswith("<")
    return hides or any(map(_is_opaque, value.items))
