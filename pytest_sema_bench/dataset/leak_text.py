"""Which task of a benchmark a row repeats, as its text shows; nothing is run here.

A program repeats a task if one of its top-level forms has the shape of a form of the task's, or
shares most of its telling runs of eight tokens. The task's forms are those of its reference, of
its wrong answers, and the code in its prompt.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_sema_bench.dataset.normal import OWN, Normal, digest, normal
from pytest_sema_bench.docsearch.corpus import load_corpus
from pytest_sema_bench.suite.task import GradeKind, Task

N_TOKENS = 8
_N_TELLING = 3
"""A run or a shape with fewer tokens than this that are names or constants tells nothing."""
_N_TASKS = 3
"""Runs of so many tasks are how Sema is written, and so are those in its documentation."""
_MIN_SHARED, _MIN_SHARE = 5, 0.7
_OPENING = frozenset({"(", "[", "{", "#("})
_CLOSING = frozenset(")]}")
_CODE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
_WORD = re.compile(r"\w+")
# A canary names itself so; the benchmark's own are known by their number.
_CANARY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A task that a row gives away, and what shows it."""

    task: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What the tasks of some suites say, to hold rows against."""

    tasks: Sequence[Task]

    def leak(self, code: str, prompt: str | None = None) -> Leak | None:
        """The task that a program or its prompt repeats, None if there is none."""
        for canary in _CANARY.findall(f"{code} {prompt or ''}"):
            if canary in self._canaries:
                return Leak(task=self._canaries[canary], why=f"holds the canary {canary}")
        words = set(_word_runs(prompt or ""))
        if found := sorted(self._prompts.keys() & words):
            shared = " ".join(found[0])
            return Leak(task=self._prompts[found[0]], why=f"its prompt says “{shared}” as well")
        program = normal(code)
        return None if program is None else self._same_shape(program) or self._shared_runs(program)

    def _same_shape(self, program: Normal) -> Leak | None:
        for shape in (program.shape, *program.shapes):
            task = self._shapes.get(digest(shape))
            if task is not None:
                return Leak(task=task, why="the same syntax tree but for the names it binds")
        return None

    def _shared_runs(self, program: Normal) -> Leak | None:
        index, sizes = self._runs
        shared = Counter(form for run in set(_runs(program.shape)) for form in index.get(run, ()))
        best = max(shared, key=lambda form: (shared[form] / sizes[form], form), default=None)
        if best is None or shared[best] < max(_MIN_SHARED, _MIN_SHARE * sizes[best]):
            return None
        why = f"{shared[best]} of {sizes[best]} telling runs of {N_TOKENS} tokens of a form"
        return Leak(task=best[0], why=why)

    @cached_property
    def _forms(self) -> Mapping[tuple[str, int], Run]:
        """The shapes of each task's top-level forms."""
        return {
            (task.id, number): shape
            for task in self.tasks
            for number, shape in enumerate(
                shape for text in task_code(task) for shape in _shapes_of(text)
            )
        }

    @cached_property
    def _shapes(self) -> Mapping[str, str]:
        return {
            digest(shape): task
            for (task, _), shape in self._forms.items()
            if _n_telling(shape) >= _N_TELLING + 1
        }

    @cached_property
    def _runs(self) -> tuple[Mapping[Run, set[tuple[str, int]]], Counter[tuple[str, int]]]:
        """The forms by their telling runs, and how many of those each form has."""
        index: defaultdict[Run, set[tuple[str, int]]] = defaultdict(set)
        for form, shape in self._forms.items():
            for run in _runs(shape):
                index[run].add(form)
        documented = {
            run
            for entry in load_corpus().entries
            for example in entry.examples
            for shape in _shapes_of(example.code)
            for run in _runs(shape)
        }
        own = {
            run: forms
            for run, forms in index.items()
            if run not in documented and len({task for task, _ in forms}) < _N_TASKS
        }
        return own, Counter(form for forms in own.values() for form in forms)

    @cached_property
    def _prompts(self) -> Mapping[Run, str]:
        """The tasks by the runs of words that are in one prompt only."""
        owners: defaultdict[Run, set[str]] = defaultdict(set)
        for task in self.tasks:
            for run in _word_runs(_CODE.sub(" ", task.prompt)):
                owners[run].add(task.id)
        return {run: next(iter(ids)) for run, ids in owners.items() if len(ids) == 1}

    @cached_property
    def _canaries(self) -> Mapping[str, str]:
        suites = {task.suite for task in self.tasks if task.suite}
        return {suite.canary: suite.name for suite in suites if suite.canary}


def task_code(task: Task) -> Iterator[str]:
    """The code that is a task's own: of a question the code that it asks about."""
    yield from _CODE.findall(task.prompt)
    if task.kind is not GradeKind.VALUE:
        yield from (text for text in (task.reference, *(w.code for w in task.wrong)) if text)


def _shapes_of(code: str) -> tuple[Run, ...]:
    found = normal(code)
    return found.shapes if found else ()


def _runs(shape: Run) -> Iterator[Run]:
    """The runs of eight tokens that tell something; closing brackets are no tokens here."""
    tokens = tuple(token for token in shape if token not in _CLOSING)
    for start in range(len(tokens) - N_TOKENS + 1):
        run = tokens[start : start + N_TOKENS]
        if _n_telling(run) >= _N_TELLING:
            yield run


def _n_telling(tokens: Iterable[str]) -> int:
    return sum(not (t == OWN or t in _OPENING or t in _CLOSING) for t in tokens)


def _word_runs(text: str) -> Iterator[Run]:
    words = _WORD.findall(text.lower())
    return (tuple(words[i : i + N_TOKENS]) for i in range(len(words) - N_TOKENS + 1))
