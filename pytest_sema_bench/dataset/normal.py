"""Programs without what a copy may change: layout, the names it binds, commuting arguments.

Two normal forms of the same text. `shape` makes all names that are not the language's own equal:
a renamed copy has the shape of its original, and so do a few programs that are none. `numbered`
keeps the names apart, in the order in which they appear: programs that agree in it are the same.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pytest_sema_bench.docsearch.corpus import load_corpus
from pytest_sema_bench.sema.names import DEFINERS, NAMED_LET, local_names, names_bound
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_forms

OWN = "_"
"""What stands for a name that the program gave."""
_COMMUTES = frozenset({"+", "*", "=", "equal?", "eq?", "and", "or", "min", "max", "gcd", "lcm"})
_SYNTAX = DEFINERS | {NAMED_LET, "lambda", "else", "catch", "&", ".", "=>", "_"}
_SPELLINGS = {"lambda": "fn", "defun": "defn", "list/length": "length", "#t": "true", "#f": "false"}
_CLOSERS = {"(": ")", "[": "]", "{": "}", "#(": ")", "#u8(": ")"}


@dataclass(frozen=True, slots=True)
class Normal:
    """The two normal forms of a program, as tokens."""

    shapes: tuple[tuple[str, ...], ...]
    """Of each top-level form its shape."""
    numbered: tuple[str, ...]

    @property
    def shape(self) -> tuple[str, ...]:
        """The whole program's shape."""
        return tuple(token for shape in self.shapes for token in shape)


def normal(code: str) -> Normal | None:
    """A program's normal forms; None for a text that cannot be read."""
    try:
        forms = read_forms(code)
    except ReadError:
        return None
    bound = names_bound(code) | local_names(forms)
    shapes = tuple(_shape(form, bound) for form in forms)
    order: dict[str, str] = {}
    numbered = tuple(
        order.setdefault(token, f"{OWN}{len(order)}") if is_own else token
        for form in forms
        for token, is_own in _tokens(form, bound)
    )
    return Normal(shapes, numbered)


def digest(tokens: tuple[str, ...]) -> str:
    """A hash of a normal form."""
    return hashlib.sha256("\0".join(tokens).encode("utf-8", "replace")).hexdigest()[:20]


@cache
def known_names() -> frozenset[str]:
    """The names that the language has, as the documentation knows them, and its syntax."""
    return frozenset(entry.name for entry in load_corpus().entries) | _SYNTAX


def _is_own(name: str, bound: frozenset[str]) -> bool:
    if name in bound:
        return True
    is_constant = name[0] in ":#\"'" or name[0].isdigit() or name in ("nil", "true", "false")
    signed = len(name) > 1 and name[0] in "+-" and name[1].isdigit()
    # A name with a slash is of a module of the language's, documented or not.
    return not (is_constant or signed or "/" in name or name in known_names())


def _tokens(form: Form, bound: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """The tokens of a form, each with whether it is a name that the program gave."""
    if form.kind is Kind.ATOM:
        own = _is_own(form.text, bound)
        yield form.text if own else _SPELLINGS.get(form.text, form.text), own
    elif form.kind is Kind.PREFIX:
        yield form.text, False
        yield from _tokens(form.children[0], bound)
    elif form.kind is Kind.STRING or (form.kind is Kind.FSTRING and not form.children):
        yield form.text, False
    elif form.kind is Kind.FSTRING:
        yield from _fstring(form, bound)
    else:
        opening = _opening(form)
        yield opening, False
        for child in form.children:
            yield from _tokens(child, bound)
        yield _CLOSERS[opening], False


def _shape(form: Form, bound: frozenset[str]) -> tuple[str, ...]:
    """The shape of a form: all own names alike, arguments that commute in order."""
    if form.kind not in (Kind.LIST, Kind.VECTOR, Kind.MAP, Kind.LAMBDA) or not form.children:
        if form.kind is Kind.PREFIX:
            return (form.text, *_shape(form.children[0], bound))
        return tuple(OWN if own else token for token, own in _tokens(form, bound))
    parts = [_shape(child, bound) for child in form.children]
    if form.kind is Kind.LIST and form.head in _COMMUTES:
        parts[1:] = sorted(parts[1:])
    elif form.kind is Kind.MAP:
        pairs = sorted(zip(parts[::2], parts[1::2], strict=False))
        parts = [part for pair in pairs for part in pair]
    elif form.head in (">", ">=") and len(parts) == 3:
        parts = [(parts[0][0].replace(">", "<"),), parts[2], parts[1]]
    opening = _opening(form)
    return (opening, *(token for part in parts for token in part), _CLOSERS[opening])


def _fstring(form: Form, bound: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """An f-string's text between its interpolations, and those."""
    end = 0
    for child in form.children:
        start = child.start - form.start
        yield form.text[end:start], False
        yield from _tokens(child, bound)
        end = child.end - form.start
    yield form.text[end:], False


def _opening(form: Form) -> str:
    return {Kind.VECTOR: "[", Kind.MAP: "{", Kind.LAMBDA: "#(", Kind.BYTES: "#u8("}.get(
        form.kind, "("
    )
