"""Sema values outside the interpreter, and when two of them are equal.

A value is a tree: scalars with their type and text, collections with their elements. The
probe (grading/probe.py) brings it out; comparison happens here, where an answer that redefines
`=` gains nothing.
"""

import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_SEQUENCES = {"list": ("(", ")"), "vector": ("[", "]")}
_NAME = r"[^\s()\[\]{}\"';`,@:#]+"
_NAMES = {
    "symbol": re.compile(rf"(?!-?\d|(?:nil|true|false)$){_NAME}"),
    "keyword": re.compile(rf":{_NAME}"),
}
"""How names print; any other name is shown as what it is, lest it look like another value."""


@dataclass(frozen=True, slots=True)
class Value:
    """A Sema value: scalars hold their text, collections their elements."""

    type: str
    text: str = ""
    items: tuple["Value", ...] = ()
    """Elements of a list or vector; keys and values of a map in turn, sorted by key."""

    def __str__(self) -> str:
        if self.type in _SEQUENCES:
            left, right = _SEQUENCES[self.type]
            return left + " ".join(map(str, self.items)) + right
        if self.type == "map":
            return "{" + " ".join(map(str, self.items)) + "}"
        if self.type == "string":
            return json.dumps(self.text, ensure_ascii=False)
        if self.type in _NAMES and not _NAMES[self.type].fullmatch(self.text):
            return f"#<{self.type} {json.dumps(self.text, ensure_ascii=False)}>"
        return self.text


_MAX_DEPTH = 200
"""A value nested deeper than this is as good as none: comparing it would exhaust the stack."""


def unquote(printed: str) -> str:
    """The text of a printed Sema string; JSON text needs no escape but of quote and backslash."""
    if len(printed) < 2 or printed[0] != '"' or printed[-1] != '"':
        raise ValueError("not a string")
    # Backslashes wait as NUL, lest one that was escaped escapes the quote behind it.
    return printed[1:-1].replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")


def from_tree(tree: Any, depth: int = 0) -> Value:
    """The value of a tree of (type, content). Raises ValueError or TypeError if it is none."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    kind, content = tree
    if kind in _SEQUENCES:
        return Value(kind, items=tuple(from_tree(item, depth + 1) for item in content))
    if kind == "map":
        pairs = sorted(
            (tuple(from_tree(part, depth + 1) for part in pair) for pair in content), key=repr
        )
        return Value(kind, items=tuple(part for pair in pairs for part in pair))
    return Value(str(kind), text=str(content))


def equal(got: Value, expected: Value, *, numeric: bool = False, tolerance: float = 0.0) -> bool:
    """Whether two values are the same: types, structure and content.

    With `numeric`, numbers of any exactness are equal by size, so 5 equals 5.0; with a
    `tolerance`, they may also differ by that much, absolute or relative to the expected.
    """
    if numeric and (a := _number(got)) is not None and (b := _number(expected)) is not None:
        return _close(a, b, tolerance)
    if got.type != expected.type or len(got.items) != len(expected.items):
        return False
    if got.type == "float":
        a, b = float(got.text), float(expected.text)
        # NaN is not even equal to itself, but an answer of NaN is right where NaN is expected.
        return a == b or (math.isnan(a) and math.isnan(b))
    return got.text == expected.text and all(
        equal(one, other, numeric=numeric, tolerance=tolerance)
        for one, other in zip(got.items, expected.items, strict=True)
    )


def _number(value: Value) -> Fraction | float | None:
    """The number, None if it is none or has more digits than Python reads (4,300)."""
    try:
        if value.type == "float":
            return float(value.text)
        if value.type in ("int", "rational"):
            return Fraction(value.text)
    except ValueError:
        pass
    return None


def _close(got: Fraction | float, expected: Fraction | float, tolerance: float) -> bool:
    if got == expected or (got != got and expected != expected):
        return True
    try:
        got, expected = float(got), float(expected)
    except OverflowError:
        return False
    return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
