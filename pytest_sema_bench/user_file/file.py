"""A file that was read: its data, the lines of everything in it, and its check by a schema."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from pytest_sema_bench.errors import FileError
from pytest_sema_bench.user_file.explain import explain, key_at_fault, place_of, unknown_key

Where = Sequence[str | int]
"""The way from the top of a file to a place in it: `("grade", "cases", 0, "call")`."""


class Lines(Protocol):
    """Knows the lines of a file."""

    def line(self, where: Where) -> int:
        """The line of the deepest thing there is along `where`, from 1; of an entry its key's."""
        ...

    def text_line(self, where: Where) -> int:
        """The line on which the text in a place begins; of a block that below its `|`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """A file, or a table in it."""

    path: Path
    data: Any
    """Tables, lists, text, finite numbers, true, false and None."""
    lines: Lines
    table: tuple[str | int, ...] = ()
    """Where in the file the data stands."""
    error: type[FileError] = FileError

    def part(self, *where: str | int) -> "UserFile":
        """The table in a place; an empty one where nothing stands there."""
        data = self.data
        for index, part in enumerate(where, start=1):
            data = data.get(part, {})
            if not isinstance(data, dict):
                self.fail(where[:index], f"found {data!r}, expected a table")
        return replace(self, data=data, table=(*self.table, *where))

    def only(self, *keys: str) -> "UserFile":
        """The same table without its other keys, which somebody else reads."""
        return replace(self, data={key: self.data[key] for key in keys if key in self.data})

    def expect_keys(self, known: Iterable[str], *, besides: Iterable[str] = ()) -> None:
        """Raise the file's error for a key that is neither known nor somebody else's."""
        for name in self.data:
            if name not in known and name not in besides:
                place, line = place_of(self.table), self.line([name])
                raise self.error(self.path, line, f"{place}: {unknown_key(name, known)}")

    def fail(self, where: Where, message: str) -> NoReturn:
        """Raise the file's error for a place in it."""
        place = place_of([*self.table, *where])
        raise self.error(self.path, self.line(where), f"{place}: {message}")

    def check(self, schema: Path, kind: str | None = None) -> None:
        """Raise the file's error for the first thing in it that breaks a schema.

        `kind` picks one of the schema's definitions. Next to what JSON schema knows, a schema can
        say in words what it wants, under `expected`.
        """
        faults = list(_validator(schema, kind).iter_errors(self.data))
        if faults:
            _, line, message = min(map(self._fault, faults))
            raise self.error(self.path, line, message)

    def line(self, where: Where) -> int:
        """The line of the deepest thing there is along `where`, from 1; of an entry its key's."""
        return self.lines.line([*self.table, *where])

    def text_line(self, where: Where) -> int:
        """The line on which the text in a place begins; of a block that below its `|`."""
        return self.lines.text_line([*self.table, *where])

    def _fault(self, fault: ValidationError) -> tuple[bool, int, str]:
        """Whether it is told last, its line, and what it is about."""
        where, key = list(fault.absolute_path), key_at_fault(fault)
        line = self.line(where if key is None else [*where, key])
        # A key that is missing is most often one that is misspelt, so that comes last.
        last = fault.validator in ("required", "anyOf", "oneOf")
        return last, line, f"{place_of([*self.table, *where])}: {explain(fault)}"


@cache
def _validator(schema: Path, kind: str | None) -> Any:
    content = json.loads(schema.read_text("utf-8"))
    if kind is not None:
        content = {"$defs": content["$defs"], "$ref": f"#/$defs/{kind}"}
    return _Validator(content)


def _is_whole(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# JSON schema takes 2.0 for an integer; `range` and the like do not.
_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole),
)
