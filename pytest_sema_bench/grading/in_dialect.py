"""A task and a verdict in a dialect: what a model is asked, and what is said of its answer."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from pytest_sema_bench.dialect import Dialect, Speech
from pytest_sema_bench.dialect.dialect import all_names
from pytest_sema_bench.dialect.prose import about_code, source_in
from pytest_sema_bench.grading.names import names_asked
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.sema.names import names_bound, names_in_data
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_forms
from pytest_sema_bench.suite.task import Case, GradeKind, Task

# `(define` in a text that is code.
_HEAD = re.compile(r"\(([^\s()\[\]{}\"';`,\\]+)")


def own_names(task: Task) -> frozenset[str]:
    """The names that are the task's own: those that it asks for, and those that its cases give."""
    sema = {name.text for name in all_names()}
    given = frozenset().union(*(names_bound(case.given or "") for case in task.cases))
    # Without a reference nobody knows what a prompt only shows being called.
    asked = names_asked(task) if task.reference else frozenset[str]()
    return asked | (given - sema)


@lru_cache(maxsize=512)
def task_in(task: Task, dialect: Dialect | None) -> Task:
    """The task as a model that writes the dialect is asked it; graded it is as it was."""
    if dialect is None:
        return task
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
    """The names that stand for themselves in the task: in quoted data, or in code in a string."""
    sources = [
        text for case in task.cases for text in (case.given, case.call, *case.equals) if text
    ]
    found = [names_in_data(source) for source in sources]
    found += [frozenset(_heads_in_strings(source)) for source in sources]
    return frozenset().union(*found)


def _heads_in_strings(source: str) -> Iterator[str]:
    try:
        pending: list[Form] = list(read_forms(source))
    except ReadError:
        return
    while pending:
        form = pending.pop()
        pending.extend(form.children)
        if form.kind is Kind.STRING:
            yield from _HEAD.findall(form.text)
