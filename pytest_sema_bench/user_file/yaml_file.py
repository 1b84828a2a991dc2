"""YAML as people may write it for us: each key once and as text, no number that JSON cannot hold.

Read node by node and not by PyYAML's constructors: that is what knows the lines, and in files of
this size it is the faster way.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from pytest_sema_bench.errors import FileError
from pytest_sema_bench.user_file.file import UserFile, Where

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_BRACKET = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"^[ ?:-]+", re.MULTILINE)
"""What opens lists and tables without brackets: blanks, and the marks of items and keys."""
_DEEP = 1000
_POWER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
"""A number as everybody writes it, 1e-9, which YAML 1.1 takes for text."""
_QUOTED = ("'", '"', "|", ">")
_SCALARS = SafeConstructor()


def read_yaml(path: Path, *, error: type[FileError] = FileError, as_text: bool = False) -> UserFile:
    """The file's one document, None where it is empty. Raises `error` with a line.

    `as_text` takes each scalar as the text that stands there: 1 and true may be Sema source. Keys
    are text in any case, and so are dates.
    """
    loader = None
    try:
        text = path.read_text(encoding="utf-8")
        loader = _loader_class(text)(text)
        root = loader.get_single_node()
        data = None if root is None else _Builder(as_text).build(root)
    except _Refused as fault:
        raise error(path, fault.line, fault.message) from fault
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else 1
        raise error(path, line, f"not YAML: {fault.problem}") from fault
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as fault:
        raise error(path, 1, f"cannot be read: {fault}") from fault
    finally:
        if loader is not None:
            loader.dispose()
    return UserFile(path=path, data=data, lines=_YamlLines(root), error=error)


def _loader_class(text: str) -> Any:
    """The safe loader of libyaml where PyYAML was built with it: ten times as fast.

    Text that may be nested by the thousand is left to PyYAML's own: libyaml's would end the
    process by a stack overflow where the other raises RecursionError.
    """
    deepest = depth = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    deepest = max([deepest, *map(len, _INDENT.findall(text))])
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return fast if deepest < _DEEP else yaml.SafeLoader


class _Refused(Exception):
    """YAML, but not what a file of ours may hold."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line = node.start_mark.line + 1
        self.message = message


class _Builder:
    """Makes data of nodes."""

    def __init__(self, as_text: bool) -> None:
        self._as_text = as_text
        self._built: dict[int, Any] = {}
        """Lists and tables by node, for aliases; None for those that are not yet whole."""

    def build(self, node: yaml.Node) -> Any:
        """The data of a node. Raises _Refused."""
        if isinstance(node, yaml.ScalarNode):
            return _as_written(node) if self._as_text else _scalar(node)
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            raise _Refused(node, f"the tag {node.tag} cannot stand here; expected plain YAML")
        known = self._built.setdefault(id(node), ...)
        if known is None:
            raise _Refused(node, "holds itself, by an alias")
        if known is not ...:
            return known
        # Under way: whoever comes by here again is inside of it, by an alias.
        self._built[id(node)] = None
        if isinstance(node, yaml.MappingNode):
            data: Any = self._table(node)
        else:
            data = [self.build(item) for item in node.value]
        self._built[id(node)] = data
        return data

    def _table(self, node: yaml.MappingNode) -> dict[str, Any]:
        table: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(key, "a key must be a plain word")
            if key.value in table:
                raise _Refused(key, f"the key {key.value!r} stands here a second time")
            if key.tag == _MERGE:
                parts = self.build(value)
                for part in parts if isinstance(parts, list) else [parts]:
                    if not isinstance(part, dict):
                        raise _Refused(value, "`<<` takes over tables only")
                    # Of several tables the first counts, as in YAML's own merge.
                    merged = part | merged
            else:
                table[key.value] = self.build(value)
        return merged | table if merged else table


def _as_written(node: yaml.ScalarNode) -> str | None:
    # Plain and without a letter, it is the nothing that a comment or a line end leaves.
    return node.value if node.value or node.style in _QUOTED else None


def _scalar(node: yaml.ScalarNode) -> Any:
    """Text, number, true, false or None. Raises _Refused for what JSON does not have."""
    kind = node.tag.removeprefix(_TAG)
    if kind == "str" and node.style not in _QUOTED and _POWER.fullmatch(node.value):
        kind = "float"
    if kind in ("str", "timestamp", "value"):
        return node.value
    if kind not in ("null", "bool", "int", "float"):
        raise _Refused(node, f"the tag {node.tag} cannot stand here; expected plain YAML")
    try:
        value = getattr(_SCALARS, f"construct_yaml_{kind}")(node)
    except (ValueError, OverflowError, KeyError) as error:
        raise _Refused(node, f"found {node.value[:40]}, expected a number: {error}") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused(node, f"found {node.value}, expected a number that is finite")
    return value


@dataclass(frozen=True, slots=True)
class _YamlLines:
    root: yaml.Node | None

    def line(self, where: Where) -> int:
        """See `Lines`."""
        return self._find(where)[0]

    def text_line(self, where: Where) -> int:
        """See `Lines`."""
        _, node = self._find(where)
        is_block = getattr(node, "style", None) in ("|", ">")
        return 1 if node is None else node.start_mark.line + 1 + is_block

    def _find(self, where: Where) -> tuple[int, Any]:
        node: Any = self.root
        line = node.start_mark.line + 1 if node else 1
        for part in where:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line, node
