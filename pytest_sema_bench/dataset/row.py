"""A row of a data set, and files of rows: JSON Lines, one row a line.

`row.schema.json` beside this file says what a line may hold; whether a row is true is for the VM.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import FileError
from pytest_sema_bench.records.transcript import ChatMessage
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.sema.vm import ErrorClass
from pytest_sema_bench.user_file import UserFile, Where

BENCHMARK = "benchmark"
"""The tag of what was made from the benchmark's own tasks."""


class Source(StrEnum):
    """Where rows come from; each is a command of `sema-bench dataset`."""

    EXTRACT = "extract"
    FUZZ = "fuzz"
    EXAMPLES = "examples"
    DOCS = "docs"
    TASKS = "tasks"
    TRACES = "traces"
    DESCRIBE = "describe"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """The error that a row's code ends in."""

    kind: ErrorClass
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A program, what the VM made of it, and what a model would be asked to write it."""

    source: Source
    licence: str
    """An SPDX expression, such as `MIT`."""
    family: str
    """File, entry, task or seed function that it comes from; a split never parts a family."""
    prompt: str | None = None
    """What is asked; None where nobody has said it yet."""
    code: str
    value: str | None = None
    """As the VM prints it; None for nil, a definition and an error."""
    output: tuple[str, ...] = ()
    """The lines that it prints."""
    error: RowError | None = None
    vm: str
    """The version of Sema that ran it."""
    tags: tuple[str, ...] = ()
    messages: tuple[ChatMessage, ...] = ()
    """Of a trace its conversation; each message of the assistant has a `weight` of 0 or 1."""
    tools: tuple[dict[str, Any], ...] = ()
    """The tools that were offered in it, as the chat API takes them."""
    dispreferred: tuple[ChatMessage, ...] = ()
    """Of a pair what is worse than the last of `messages`, in its place."""

    @property
    def id(self) -> str:
        """Twenty digits that the source, the code and a trace's messages decide."""
        content = json.dumps([self.source, self.code, self.messages, self.dispreferred])
        return hashlib.sha256(content.encode()).hexdigest()[:20]

    def to_json(self) -> str:
        """Its line without the line end; what is absent or empty is left out."""
        error = self.error and {"class": self.error.kind.value, "message": self.error.message}
        content = {"id": self.id, **{name: getattr(self, name) for name in _FIELDS}, "error": error}
        kept = {key: value for key, value in content.items() if value not in (None, ())}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


_FIELDS = tuple(Row.__dataclass_fields__)


def read_rows(path: Path) -> list[Row]:
    """All rows of a file; empty lines count for nothing. Raises FileError with the line."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise FileError(path, 1, f"cannot be read: {error.strerror or error}") from error
    return [read_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a file of rows, which stands at `path` once it is whole."""
    # Half a character, as models write it, becomes the escape that JSON has for it.
    with whole_file(path, errors="backslashreplace") as file:
        file.writelines(f"{row.to_json()}\n" for row in rows)


@dataclass(frozen=True, slots=True)
class _OneLine:
    number: int

    def line(self, where: Where) -> int:
        """See `Lines`."""
        return self.number

    text_line = line


def line_file(path: Path, number: int, data: Any) -> UserFile:
    """What stands on one line of a file, to be checked against a schema."""
    return UserFile(path=path, data=data, lines=_OneLine(number))


def read_row(path: Path, number: int, line: bytes) -> Row:
    """The row on one line of a file. Raises FileError."""
    try:
        data = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileError(path, number, f"not JSON: {error}") from error
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if value is not None}
    line_file(path, number, data).check(_schema())
    made = {key: _frozen(value) for key, value in data.items() if key != "id"}
    made["source"] = Source(data["source"])
    if told := data.get("error"):
        made["error"] = RowError(kind=ErrorClass(told["class"]), message=told["message"])
    return Row(**made)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _schema() -> Path:
    return Path(str(files("pytest_sema_bench.dataset"))) / "row.schema.json"
