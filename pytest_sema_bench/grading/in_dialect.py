"""A task and a verdict in a dialect: what a model is asked, and what is said of its answer."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from pytest_sema_bench.dialect import Dialect, Speech
from pytest_sema_bench.dialect.dialect import all_names
from pytest_sema_bench.dialect.prose import FENCED, OURS, about_code, source_in
from pytest_sema_bench.grading.names import names_asked
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.sema.names import all_atoms, names_bound, names_in_data
from pytest_sema_bench.sema.reader import Form, ReadError, read_forms
from pytest_sema_bench.suite.task import Case, GradeKind, Task

# `(define` in a text that is code, a string in a source, a call in backticks in a prompt.
_HEAD = re.compile(r"\(([^\s()\[\]{}\"';`,\\]+)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CALL = re.compile(r"`(\([^`\n]+\))`")
_SIGNS = "+-*/<>="
"""Names that may be meant as the characters that they are."""


@lru_cache(maxsize=512)
def own_names(task: Task) -> frozenset[str]:
    """The names that are the task's own: those that it asks for, and those that its cases give."""
    sema = {name.text for name in all_names()}
    given = frozenset().union(*(names_bound(case.given or "") for case in task.cases))
    # Without a reference nobody knows what a prompt only shows being called; what helps a
    # reference and the prompt does not name is no name of the task.
    asked = names_asked(task) if task.reference else frozenset[str]()
    return frozenset(name for name in asked if name in task.prompt) | (given - sema)


def task_in(task: Task, dialect: Dialect | None) -> Task:
    """The task as a model that writes the dialect is asked it; graded it is as it was."""
    return task if dialect is None else _task_in(task, dialect)


@lru_cache(maxsize=512)
def _task_in(task: Task, dialect: Dialect) -> Task:
    own = own_names(task)

    def code(text: str) -> str:
        return source_in(text, dialect, own)

    def case_in(case: Case) -> Case:
        return replace(
            case,
            given=case.given and code(case.given),
            call=case.call and code(case.call),
            equals=case.equals if task.kind is GradeKind.VALUE else tuple(map(code, case.equals)),
        )

    is_code = task.kind is not GradeKind.VALUE
    return replace(
        task,
        prompt=about_code(task.prompt, dialect, own=own, data=_names_in_data(task)),
        cases=tuple(map(case_in, task.cases)),
        requires=tuple(map(dialect.name, task.requires)),
        forbids=tuple(map(dialect.name, task.forbids)),
        reference=code(task.reference) if task.reference and is_code else task.reference,
    )


def verdict_in(verdict: Verdict, speech: Speech, own: frozenset[str]) -> Verdict:
    """The verdict on an answer in the dialect, in its words."""
    if (dialect := speech.dialect) is None:
        return verdict
    cases = tuple(
        replace(
            case,
            call=source_in(case.call, dialect, own),
            error=case.error and speech.message(case.error),
            failure=case.failure
            and replace(case.failure, name=case.failure.name and speech.name(case.failure.name)),
        )
        for case in verdict.cases
    )
    detail = verdict.detail and dialect.name(verdict.detail)
    return replace(verdict, cases=cases, detail=detail)


def _names_in_data(task: Task) -> frozenset[str]:
    """The names that stand for themselves in the prompt.

    They are those of quoted data and of code in strings, signs of a text, and parameters.
    """
    sema = frozenset(name.text for name in all_names())
    cases = (text for case in task.cases for text in (case.given, case.call, *case.equals))
    sources = [text for text in cases if text]
    strings = "".join(text for source in sources for text in _STRING.findall(source))
    # A list in backticks that calls nothing of Sema's shows a call of the task's, or a value.
    shown = (form for form in _lists_shown(task.prompt) if form.children[0].text not in sema)
    # Beside code in another language a name is mostly that language's.
    ported = any(block["tag"] not in OURS for block in FENCED.finditer(task.prompt))
    return frozenset().union(
        sema.difference(task.requires, task.forbids) if ported else (),
        *map(names_in_data, sources),
        _HEAD.findall(strings),
        filter(strings.__contains__, _SIGNS),
        *map(all_atoms, shown),
    )


def _lists_shown(prompt: str) -> Iterator[Form]:
    for code in _CALL.findall(prompt):
        with suppress(ReadError):
            yield from (form for form in read_forms(code) if form.children)
