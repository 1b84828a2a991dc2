"""Finds the answer in a model's final message. The rules are written out in docs/extraction.md.

Code is looked for in fenced blocks first; prose is never taken for code when a block exists.
A value is looked for where people state results: on a marked last line, in a block, in bold
or code after "is", after `=>`.
"""

import re
from dataclasses import dataclass

from pytest_sema_bench.syntax import Form, Kind, ReadError, read_form, read_forms, single_datum

_FENCE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[^\s`]*)[^\n`]*\n"
    r"(?P<body>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_CODE_TAGS = frozenset({"", "sema", "scheme", "lisp", "clojure", "clj", "racket", "elisp"}) | {
    "common-lisp",
    "commonlisp",
    "emacs-lisp",
    "code",
}
_INLINE = re.compile(r"(?P<ticks>`+)(?P<body>[^\n]*?[^`\n])(?P=ticks)(?!`)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What counts as the answer."""

    blocks: tuple[str, ...]
    """Sources in the order they are loaded; for a value one text; () if there is none."""
    rule: str
    """Which rule found it, in the words of docs/extraction.md."""


@dataclass(frozen=True, slots=True)
class _Block:
    tag: str
    body: str
    start: int
    end: int


def extract_code(text: str) -> Extracted:
    """The blocks of code in a message that is to hold a program or an expression."""
    blocks = [block for block in _fenced(text) if block.body.strip()]
    if blocks:
        tagged = [block for block in blocks if block.tag in _CODE_TAGS]
        code = [block for block in tagged if _is_code(block.body)] or tagged
        return Extracted(
            blocks=tuple(block.body.strip("\n") for block in code),
            rule="fenced block" if len(code) == 1 else "fenced blocks, in order",
        )
    if bare := _bare_code(text):
        return Extracted(blocks=(bare,), rule="bare code")
    inline = [m["body"].strip() for m in _INLINE.finditer(text)]
    code_spans = [body for body in inline if _is_code(body)]
    if code_spans:
        return Extracted(blocks=(code_spans[-1],), rule="inline code")
    return Extracted(blocks=(), rule="no code")


def _fenced(text: str) -> list[_Block]:
    return [
        _Block(m["tag"].strip("{}.:").lower(), m["body"], m.start(), m.end())
        for m in _FENCE.finditer(text)
    ]


def _is_code(body: str) -> bool:
    """Whether a block holds at least one form that does something: a list with a name in front.

    A block of output holds only values. Text that cannot be read to the end still counts as
    code if it starts as code does: its author is told that it does not parse.
    """
    try:
        forms = read_forms(body)
    except ReadError:
        return bool(re.search(r"^\s*\(\s*[a-z]", body, re.MULTILINE | re.IGNORECASE))
    return any(form.head is not None and not _numeric_head(form) for form in forms)


def _numeric_head(form: Form) -> bool:
    return bool(form.head and re.fullmatch(r"[-+]?\d.*|#[tf]|:.*", form.head))


def _bare_code(text: str) -> str | None:
    """All top-level forms that start a line with `(name`, joined; None if there is none."""
    forms, position = [], 0
    starts = re.compile(r"^[ \t]*(?=\([^\s()]|'\(|`\(|#\(|->)", re.MULTILINE)
    while found := starts.search(text, position):
        try:
            form = read_form(text, found.end())
        except ReadError as error:
            if error.unfinished and not forms:
                return text[found.end() :].strip()
            position = found.end() + 1
            continue
        if form.kind is Kind.LIST and form.head:
            forms.append(text[form.start : form.end])
        position = max(form.end, found.end() + 1)
    return "\n".join(forms) or None


_LABEL = r"(?:final\s+)?(?:value|answer|result|output)"
_MARKED = re.compile(
    rf"^[\s>*_#-]*{_LABEL}[\s*_]*(?::|=>|→|=)[\s*_]*(?P<value>\S.*)$", re.IGNORECASE | re.MULTILINE
)
_STATED = re.compile(
    r"\b(?:evaluates?\s+to|evaluated\s+to|returns?|gives|yields|produces|result\s+is|value\s+is"
    r"|answer\s+is|output\s+is|prints(?:\s+as)?|is|equals|be)\b[\s:*_]*|(?:=>|⇒|→|==>)\s*",
    re.IGNORECASE,
)
_ARROW = re.compile(r";+\s*(?:=>|⇒|→|==>|->)\s*(?P<value>\S.*)$", re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*(?P<body>[^*\n]+?)\*\*|__(?P<under>[^_\n]+?)__")
_CLOSERS = "*_ \t"


def extract_value(text: str) -> Extracted:
    """The value that a message states, as text."""
    for rule, candidates in (
        ("marked line", _marked_values(text)),
        ("the whole message", [text.strip()]),
        ("fenced block", _block_values(text)),
        ("stated value", _stated_values(text)),
        ("bold or code", _emphasised_values(text)),
    ):
        for candidate in candidates:
            if value := _clean(candidate):
                return Extracted(blocks=(value,), rule=rule)
    return Extracted(blocks=(), rule="no value")


def _clean(candidate: str) -> str | None:
    """The candidate without its decoration if it is one datum, or bare words; else None."""
    text = candidate.strip().strip(_CLOSERS).strip()
    if span := re.match(r"(`+)\s*(.+?)\s*\1", text):
        text = span[2]
    if arrow := re.search(r"(?:;+\s*)?(?:=>|⇒|→|==>)\s*(\S.*)$", text):
        text = arrow[1]
    text = text.strip().strip(_CLOSERS)
    for attempt in (text, text.rstrip(".,;:!")):
        datum = single_datum(attempt)
        if datum is not None:
            while datum.kind is Kind.PREFIX and datum.text == "'":
                datum = datum.children[0]
            return datum.text if datum.kind is not Kind.PREFIX else attempt
    try:
        first = read_form(text, 0)
    except ReadError:
        return None
    if first.kind is Kind.ATOM and re.fullmatch(r"[A-Za-z][\w' ,!-]*[.!]?", text):
        return text
    rest = text[first.end :]
    if first.kind is not Kind.ATOM and re.match(r"\s*(?:[.,;:—–-]|\(|[a-z])", rest):
        return first.text
    if re.match(r"\s*(?:[,;—–]|\(|\.\s|$)", rest):
        return first.text
    return None


def _marked_values(text: str) -> list[str]:
    return [m["value"] for m in _MARKED.finditer(text)][::-1]


def _block_values(text: str) -> list[str]:
    """The last arrow of the blocks, then the blocks that hold one datum, last first."""
    blocks = _fenced(text)
    arrows = [m["value"] for block in blocks for m in _ARROW.finditer(block.body)]
    return arrows[::-1] + [block.body for block in blocks if not _is_code(block.body)][::-1]


def _stated_values(text: str) -> list[str]:
    prose = _FENCE.sub("\n", text)
    candidates = []
    for found in _STATED.finditer(prose):
        rest = prose[found.end() :].split("\n", 1)[0]
        span = re.match(r"[*_\s]*(?P<ticks>`+)\s*(?P<code>.+?)\s*(?P=ticks)", rest)
        bold = re.match(r"[*_]{1,2}(?P<body>[^*\n]+?)[*_]{1,2}", prose[found.end() - 2 :])
        if span:
            candidates.append(span["code"])
        elif bold:
            candidates.append(bold["body"])
        elif re.match(r"[-+\d#:\"'(\[{]|nil\b|true\b|false\b", rest):
            candidates.append(rest)
    return candidates


def _emphasised_values(text: str) -> list[str]:
    bold = [m["body"] or m["under"] for m in _EMPHASIS.finditer(text)]
    code = [m["body"] for m in _INLINE.finditer(text)]
    return [*bold, *code[::-1]]
