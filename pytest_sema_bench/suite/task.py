"""A task as its YAML file tells it: what is asked, how it is graded, what proves it.

The format is DESIGN section 3, as a JSON schema in `task.schema.json` beside the bundled suites.
A file that breaks it raises `TaskError` with path and line.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import SettingsError, TaskError
from pytest_sema_bench.records.suite import level_name
from pytest_sema_bench.sema.reader import single_datum
from pytest_sema_bench.suite.folder import (
    Suite,
    find_task_files,
    is_level_folder,
    schema_file,
    suite_of,
)
from pytest_sema_bench.suite.selection import slug_of
from pytest_sema_bench.user_file import UserFile, Where, read_yaml


class GradeKind(Enum):
    """What an answer to the task is."""

    PROGRAM = "program"
    EXPRESSION = "expression"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check of an answer, in a fresh interpreter."""

    given: str | None = None
    """Source that is loaded before the answer."""
    call: str | None = None
    """Source that is evaluated after the answer; None where the answer's own value counts."""
    equals: tuple[str, ...] = ()
    """Sources of the values that count; () if only the output does."""
    prints: tuple[str, ...] = ()
    prints_all: bool = False
    """Whether nothing but `prints` may be printed; of a data set's row, no file can say it."""
    numeric: bool = False
    tolerance: float = 0.0
    public: bool = False
    line: int = field(default=1, compare=False)
    """Its line in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAnswer:
    """A plausible wrong answer, which the suite proves to fail."""

    why: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """Mutants of the reference that are right answers too, so that no case can catch them."""

    mutant: str
    """The mutant's id as `tasks check` prints it; without ` -> …` all that change this form."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task, read and checked."""

    id: str
    level: str | None
    """`L2`; None in a file that does not belong to a level."""
    category: str | None
    prompt: str
    kind: GradeKind
    cases: tuple[Case, ...]
    """For a VALUE task one case without a call."""
    strict: bool = False
    requires: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    reference: str | None = None
    reference_line: int = 1
    """Line of the reference's first line in the file."""
    wrong: tuple[WrongAnswer, ...] = ()
    equivalent: tuple[Equivalent, ...] = ()
    suite: Suite | None = None
    """None for a file that no suite.yaml stands above."""
    path: Path
    line: int = 1
    """Line of `prompt:` in the file, where a failed item points to."""
    task_hash: str
    """Hash of all that decides what is asked and what passes; the file's layout does not count."""

    @property
    def slug(self) -> str:
        """The id without level and number: `palindrome` of `L2-05-palindrome`."""
        return slug_of(self.id, self.level)

    @property
    def public_cases(self) -> tuple[Case, ...]:
        """The cases that the model is shown."""
        return tuple(case for case in self.cases if case.public)

    @property
    def full_prompt(self) -> str:
        """The prompt with the public cases as examples: what the model is sent."""
        examples = [line for case in self.public_cases for line in _example_lines(case)]
        if not examples:
            return self.prompt.strip()
        title = "Example:" if len(self.public_cases) == 1 else "Examples:"
        return "\n".join([self.prompt.strip(), "", title, "```sema", *examples, "```"])


def load_tasks(path: Path) -> tuple[Task, ...]:
    """All tasks at or below `path`, in file order.

    Raises TaskError at the first bad file, SettingsError where there is none.
    """
    tasks = tuple(load_task(file) for file in find_task_files(path))
    if not tasks:
        raise SettingsError(f"no task files (*.yaml) at {path}")
    check_unique(tasks)
    return tasks


def check_unique(tasks: Iterable[Task]) -> None:
    """Raises TaskError if two tasks have the same id."""
    seen: dict[str, Path] = {}
    for task in tasks:
        if task.id in seen:
            raise TaskError(task.path, 1, f"id {task.id!r} is taken by {seen[task.id]}")
        seen[task.id] = task.path


def check_one_suite(task: Task, suite: Suite | None) -> None:
    """Raises TaskError if a task is of another suite than those it is to run with."""
    if task.suite and suite and task.suite.folder != suite.folder:
        raise TaskError(
            task.path,
            1,
            f"is of the suite {task.suite.name}, but others of this run are of {suite.name}; "
            f"run one suite at a time, such as --sema-suite={task.suite.name}",
        )


def check_canary(task: Task) -> None:
    """Raises TaskError if the file lacks the text by which its suite is found in training data."""
    canary = task.suite.canary if task.suite else None
    if canary is not None and canary not in task.path.read_text("utf-8"):
        message = f"the suite's canary is missing; add a comment line that holds {canary}"
        raise TaskError(task.path, 1, message)


def load_task(path: Path) -> Task:
    """The task in one file. Raises TaskError with the line of what is wrong."""
    file = read_yaml(path, error=TaskError)
    file.check(schema_file("task"))
    suite = suite_of(path)
    _check_place(file, suite)
    _check_meaning(file)
    return _make(file, suite)


def _check_place(file: UserFile, suite: Suite | None) -> None:
    """Level, folder, file name and id say the same. Raises TaskError."""
    folder, level = file.path.resolve().parent.name, level_name(file.data.get("level"))
    levels = suite.level_names if suite else (folder,) if is_level_folder(folder) else ()
    if suite and folder not in levels:
        names = ", ".join(levels)
        file.fail([], f"a task of the suite {suite.name} lies in a folder of a level: {names}")
    if not levels:
        return
    if level != folder:
        found = "missing" if level is None else level
        file.fail(["level"], f"level is {found}, but the folder is {folder}")
    expected = f"{folder}-{file.path.stem}"
    if file.data["id"] != expected:
        file.fail(["id"], f"id is {file.data['id']!r}, expected {expected} as the file")


def _check_meaning(file: UserFile) -> None:
    """What the schema cannot say. Raises TaskError."""
    grade, kind = file.data["grade"], file.data["grade"]["kind"]
    if kind == "value":
        if "equals" not in grade or "cases" in grade:
            file.fail(["grade"], "a value task needs `equals` and has no `cases`")
        for name in ("requires", "forbids"):
            if name in grade:
                file.fail(["grade", name], f"a value has no code, so `{name}` cannot be checked")
    elif kind == "program":
        if "cases" not in grade or "equals" in grade:
            file.fail(["grade"], "a program task needs `cases`, each with a `call`")
        for index, case in enumerate(grade["cases"]):
            if "call" not in case:
                file.fail(["grade", "cases", index], "a case of a program task needs a `call`")
    elif ("cases" in grade) == ("equals" in grade):
        file.fail(["grade"], "an expression task needs either `equals` or `cases`")
    places: list[tuple[Where, Mapping[str, Any]]] = [(["grade"], grade)]
    places += [(["grade", "cases", n], case) for n, case in enumerate(grade.get("cases", ()))]
    for where, place in places:
        for name in ("equals", "call"):
            for text in _forms(place.get(name)):
                if single_datum(text) is None:
                    file.fail([*where, name], f"{name}: {text!r} is not one whole Sema form")
    if kind != "value" and "strict" in grade:
        file.fail(["grade", "strict"], "`strict` is for value tasks only")


def _forms(value: str | list[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _make(file: UserFile, suite: Suite | None) -> Task:
    data, grade = file.data, file.data["grade"]
    raw_cases = grade.get("cases") or [
        {key: grade[key] for key in ("equals", "numeric", "tolerance") if key in grade}
    ]
    cases = tuple(
        Case(
            **{
                **case,
                "equals": _forms(case.get("equals")),
                "prints": tuple(case.get("prints", ())),
                "numeric": case.get("numeric", "tolerance" in case),
                "line": file.line(
                    ["grade", "cases", n] if "cases" in grade else ["grade", "equals"]
                ),
            }
        )
        for n, case in enumerate(raw_cases)
    )
    return Task(
        id=data["id"],
        level=level_name(data.get("level")),
        category=data.get("category"),
        prompt=data["prompt"],
        kind=GradeKind(grade["kind"]),
        cases=cases,
        strict=grade.get("strict", False),
        requires=tuple(grade.get("requires", ())),
        forbids=tuple(grade.get("forbids", ())),
        reference=data.get("reference"),
        reference_line=file.text_line(["reference"]),
        wrong=tuple(WrongAnswer(**wrong) for wrong in data.get("wrong", ())),
        equivalent=tuple(Equivalent(**entry) for entry in data.get("equivalent", ())),
        suite=suite,
        path=file.path,
        line=file.line(["prompt"]),
        # What is asked and how it is graded: with another reference answer it is the same task.
        task_hash=_hash({key: data.get(key) for key in ("id", "prompt", "grade")}),
    )


def _hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _example_lines(case: Case) -> Iterator[str]:
    if case.given:
        yield from (f"{line}" for line in case.given.strip().splitlines())
    shown = " or ".join(case.equals)
    if case.call and case.equals:
        call = case.call.strip()
        yield f"{call} ; => {shown}"
    elif case.call:
        yield case.call.strip()
    elif case.equals:
        yield f"; your expression => {shown}"
    yield from (f"; prints: {line}" for line in case.prints)
