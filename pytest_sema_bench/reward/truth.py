"""What an answer is graded against: a row's ground truth, read and checked, and its task."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.reader import ReadError, read_forms
from pytest_sema_bench.suite.task import Case, GradeKind, Task

FORMS = '{"suite", "task"}, or {"program", "value", "output", "reference"}'
_PROGRAM_KEYS = ("program", "value", "output", "reference")


class TruthError(SettingsError):
    """A row's ground truth cannot be graded against: the data set is at fault, no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTruth:
    """A task of a suite."""

    task: str
    suite: str | None = None
    """None for whichever suite has the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTruth:
    """What a program gives once the answer is loaded; see the room's docstring."""

    program: str = ""
    value: str | None = None
    output: tuple[str, ...] | None = None
    """Lines; () for a program that prints nothing."""
    reference: str | None = None

    def as_task(self, kind: GradeKind | None = None) -> Task:
        """The task that this is, for the grader. `kind` is what the answer is, if not code."""
        kind = kind or (GradeKind.PROGRAM if self.program else GradeKind.EXPRESSION)
        equals: tuple[str, ...] = ()
        if self.value is not None:
            # What is printed is data: `(1 2)` is no call. Of a value task all is data.
            is_data = kind is GradeKind.VALUE
            equals = (self.value if is_data else f"(quote {self.value}\n)",)
        content = [kind.value, self.program, self.value, self.output, self.reference]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        case = Case(
            call=_one_form(self.program) if kind is GradeKind.PROGRAM else None,
            equals=equals,
            prints=self.output or (),
            prints_all=self.output is not None,
        )
        return Task(
            id=f"ground truth {digest}",
            level=None,
            category=None,
            prompt="",
            kind=kind,
            cases=(case,),
            reference=self.reference,
            path=Path("ground_truth"),
            task_hash=digest,
        )


Truth = TaskTruth | ProgramTruth


def read_truth(content: Any) -> Truth:
    """The ground truth of an object, or of its JSON. Raises TruthError for what is none."""
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError as error:
            raise _fault(f"the text {content[:80]!r}, which is no JSON") from error
    if not isinstance(content, Mapping):
        raise _fault(f"{content!r:.80}")
    # Columns of a table have all keys in each row.
    given: dict[str, Any] = {key: value for key, value in content.items() if value is not None}
    if "task" in given:
        return TaskTruth(task=_text(given, "task"), suite=_text_or_none(given, "suite"))
    if not given.keys() & {"value", "output"}:
        raise _fault("an object with the keys " + (", ".join(map(repr, given)) or "none"))
    truth = ProgramTruth(
        program=(_text_or_none(given, "program") or "").strip(),
        value=_text_or_none(given, "value"),
        output=_lines(given.get("output")),
        reference=_text_or_none(given, "reference"),
    )
    for name in _PROGRAM_KEYS:
        _check_reads(name, given.get(name))
    return truth


def row_truth(columns: Mapping[str, Any], index: int) -> Truth:
    """The ground truth of a row of a data set's columns. Raises TruthError, naming the row."""

    def cell(name: str) -> Any:
        values = columns.get(name)
        return values[index] if values is not None and index < len(values) else None

    try:
        if (content := cell("ground_truth")) is not None:
            return read_truth(content)
        task = cell("task") if cell("task") is not None else cell("id")
        if task is not None:
            return read_truth({"task": task, "suite": cell("suite")})
    except TruthError as error:
        raise TruthError(f"row {index} of the batch: {error}") from error
    found = ", ".join(sorted(name for name in columns if columns[name] is not None)) or "none"
    raise TruthError(
        f"row {index} of the batch has nothing to be graded against: found the columns {found}; "
        f"expected `ground_truth` ({FORMS}), or `task`, or `id`, with the id of a task"
    )


def _fault(found: str) -> TruthError:
    return TruthError(f"a ground truth is {FORMS}, or that as JSON; found {found}")


def _text(given: Mapping[str, Any], name: str) -> str:
    if not isinstance(given[name], str):
        raise TruthError(f"ground truth: {name} is {given[name]!r:.80}; expected a text")
    return str(given[name])


def _text_or_none(given: Mapping[str, Any], name: str) -> str | None:
    return _text(given, name) if name in given else None


def _lines(output: object) -> tuple[str, ...] | None:
    if output is None:
        return None
    lines = output.splitlines() if isinstance(output, str) else output
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise TruthError(f"ground truth: output is {output!r:.80}; expected a text or lines")
    return tuple(lines)


def _check_reads(name: str, text: object) -> None:
    """Raises TruthError for what no reader of Sema takes, before the VM is asked."""
    if name == "output" or not isinstance(text, str):
        return
    try:
        forms = read_forms(text)
    except ReadError as error:
        raise TruthError(f"ground truth: {name} {text[:80]!r} is no Sema: {error}") from error
    if name == "value" and len(forms) != 1:
        raise TruthError(f"ground truth: value {text[:80]!r} is not one printed value")


def _one_form(program: str) -> str:
    """The program as one form, for a call is one. A line end: it may end in a comment."""
    if len(read_forms(program)) == 1:
        return program
    return f"(begin\n{program}\n)"
