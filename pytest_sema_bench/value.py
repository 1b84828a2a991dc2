"""Sema values as they come out of the interpreter, and when two of them are equal.

A value is a tree of (type, content): `("int", "5")`, `("list", (…))`, `("map", ((k, v), …))`.
The probe (grade/probe.sema) writes such a tree as JSON inside the interpreter; comparison
happens here, outside, where an answer that redefines `=` gains nothing.
"""

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_SEQUENCES = {"list": ("(", ")"), "vector": ("[", "]")}


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
        return self.text


def decode(printed: str) -> Value | None:
    """The value that the probe wrote, from the VM's printed string; None if it is not one."""
    try:
        return _from_json(json.loads(_unquote(printed)))
    except (ValueError, TypeError, IndexError, RecursionError):
        return None


def _unquote(printed: str) -> str:
    """The text of a printed Sema string; JSON text needs no escape but of quote and backslash."""
    if len(printed) < 2 or printed[0] != '"' or printed[-1] != '"':
        raise ValueError("not a string")
    return printed[1:-1].replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")


def _from_json(tree: Any) -> Value:
    kind, content = tree
    if kind in _SEQUENCES:
        return Value(kind, items=tuple(_from_json(item) for item in content))
    if kind == "map":
        pairs = sorted(
            ((_from_json(key), _from_json(value)) for key, value in content),
            key=lambda pair: (pair[0].type, str(pair[0])),
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
        return a == b or (math.isnan(a) and math.isnan(b))
    return got.text == expected.text and all(
        equal(one, other, numeric=numeric, tolerance=tolerance)
        for one, other in zip(got.items, expected.items, strict=True)
    )


def _number(value: Value) -> Fraction | float | None:
    if value.type == "float":
        return float(value.text)
    if value.type in ("int", "rational"):
        return Fraction(value.text)
    return None


def _close(got: Fraction | float, expected: Fraction | float, tolerance: float) -> bool:
    if got == expected:
        return True
    try:
        got, expected = float(got), float(expected)
    except OverflowError:
        return False
    return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
