"""Reads Sema source text into forms with positions, without running anything.

Used where text must be understood before the VM sees it: which names an answer's code
uses, where code stands in a message, whether a text is one datum. It follows the VM's
reader (1.36.0): `;` comments only, `[…]` vectors, `{…}` maps, `#(…)` short lambdas,
`f"…${…}…"` strings, `#"…"` raw strings, characters after a hash and a backslash.
What the VM reads, this reads as the same forms; some text that the VM refuses (a `|`, an odd
map) is read here all the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache


class Kind(Enum):
    """What a form is, by its delimiters."""

    LIST = "list"
    VECTOR = "vector"
    MAP = "map"
    LAMBDA = "lambda"
    BYTES = "bytes"
    STRING = "string"
    FSTRING = "fstring"
    ATOM = "atom"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form: its text is `source[start:end]`."""

    kind: Kind
    text: str
    """For a PREFIX the prefix itself (' ` , ,@ @), for all others the whole source text."""
    children: tuple["Form", ...] = ()
    """Elements; for an FSTRING the forms that it interpolates, for a PREFIX what it quotes."""
    start: int
    end: int

    @property
    def head(self) -> str | None:
        """The name a list starts with, None if it starts with anything else."""
        if self.kind is Kind.LIST and self.children and self.children[0].kind is Kind.ATOM:
            return self.children[0].text
        return None


class ReadError(Exception):
    """The text is not a sequence of whole forms."""

    def __init__(self, message: str, position: int, *, unfinished: bool = False) -> None:
        super().__init__(message)
        self.position = position
        self.unfinished = unfinished
        """True if more text could have completed it: an open list or string."""


_BLANK = re.compile(r"(?:\s+|;[^\n]*)+")
_SHEBANG = re.compile(r"#![^\n]*")
_SYMBOL = r"""[^\s()\[\]{}"';`,@:]"""
_DECIMAL = r"[0-9]+(?:/[0-9]+|(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
# In this order: `f"` before a symbol f, `#t` and numbers before symbols. A character is a letter
# with what follows, `#\space`, or any one sign, `#\(`.
_TOKEN = re.compile(
    rf"""(?P<open>\#u8\(|\#\(|[(\[{{])
      | (?P<close>[)\]}}])
      | (?P<fstring>f")
      | (?P<string>\#?")
      | (?P<prefix>,@|['`,@])
      | (?P<atom>\#[tf]
          | \#\\(?:[^\W\d_]{_SYMBOL}*|.)
          | \#[xXbBoO][-+]?[0-9A-Za-z]*
          | \#[dDeEiI][-+]?{_DECIMAL}
          | -?{_DECIMAL}
          | :?{_SYMBOL}+
          | :)""",
    re.VERBOSE | re.DOTALL,
)
# To the first quote that no backslash escapes: `"a\"b"` goes on, `"a\\"` ends; in raw strings too.
_STRING_REST = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OPENERS = {
    "(": (Kind.LIST, ")"),
    "[": (Kind.VECTOR, "]"),
    "{": (Kind.MAP, "}"),
    "#(": (Kind.LAMBDA, ")"),
    "#u8(": (Kind.BYTES, ")"),
}
TOO_DEEP = "nested too deeply"
"""What ReadError says of a text that the VM may read all the same."""
_MAX_DEPTH = 200
"""The VM runs hardly any code as deep as this; Python's own stack ends a little later."""


@lru_cache(maxsize=64)
def read_forms(source: str) -> tuple[Form, ...]:
    """All forms of a text. Raises ReadError at the first thing that is not one."""
    forms = []
    shebang = _SHEBANG.match(source)
    position = _skip_blank(source, shebang.end() if shebang else 0)
    while position < len(source):
        form = read_form(source, position)
        forms.append(form)
        position = _skip_blank(source, form.end)
    return tuple(forms)


def read_form(source: str, position: int, depth: int = 0) -> Form:
    """The form that starts at or after `position`. Raises ReadError."""
    position = _skip_blank(source, position)
    token = _TOKEN.match(source, position)
    if token is None:
        if position >= len(source):
            raise ReadError("a form is missing", position, unfinished=True)
        raise ReadError(f"unexpected character {source[position]!r}", position)
    if depth > _MAX_DEPTH:
        raise ReadError(TOO_DEEP, position)
    if opener := token["open"]:
        return _read_collection(source, token.start(), opener, depth)
    if token["close"]:
        raise ReadError(f"unexpected {token['close']!r}", position)
    if token["fstring"]:
        return _read_fstring(source, token.start(), depth)
    if token["string"]:
        end = _string_end(source, token)
        return _make(source, Kind.STRING, token.start(), end)
    if prefix := token["prefix"]:
        inner = read_form(source, token.end(), depth + 1)
        return Form(
            kind=Kind.PREFIX, text=prefix, children=(inner,), start=token.start(), end=inner.end
        )
    return _make(source, Kind.ATOM, token.start(), token.end())


def single_datum(text: str) -> Form | None:
    """The form if the text is exactly one (comments aside), else None."""
    try:
        forms = read_forms(text)
    except ReadError:
        return None
    return forms[0] if len(forms) == 1 else None


def _skip_blank(source: str, position: int) -> int:
    blank = _BLANK.match(source, position)
    return blank.end() if blank else position


def _make(source: str, kind: Kind, start: int, end: int, children: tuple[Form, ...] = ()) -> Form:
    return Form(kind=kind, text=source[start:end], children=children, start=start, end=end)


def _read_collection(source: str, start: int, opener: str, depth: int) -> Form:
    kind, closer = _OPENERS[opener]
    children: list[Form] = []
    position = _skip_blank(source, start + len(opener))
    while position < len(source):
        if source[position] in ")]}":
            if source[position] != closer:
                raise ReadError(f"expected {closer!r}, found {source[position]!r}", position)
            return _make(source, kind, start, position + 1, tuple(children))
        child = read_form(source, position, depth + 1)
        children.append(child)
        position = _skip_blank(source, child.end)
    raise ReadError(f"{opener!r} is never closed", start, unfinished=True)


def _string_end(source: str, opening: re.Match[str]) -> int:
    rest = _STRING_REST.match(source, opening.end())
    if rest is None:
        raise ReadError("a string is never closed", opening.start(), unfinished=True)
    return rest.end()


def _read_fstring(source: str, start: int, depth: int) -> Form:
    children: list[Form] = []
    position = start + 2
    while position < len(source) and source[position] != '"':
        if source.startswith("${", position):
            end = _brace_end(source, position + 2)
            children.extend(_read_interpolation(source, position + 2, end, depth))
            position = end + 1
        else:
            position += 2 if source[position] == "\\" else 1
    if position >= len(source):
        raise ReadError("a string is never closed", start, unfinished=True)
    return _make(source, Kind.FSTRING, start, position + 1, tuple(children))


def _brace_end(source: str, position: int) -> int:
    """The `}` that ends an interpolation; like the VM, it counts braces and reads no strings."""
    n_open = 1
    for index in range(position, len(source)):
        n_open += {"{": 1, "}": -1}.get(source[index], 0)
        if n_open == 0:
            return index
    raise ReadError("'${' is never closed", position, unfinished=True)


def _read_interpolation(source: str, start: int, end: int, depth: int) -> Iterator[Form]:
    try:
        yield _moved(read_form(source[start:end], 0, depth + 1), start)
    except ReadError:
        return


def _moved(form: Form, offset: int) -> Form:
    children = tuple(_moved(child, offset) for child in form.children)
    return replace(form, children=children, start=form.start + offset, end=form.end + offset)
