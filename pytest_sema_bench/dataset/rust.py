"""Reads the test macros of Sema's Rust files: names and inputs of their cases.

Rust's own rules decide what is a comment, a string or a bracket; all else is passed over. Nothing
is run, and a file that no compiler would take costs time in proportion to its length.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.dataset.checkout import read_source
from pytest_sema_bench.errors import FileError

MACROS = ("eval_tests", "eval_error_tests")
_OPEN, _CLOSE = "([{", ")]}"
# A prefix before a quote makes bytes (b) or a C string (c); `r` and any number of # a raw string.
# A quote mark opens a character only where another closes it: `'a` alone is a lifetime.
_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
      | (?P<comment>/\*)
      | (?P<raw>(?P<raw_prefix>[bc]?)r(?P<hashes>\#*)")
      | (?P<text>(?P<prefix>[bc]?)")
      | (?P<char>b?'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F_]{1,8}\}|x..|[^ux\n]))')
      | (?P<word>(?:r\#)?\w+)
      | (?P<sign>=>|.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# To the first quote that no backslash escapes.
_TEXT_REST = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*+"', re.DOTALL)
# At the end of a line a backslash swallows the line end and the blanks that follow.
_ESCAPE = re.compile(
    r"\\(?:u\{(?P<u>[0-9a-fA-F_]+)\}|x(?P<x>[0-7][0-9a-fA-F])|\n\s*|(?P<c>.))", re.S
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class RustCase:
    """One case of a macro."""

    macro: str
    name: str
    input: str | None
    """The text of the input; None where it is not a text that stands there."""
    fault: str | None = None
    """Why there is no text."""
    expected: str | None = None
    """What is expected, if that is a text that stands there."""
    line: int
    first: str
    """The name of the first case in the same use of the macro."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def read_cases(path: Path) -> Iterator[RustCase]:
    """All cases in a file, in order. Raises FileError where it is no Rust."""
    source = read_source(path)
    if not any(f"{macro}!" in source for macro in MACROS):
        return
    tokens = list(_tokens(path, source))
    for index in range(len(tokens) - 2):
        macro, mark, opening = tokens[index : index + 3]
        if macro.text in MACROS and mark.text == "!" and opening.text in _OPEN:
            body = _body(path, tokens, index + 2)
            entries = [entry for entry in _entries(body) if entry]
            for entry in entries:
                yield _case(macro.text, entry, first=entries[0][0].text)


def _tokens(path: Path, source: str) -> Iterator[_Token]:
    position, line = 0, 1
    while found := _TOKEN.match(source, position):
        kind, end = found.lastgroup, found.end()
        if found["comment"]:
            kind, end = "blank", _comment_end(path, source, end, line)
        elif found["raw"] is not None:
            closing = '"' + found["hashes"]
            end = source.find(closing, end) + len(closing)
            kind = "bytes" if found["raw_prefix"] else "text"
            text = source[found.end() : end - len(closing)]
        elif found["text"] is not None:
            rest = _TEXT_REST.match(source, end)
            end = rest.end() if rest else 0
            kind = "bytes" if found["prefix"] else "text"
            text = _ESCAPE.sub(_unescaped, source[found.end() : end - 1])
        else:
            text = found[0]
        if end <= position:
            raise FileError(path, line, "a string is never closed, so this is no Rust")
        if kind not in (None, "blank"):
            yield _Token(str(kind), text, line)
        line += source.count("\n", position, end)
        position = end


def _unescaped(found: re.Match[str]) -> str:
    if code := found["u"] or found["x"]:
        number = int(code.replace("_", ""), 16)
        return chr(number) if number <= 0x10FFFF else found[0]
    return _ESCAPES.get(found["c"], found[0]) if found["c"] else ""


def _comment_end(path: Path, source: str, position: int, line: int) -> int:
    """Where a comment ends that may hold others."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(source, position)
        if edge is None:
            raise FileError(path, line, "a comment is never closed, so this is no Rust")
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _body(path: Path, tokens: Sequence[_Token], start: int) -> Sequence[_Token]:
    """What stands between the bracket at `start` and the one that closes it."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].kind == "sign":
            depth += (tokens[index].text in _OPEN) - (tokens[index].text in _CLOSE)
        if not depth:
            return tokens[start + 1 : index]
    raise FileError(path, tokens[start].line, "a bracket is never closed, so this is no Rust")


def _entries(body: Sequence[_Token]) -> Iterator[list[_Token]]:
    """The tokens of each entry: commas part them, but for those in brackets."""
    entry: list[_Token] = []
    depth = 0
    for token in body:
        if token.kind == "sign":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if token.kind == "sign" and token.text == "," and not depth:
            yield entry
            entry = []
        else:
            entry.append(token)
    yield entry


def _case(macro: str, entry: Sequence[_Token], first: str) -> RustCase:
    """`name: input` or `name: input => expected`."""
    arrows = (i for i, token in enumerate(entry) if token.kind == "sign" and token.text == "=>")
    arrow = next(arrows, len(entry))
    named = entry[1:2] and entry[1].text == ":"
    text, fault = _text(entry[2:arrow]) if named else (None, "has no name")
    return RustCase(
        macro=macro,
        name=entry[0].text,
        input=text,
        fault=fault,
        expected=_text(entry[arrow + 1 :])[0],
        line=entry[0].line,
        first=first,
    )


def _text(given: Sequence[_Token]) -> tuple[str | None, str | None]:
    """The text that an expression is, or why it is none: a literal, or `concat!` of some."""
    kinds = [token.kind for token in given]
    if kinds == ["text"]:
        return given[0].text, None
    if "bytes" in kinds:
        return None, "the input is bytes"
    if [token.text for token in given[:2]] == ["concat", "!"] and len(given) > 3:
        inside = [token for token in given[3:-1] if token.text != "," or token.kind == "text"]
        if all(token.kind == "text" for token in inside):
            return "".join(token.text for token in inside), None
    return None, "the input is no text, but an expression of Rust"
