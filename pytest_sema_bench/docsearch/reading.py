"""YAML files read node by node, so that whatever is wrong in one is told with its line.

Scalars are taken as the text that stands there: `1`, `nil` and `true` are Sema source here,
not numbers and truth values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from pytest_sema_bench.errors import BenchError

_NULL = "tag:yaml.org,2002:null"


class DocsError(BenchError):
    """A file of the documentation is malformed. Prints as `path:line: message`."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a YAML file; its methods raise DocsError if something else stands there."""

    path: Path
    node: yaml.Node
    where: str
    """What stands here, for messages: `entries[3].examples`."""
    line: int
    """The line on which the node begins, from 1; of a table's value that of its key."""

    def fail(self, message: str) -> NoReturn:
        """Raise DocsError for this place."""
        raise DocsError(self.path, self.line, f"{self.where}: {message}")

    def text(self) -> str:
        """The scalar as it is written, without the space around it."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"found {_kind(self.node)}, expected text; put it in quotes")
        text = str(self.node.value).strip()
        if not text and (self.node.style is None or self.node.tag == _NULL):
            self.fail('is empty; a `#` starts a comment in YAML, so write "#t" with quotes')
        return text

    def items(self) -> Iterator["Place"]:
        """The elements of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"found {_kind(self.node)}, expected a list")
        for index, node in enumerate(self.node.value):
            yield Place(self.path, node, f"{self.where}[{index}]", _line(node))

    def texts(self) -> tuple[str, ...]:
        """The elements of a list of texts."""
        return tuple(item.text() for item in self.items())

    def table(self, required: frozenset[str], optional: frozenset[str]) -> dict[str, "Place"]:
        """The values of a table by key, which must be among those named."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"found {_kind(self.node)}, expected a table")
        found: dict[str, Place] = {}
        known = required | optional
        for key, value in self.node.value:
            place = Place(self.path, key, self.where, _line(key))
            name = str(key.value)
            if name not in known:
                place.fail(f"unknown key {name!r}; known keys are {', '.join(sorted(known))}")
            if name in found:
                place.fail(f"the key {name!r} stands here a second time")
            where = f"{self.where}.{name}".removeprefix("the file.")
            found[name] = Place(self.path, value, where, _line(key))
        if missing := sorted(required - set(found)):
            self.fail(f"{missing[0]!r} is missing")
        return found


def read_place(path: Path) -> Place:
    """The file's one document. Raises DocsError if it cannot be read or holds nothing."""
    loader: Any = None
    try:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocsError(path, mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DocsError(path, 1, f"cannot be read: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()
    if root is None:
        raise DocsError(path, 1, "the file is empty")
    return Place(path, root, "the file", _line(root))


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a table"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"the text {str(node.value)[:40]!r}"
