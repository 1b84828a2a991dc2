"""The kinds of small change that mutation makes, and which name takes the place of which.

`edits` finds where in a program they apply.
"""

from enum import Enum


class Operator(Enum):
    """A kind of small change."""

    COMPARISON = "comparison"
    ARITHMETIC = "arithmetic"
    FUNCTION = "function"
    LOGIC = "logic"
    NEGATE = "negate"
    BRANCH = "branch"
    CLAUSE = "clause"
    STATEMENT = "statement"
    ARGUMENT = "argument"
    EXCHANGE = "exchange"
    BODY = "body"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    KEYWORD = "keyword"
    EMPTY = "empty"
    ELEMENT = "element"
    DATA = "data"


def _swaps() -> dict[str, tuple[Operator, tuple[str, ...]]]:
    swaps: dict[str, tuple[Operator, tuple[str, ...]]] = {}
    for line in _TABLE.strip().splitlines():
        operator, *names = line.split()
        swaps[names[0]] = Operator(operator), tuple(names[1:])
    for pair in _PAIRS.split(","):
        one, other = pair.split()
        swaps.setdefault(one, (Operator.FUNCTION, (other,)))
        swaps.setdefault(other, (Operator.FUNCTION, (one,)))
    return swaps


# Operator, name, what is put in its place.
_TABLE = """
comparison < <= >=
comparison <= < >
comparison > >= <=
comparison >= > <
arithmetic + -
arithmetic - +
arithmetic * +
arithmetic / *
arithmetic modulo quotient
arithmetic mod quotient
arithmetic remainder quotient
arithmetic quotient modulo
arithmetic expt *
logic and or
logic or and
function null? nil?
function empty? nil?
"""
# Each takes the other's place, unless an earlier line says something else.
_PAIRS = (
    "foldl foldr, first last, car cdr, cadr caddr, caar cdar, cddr cdr, take drop,"
    "take-while drop-while, min max, list/min list/max, filter list/reject, map filter,"
    "any every, every? any?, even? odd?, positive? negative?, integer? number?, floor ceiling,"
    "assoc dissoc, keys vals, char/upcase char/downcase, string/upper string/lower,"
    "string/starts-with? string/ends-with?, string/trim-left string/trim-right"
)

SWAPS = _swaps()
"""For a name the operator that changes it and the names that it becomes."""
