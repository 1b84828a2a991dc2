"""Which tasks of a benchmark a program solves, under whatever names: found by running it.

First all that a program defines is called as each task would call it, with one case of the task
and all in one interpreter. What gives that case's value is then graded as an answer, all cases
in interpreters of their own, with the names that the task asks for.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

from pytest_sema_bench.dataset.defined import Definition, definitions, n_arguments, renamed
from pytest_sema_bench.dataset.leak_text import Leak, task_code
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.grading.judge import matches
from pytest_sema_bench.grading.names import names_asked
from pytest_sema_bench.grading.prepare import Prepared
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.sema.names import (
    heads_used,
    macros_defined,
    names_bound,
    names_defined,
    symbols_in,
    top_forms,
)
from pytest_sema_bench.sema.reader import Form, ReadError, read_forms
from pytest_sema_bench.sema.vm import ErrorClass, SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Case, GradeKind, Task

_LIMITS = Limits(cpu_s=0.4, wall_s=5.0)
"""Of a try in passing; what loops on another task's case would take the VM's own limit."""
_CASE_LIMITS = Limits(cpu_s=2.0, wall_s=10.0)
"""Of a case that decides; references take far less."""
_MAX_TRIES = 60
"""Ways in which one program is tried for one case of a task."""
_MAX_WAYS = 20
_MAX_STOPS = 12
"""After so many tries that used up their interpreter the others are left alone."""
# More than four digits in a row.
_LARGE = re.compile(r"\d{5}")
_LOST = frozenset({ErrorClass.STEPS, ErrorClass.TIME, ErrorClass.MEMORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A task that a program is held against."""

    task: Task
    prepared: Prepared
    entries: Mapping[int, Mapping[str, int | None]]
    """Of each case that tells something the names that it calls, with how many arguments."""
    macros: frozenset[str]

    def next_case(self, known: Collection[str]) -> int | None:
        """The case with the fewest names that are not known yet; None if all are known."""
        found = [
            (*self._hard(index), n, -self._weight(index), index)
            for index, names in self.entries.items()
            if (n := len(names.keys() - known))
        ]
        return min(found)[-1] if found else None

    def _hard(self, index: int) -> tuple[bool, bool]:
        """Whether a case needs more than its call, or has a number that others may count to."""
        case = self.task.cases[index]
        return case.given is not None, bool(_LARGE.search(case.call or ""))

    def _weight(self, index: int) -> int:
        """How much a case's value says: `#t` is what many programs give."""
        return max(len(str(value)) for value in self.prepared.expected[index])


@dataclass(frozen=True, slots=True)
class _Try:
    """A way to take a program's names for those of a task, and the case that tells."""

    target: _Target
    index: int
    names: Mapping[str, str]
    """For each of the task's names the program's."""
    order: tuple[int, ...] = ()
    """Which of the call's arguments comes first, second and so on; () where that is not asked."""

    @property
    def case(self) -> Case:
        """The case."""
        return self.target.task.cases[self.index]


class Solver:
    """Says which task a program solves."""

    def __init__(self, tasks: Iterable[Task], vm: SemaVM) -> None:
        self._tasks = tuple(tasks)
        self._vm = vm
        self._grader = Grader(vm, _CASE_LIMITS)
        self._targets: tuple[_Target, ...] | None = None

    async def prepare(self) -> None:
        """Read the tasks' cases, once. Raises TaskError and VMError."""
        programs = [task for task in self._tasks if task.kind is GradeKind.PROGRAM]
        found = [_target(task, await self._grader.prepared(task)) for task in programs]
        self._targets = tuple(target for target in found if target.entries)

    async def leak(self, code: str, value: str | None) -> Leak | None:
        """The task that a program solves, None if none. `value` is what the program gave."""
        if self._targets is None:
            await self.prepare()
        try:
            forms = read_forms(code)
        except ReadError:
            return None
        if known := self._asks_the_same(forms, value):
            return known
        defined = definitions(forms)
        tries = [way for target in self._targets or () for way in _ways(target, {}, defined)]
        for tried in await self._pass_screen(code, tries):
            for way in await self._completed(code, tried, defined):
                task = way.target.task
                verdict = await self._grader.grade(task, _answer(code, way), stop_at_failure=True)
                if verdict.cases and all(case.passed for case in verdict.cases):
                    names = ", ".join(f"{way.names[name]} as {name}" for name in sorted(way.names))
                    return Leak(task=task.id, why=f"passes its cases ({names})")
        return await self._gives_values(forms, code)

    async def _completed(
        self, code: str, tried: _Try, defined: Sequence[Definition]
    ) -> Sequence[_Try]:
        """The ways to take the task's other names too, one case after the other."""
        ways: Sequence[_Try] = [tried]
        while ways and ways[0].target.next_case(ways[0].names) is not None:
            further = [w for way in ways for w in _ways(way.target, way.names, defined)]
            ways = (await self._pass_screen(code, further[:_MAX_TRIES]))[:_MAX_WAYS]
        return ways

    async def _pass_screen(self, code: str, tries: Sequence[_Try]) -> list[_Try]:
        """Those whose case gives the value that counts."""
        # What a macro defines, or a program changes, would stand in the way of the next try.
        changes = any(name.endswith("!") for name in symbols_in(code))
        alone = changes or any(t.names.keys() & t.target.macros for t in tries)
        if alone:
            found = [await self._pass_together(code, [tried]) for tried in tries]
            return [tried for passed, _ in found for tried in passed]
        passed: list[_Try] = []
        for _ in range(_MAX_STOPS):
            if not tries:
                break
            here, n_done = await self._pass_together(code, tries)
            passed += here
            tries = tries[n_done:]
        return passed

    async def _pass_together(self, code: str, tries: Sequence[_Try]) -> tuple[list[_Try], int]:
        """Those that pass, and how many were tried before one used up the interpreter."""
        probe, passed = Probe("leak", code), list[_Try]()
        sources = [probe.source(), code]
        for tried in tries:
            sources += [tried.case.given or "nil", probe.call(_call(tried))]
        results = (await self._vm.evaluate(sources, _LIMITS))[3::2]
        for n_done, (tried, result) in enumerate(zip(tries, results, strict=True), start=1):
            if result.error_class in _LOST:
                return passed, n_done
            reading = probe.read(result.value)
            expected = tried.target.prepared.expected[tried.index]
            if matches(reading.value if reading else None, expected, tried.case):
                passed.append(tried)
        return passed, len(tries)

    def _asks_the_same(self, forms: Sequence[Form], value: str | None) -> Leak | None:
        """The question whose value a program computes with all functions of the question."""
        if value is None:
            return None
        used = heads_used(forms)
        for task in self._tasks:
            if task.kind is not GradeKind.VALUE or not set(task.cases[0].equals) & {value}:
                continue
            asked = _heads_asked(task)
            if asked and asked <= used:
                return Leak(task=task.id, why=f"computes {value} with the question's functions")
        return None

    async def _gives_values(self, forms: Sequence[Form], code: str) -> Leak | None:
        """The task whose answer is an expression that the program's last form is."""
        variables = names_bound(code)
        for task in self._tasks:
            given = frozenset().union(*(names_bound(case.given or "") for case in task.cases))
            if task.kind is not GradeKind.EXPRESSION or not given & symbols_in(code):
                continue
            kept = [f.text for f in top_forms(forms) if not names_defined(f) & given & variables]
            answer = fenced("\n".join(kept))
            verdict = await self._grader.grade(task, answer, stop_at_failure=True)
            if verdict.cases and all(case.passed for case in verdict.cases):
                return Leak(task=task.id, why="its last form passes the cases")
        return None


def _target(task: Task, prepared: Prepared) -> _Target:
    asked = names_asked(task)
    calls = {i: symbols_in(case.call) & asked for i, case in enumerate(task.cases) if case.equals}
    return _Target(
        task=task,
        prepared=prepared,
        entries={
            index: {name: n_arguments(task.cases[index].call, name) for name in names}
            for index, names in calls.items()
            if names
        },
        macros=macros_defined(task.reference),
    )


def _ways(
    target: _Target, known: Mapping[str, str], defined: Sequence[Definition]
) -> Iterator[_Try]:
    """The ways to take a program's names for those that the next case calls."""
    index = target.next_case(known)
    if index is None:
        return
    entries = target.entries[index]
    wanted = sorted(entries.keys() - known)
    left = [d for d in defined if d.name not in known.values()]
    fitting = [[d for d in left if _fit(d, entries[n], n in target.macros)] for n in wanted]
    ways = (way for way in product(*fitting) if len({d.name for d in way}) == len(way))
    for way in islice(ways, _MAX_TRIES):
        names = {**known, **{n: d.name for n, d in zip(wanted, way, strict=True)}}
        yield _Try(target, index, names)
        n = entries[wanted[0]]
        if len(names) == 1 and not way[0].is_macro and n in (2, 3):
            orders = list(permutations(range(n)))[1:]
            yield from (_Try(target, index, names, order) for order in orders)


def _fit(definition: Definition, n_asked: int | None, is_macro: bool) -> bool:
    n = definition.n_arguments
    return definition.is_macro is is_macro and (n is None or n_asked is None or n == n_asked)


def _call(tried: _Try) -> str:
    """The case's call, of the program's functions."""
    call = tried.case.call or ""
    if not tried.order:
        return renamed(call, tried.names)
    [(name, theirs)] = tried.names.items()
    return f"(let (({name} {_reordered(theirs, tried.order)})) {call})"


def _reordered(function: str, order: Sequence[int]) -> str:
    """A function that takes its arguments in another order."""
    taken = " ".join(f"a{i}" for i in range(len(order)))
    return f"(fn ({taken}) ({function} {' '.join(f'a{i}' for i in order)}))"


def _answer(code: str, tried: _Try) -> str:
    """The program as an answer, with the names that the task asks for."""
    if tried.order:
        [(name, theirs)] = tried.names.items()
        kept = renamed(code, {theirs: f"{theirs}-", name: f"{name}-"})
        return fenced(f"{kept}\n(define {name} {_reordered(f'{theirs}-', tried.order)})")
    new = {theirs: ours for ours, theirs in tried.names.items()}
    # What the program itself calls by a name that is now taken gets out of the way.
    return fenced(renamed(code, {ours: f"{ours}-" for ours in new.values()} | new))


def _heads_asked(task: Task) -> frozenset[str]:
    """The functions that a question calls."""
    try:
        return frozenset().union(*(heads_used(read_forms(text)) for text in task_code(task)))
    except ReadError:
        return frozenset()
