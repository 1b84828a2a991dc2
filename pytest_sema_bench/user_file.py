"""Files that people write: YAML that knows its lines, checked against a JSON schema.

One reader for all of them, so that what is wrong in one is always told alike: file, line, what
was found, what was expected. A schema may say the latter in words, under `expected`.
"""

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from yaml.constructor import ConstructorError

from pytest_sema_bench.errors import FileError

Where = Sequence[str | int]
"""The way from the top of a file to a place in it: `("grade", "cases", 0, "call")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """A file that was read, and where in it everything stands."""

    path: Path
    data: Any
    """Tables, lists, text, finite numbers, true, false and None."""
    root: yaml.Node | None
    error: type[FileError] = FileError

    def fail(self, where: Where, message: str) -> NoReturn:
        """Raise the file's error for a place in it."""
        raise self.error(self.path, self.line(where), message)

    def check(self, schema: Path) -> None:
        """Raise the file's error for the first thing in it that breaks the schema."""
        faults = [
            # A key that is missing is most often one that is misspelt, so that comes last.
            (fault.validator in ("required", "anyOf"), self._line(fault), explain(fault))
            for fault in _validator(schema).iter_errors(self.data)
        ]
        if faults:
            _, line, message = min(faults)
            raise self.error(self.path, line, message)

    def line(self, where: Where) -> int:
        """The line of the deepest node along `where`; for a table's entry that of its key."""
        node = self.root
        line = node.start_mark.line + 1 if node else 1
        for part in where:
            if isinstance(node, yaml.MappingNode):
                # From behind: what `<<` takes over from elsewhere stands before a table's own keys.
                found = [(key, value) for key, value in node.value if key.value == str(part)]
                if not found:
                    break
                line, node = found[-1][0].start_mark.line + 1, found[-1][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line

    def text_line(self, key: str) -> int:
        """The line on which a top-level entry's text begins; of a block that below its `|`."""
        entries = self.root.value if isinstance(self.root, yaml.MappingNode) else []
        node = next((value for name, value in entries if name.value == key), None)
        return 1 if node is None else node.start_mark.line + 1 + (node.style in ("|", ">"))

    def _line(self, fault: ValidationError) -> int:
        unknown = _unknown_key(fault)
        return self.line([*fault.absolute_path, *([unknown[0]] if unknown else [])])


def read_yaml(path: Path, *, error: type[FileError] = FileError, as_text: bool = False) -> UserFile:
    """The file's one document. Raises `error` with the line of what is wrong.

    `as_text` takes each scalar as the text that stands there: 1 and true may be Sema source. Dates
    are text in any case, and so are keys.
    """
    loader = None
    try:
        text = path.read_text(encoding="utf-8")
        loader = _loader_class(_base(text), as_text)(text)
        root = loader.get_single_node()
        data = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        said = fault.problem if isinstance(fault, _Refused) else f"not YAML: {fault.problem}"
        raise error(path, mark.line + 1 if mark else 1, str(said)) from fault
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError, RecursionError) as fault:
        raise error(path, 1, f"cannot be read: {fault}") from fault
    finally:
        if loader is not None:
            loader.dispose()
    return UserFile(path=path, data=data, root=root, error=error)


class _Refused(ConstructorError):
    """YAML, but not what a file of ours may hold."""

    def __init__(self, message: str, node: yaml.Node) -> None:
        super().__init__(None, None, message, node.start_mark)


def _base(text: str) -> Any:
    """The safe loader of libyaml where PyYAML was built with it: ten times as fast.

    Text that may be nested by the thousand is left to PyYAML's own: libyaml's would end the
    process by a stack overflow where the other raises RecursionError.
    """
    may_be_deep = text.count("[") + text.count("{") > 2000 or max(map(len, text.split("\n"))) > 2000
    return yaml.SafeLoader if may_be_deep else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _loader_class(base: Any, as_text: bool) -> Any:
    """A loader that takes each key once and as text, and no number that JSON cannot hold."""

    class Loader(base):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise _Refused("a key must be a plain word", key)
                if key.value in seen:
                    raise _Refused(f"the key {key.value!r} stands here a second time", key)
                seen.add(key.value)
            self.flatten_mapping(node)
            return {key.value: self.construct_object(value, deep) for key, value in node.value}

    def number(loader: Any, node: yaml.ScalarNode) -> float:
        value: float = loader.construct_yaml_float(node)
        if not math.isfinite(value):
            raise _Refused(f"found {node.value}, expected a number that is finite", node)
        return value

    def text(loader: Any, node: yaml.ScalarNode) -> str | None:
        # Plain and without a letter, it is the `nothing` that a comment or a line end leaves.
        return node.value if node.value or node.style in ("'", '"', "|", ">") else None

    if as_text:
        Loader.yaml_implicit_resolvers = {}
        Loader.add_constructor("tag:yaml.org,2002:str", text)
    else:
        Loader.add_constructor("tag:yaml.org,2002:float", number)
        Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_yaml_str)
    return Loader


@cache
def _validator(schema: Path) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema.read_text("utf-8")))


def explain(fault: ValidationError) -> str:
    """What was found in a place, and what the schema expects there."""
    place, instance = _place(fault.absolute_path), fault.instance
    if unknown := _unknown_key(fault):
        name, known = unknown
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{place}: unknown key {name!r}; {hint}known keys are {', '.join(known)}"
    if fault.validator == "required":
        return f"{place}: {fault.message.removesuffix(' is a required property')} is missing"
    if instance is None and fault.absolute_path:
        return f'{place} is empty; a `#` starts a comment in YAML, so write "#t" with quotes'
    return f"{place}: found {_shown(instance)}, expected {_expected(fault)}"


_TYPE_NAMES = {
    "array": "a list",
    "object": "a table",
    "string": "text; put it in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_BOUNDS = {
    "minimum": "a number of {} or more",
    "exclusiveMinimum": "a number above {}",
    "maximum": "a number of {} or less",
    "minItems": "at least {} of them",
}


def _expected(fault: ValidationError) -> str:
    """What the schema wants instead, in its own words where it has some."""
    schema, rule = fault.schema, str(fault.validator)
    wanted: Any = fault.validator_value
    if isinstance(schema, Mapping) and "expected" in schema:
        return str(schema["expected"])
    if rule == "type":
        return " or ".join(_TYPE_NAMES[name] for name in _listed(wanted))
    if rule == "enum":
        return f"one of {', '.join(map(str, wanted))}"
    if rule == "minLength":
        return "some text"
    return _BOUNDS.get(rule, f"what fits {rule} {{}}").format(wanted)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _place(path: Sequence[str | int] | Any) -> str:
    """The way to a place as people write it: `grade.cases[0].call`."""
    parts: Iterator[str] = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return "".join(parts).removeprefix(".") or "the file"


def _unknown_key(fault: ValidationError) -> tuple[str, list[str]] | None:
    """The first key that the schema does not know, and those that it does."""
    table, schema = fault.instance, fault.schema
    if fault.validator != "additionalProperties" or not isinstance(table, Mapping):
        return None
    known = sorted(schema["properties"]) if isinstance(schema, Mapping) else []
    return str(next(key for key in table if key not in known)), known
