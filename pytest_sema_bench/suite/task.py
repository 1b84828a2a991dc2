"""A task as its YAML file tells it: what is asked, how it is graded, what proves it.

The format is DESIGN section 3, as a JSON schema in `task.schema.json` beside the bundled tasks.
A file that breaks it raises `TaskError` with path and line.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.sema.reader import single_datum

LEVELS = (1, 2, 3, 4, 5)


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
    numeric: bool = False
    tolerance: float = 0.0
    public: bool = False


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
    level: int | None
    """1 to 5; None in a file that does not belong to the levels."""
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
    path: Path
    line: int = 1
    """Line of `prompt:` in the file, where a failed item points to."""
    task_hash: str
    """Hash of all that decides what is asked and what passes; the file's layout does not count."""

    @property
    def slug(self) -> str:
        """The id without level and number: `palindrome` of `L2-05-palindrome`."""
        return re.sub(r"^L\d+-\d+-", "", self.id)

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


def bundled_tasks() -> Path:
    """The folder of the suite that comes with the package."""
    inside = Path(str(files("pytest_sema_bench"))) / "tasks"
    return inside if inside.is_dir() else inside.parent.parent / "tasks"


def schema_text() -> str:
    """The JSON schema of a task file, for the check and for editors."""
    return (bundled_tasks() / "task.schema.json").read_text("utf-8")


def find_task_files(path: Path) -> tuple[Path, ...]:
    """The task files at or below `path`, in order."""
    if path.is_file():
        return (path,)
    return tuple(sorted(p for p in path.rglob("*.yaml") if not p.name.startswith(".")))


def load_tasks(path: Path) -> tuple[Task, ...]:
    """All tasks at or below `path`, in file order. Raises TaskError at the first bad file."""
    tasks = tuple(load_task(file) for file in find_task_files(path))
    check_unique(tasks)
    return tasks


def check_unique(tasks: Iterable[Task]) -> None:
    """Raises TaskError if two tasks have the same id."""
    seen: dict[str, Path] = {}
    for task in tasks:
        if task.id in seen:
            raise TaskError(task.path, 1, f"id {task.id!r} is taken by {seen[task.id]}")
        seen[task.id] = task.path


def load_task(path: Path) -> Task:
    """The task in one file. Raises TaskError with the line of what is wrong."""
    root, data = _read_yaml(path)
    if faults := list(_validator().iter_errors(data)):
        # A key that is missing is most often one that is misspelt, so that comes last.
        _, line, message = min(
            (fault.validator in ("required", "anyOf"), _line(root, fault), _explain(fault))
            for fault in faults
        )
        raise TaskError(path, line, message)
    _check_meaning(path, root, data)
    return _make(path, _node_line(root, ["prompt"]), _text_line(root, "reference"), data)


def _read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """The document as nodes, which know their lines, and as data; read once."""
    loader = None
    try:
        text = path.read_text(encoding="utf-8")
        loader = _loader_class(text)(text)
        root = loader.get_single_node()
        _check_keys_once(path, root)
        return root, loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise TaskError(path, mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise TaskError(path, 1, f"cannot be read: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _loader_class(text: str) -> Any:
    """The safe loader of libyaml where PyYAML was built with it: ten times as fast.

    Text that may be nested by the thousand is left to PyYAML's own: libyaml's would end the
    process by a stack overflow where the other raises RecursionError.
    """
    may_be_deep = text.count("[") + text.count("{") > 2000 or max(map(len, text.split("\n"))) > 2000
    return yaml.SafeLoader if may_be_deep else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_keys_once(path: Path, root: yaml.Node | None) -> None:
    """Raises TaskError for a key that stands twice in one mapping; YAML takes the last of them."""
    pending = [root] if root else []
    done: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in done:
            continue  # an alias may lead back to what it stands in
        done.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise TaskError(path, line, "a key must be a plain word")
                if key.value in seen:
                    raise TaskError(path, line, f"the key {key.value!r} stands here a second time")
                seen.add(key.value)
                pending.append(value)
        elif isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_text()))


def _explain(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "the file"
    if unknown := _unknown_key(error):
        name, known = unknown
        return f"{where}: unknown key {name!r}; known keys are {', '.join(known)}"
    if not error.absolute_path and error.validator == "type":
        found = "nothing" if error.instance is None else repr(error.instance)
        return f"found {found}, expected a table with `id`, `prompt` and `grade`"
    if error.validator == "required":
        return f"{where}: {error.message.removesuffix(' is a required property')} is missing"
    if error.validator == "anyOf" and "cases" in error.absolute_path:
        return f"{where}: a case needs `equals`, `prints` or both"
    if error.validator == "oneOf" and error.instance is None:
        return f'{where} is empty; a `#` starts a comment in YAML, so write "#t" with quotes'
    if error.validator == "oneOf" and not isinstance(error.instance, list):
        return f"{where} is not text; put the Sema source of the value in quotes"
    if error.validator == "type" and isinstance(error.validator_value, str):
        return f"{where} is {error.instance!r}, expected {_TYPE_NAMES[error.validator_value]}"
    return f"{where}: {error.message}"


_TYPE_NAMES = {
    "array": "a list",
    "object": "a table",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def _unknown_key(error: ValidationError) -> tuple[str, list[str]] | None:
    """The first key that the schema does not know, and those that it does."""
    table, schema = error.instance, error.schema
    if error.validator != "additionalProperties" or not isinstance(table, Mapping):
        return None
    known = sorted(schema["properties"]) if isinstance(schema, Mapping) else []
    return str(next(key for key in table if key not in known)), known


def _line(root: yaml.Node | None, error: ValidationError) -> int:
    path = [*error.absolute_path]
    if unknown := _unknown_key(error):
        path.append(unknown[0])
    return _node_line(root, path)


def _node_line(node: yaml.Node | None, path: list[Any]) -> int:
    """The line of the deepest node along `path`; for a mapping entry that of its key."""
    line = node.start_mark.line + 1 if node else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _text_line(root: yaml.Node | None, key: str) -> int:
    """The line on which a top-level entry's text begins; of a block that below its `|`."""
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    node = next((value for name, value in entries if name.value == key), None)
    return 1 if node is None else node.start_mark.line + 1 + (node.style in ("|", ">"))


def _check_meaning(path: Path, root: yaml.Node | None, data: dict[str, Any]) -> None:
    """What the schema cannot say. Raises TaskError."""

    def complain(where: list[Any], message: str) -> None:
        raise TaskError(path, _node_line(root, where), message)

    grade, kind = data["grade"], data["grade"]["kind"]
    folder = re.fullmatch(r"L([1-5])", path.parent.name)
    if folder:
        if data.get("level") != int(folder[1]):
            complain(["level"], f"level is {data.get('level')!r}, but the folder is {folder[0]}")
        if data["id"] != f"{folder[0]}-{path.stem}":
            complain(["id"], f"id is {data['id']!r}, expected {folder[0]}-{path.stem} as the file")
    if kind == "value":
        if "equals" not in grade or "cases" in grade:
            complain(["grade"], "a value task needs `equals` and has no `cases`")
        for name in ("requires", "forbids"):
            if name in grade:
                complain(["grade", name], f"a value has no code, so `{name}` cannot be checked")
    elif kind == "program":
        if "cases" not in grade or "equals" in grade:
            complain(["grade"], "a program task needs `cases`, each with a `call`")
        for index, case in enumerate(grade["cases"]):
            if "call" not in case:
                complain(["grade", "cases", index], "a case of a program task needs a `call`")
    elif ("cases" in grade) == ("equals" in grade):
        complain(["grade"], "an expression task needs either `equals` or `cases`")
    places: list[tuple[list[Any], Mapping[str, Any]]] = [(["grade"], grade)]
    places += [(["grade", "cases", n], case) for n, case in enumerate(grade.get("cases", ()))]
    for where, place in places:
        for name in ("equals", "call"):
            for text in _forms(place.get(name)):
                if single_datum(text) is None:
                    complain([*where, name], f"{name}: {text!r} is not one whole Sema form")
    if kind != "value" and "strict" in grade:
        complain(["grade", "strict"], "`strict` is for value tasks only")


def _forms(value: str | list[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _make(path: Path, line: int, reference_line: int, data: dict[str, Any]) -> Task:
    grade = data["grade"]
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
            }
        )
        for case in raw_cases
    )
    return Task(
        id=data["id"],
        level=data.get("level"),
        category=data.get("category"),
        prompt=data["prompt"],
        kind=GradeKind(grade["kind"]),
        cases=cases,
        strict=grade.get("strict", False),
        requires=tuple(grade.get("requires", ())),
        forbids=tuple(grade.get("forbids", ())),
        reference=data.get("reference"),
        reference_line=reference_line,
        wrong=tuple(WrongAnswer(**wrong) for wrong in data.get("wrong", ())),
        equivalent=tuple(Equivalent(**entry) for entry in data.get("equivalent", ())),
        path=path,
        line=line,
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
