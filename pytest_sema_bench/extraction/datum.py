"""From a piece of a sentence to the value that it names: decoration off, one datum left.

Knows how people write values in prose (bold, code, LaTeX, a quote in front, words around it);
does not know where in a message a value stands.
"""

import re

from pytest_sema_bench.extraction.message import code_spans
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, single_datum

_WINDOW = 4000
"""Longest value in characters that is looked for in prose."""
ARROW = r"(?:={1,3}>|-{1,3}>|⇒|→|⟹|⟶|↦|➜|➔|≡)"
_EMOJI = r"[\u2600-\u27bf\u2b50\ufe0f\U0001f300-\U0001faff]"
_SKIPPED = re.compile(rf"(?:\s|{_EMOJI}|;+\s|{ARROW}|[:>|•+*-]\s|[=≈]\s|:(?=\*))*+")
_BOLD = re.compile(r"(?P<mark>\*{1,3}|_{1,3})(?=\S)")
_LATEX_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_LATEX_WORD = re.compile(
    r"\\(?:text|texttt|mathtt|mathrm|mathbf|textbf|mathsf|operatorname|verb)\s*\{(?P<body>[^{}]*)\}"
)
_LATEX_SPAN = re.compile(r"(?P<open>\\\(|\\\[|\${1,2}+)(?P<body>[^$]{1,400}?)(?:\\\)|\\\]|\${1,2})")
_NOUN = (
    r"(?:list|vector|array|map|hash-?map|string|symbol|keyword|number|integer|int|float|rational"
    r"|boolean|bool|value|literal|fraction|sequence|character)s?"
)
_FILLER = re.compile(
    r"(?:(?:us|you|me|back|just|simply|exactly|now|therefore|thus|then|indeed"
    r"|(?:printed|written) as)\s+)*+"
    rf"(?:(?:the|a|an|its|true|boolean)\s+)?"
    rf"(?:(?:[a-z][a-z-]*\s+){{0,3}}?{_NOUN}(?:\s+(?:of|value|literal|containing))?[\s:,]+)?"
    r"(?=[`*_\"“‘'(\[{:#$\\+\-\d]|nil\b|true\b|false\b)",
    re.IGNORECASE,
)
_EMPTY = {"list": "()", "string": '""', "vector": "[]", "map": "{}", "hash-map": "{}"}
_EMPTY_WORDS = re.compile(r"(?:(?:an|the)\s+)?empty\s+(list|string|vector|map|hash-map)\b", re.I)
_WORDS = {
    **dict.fromkeys(("true", "#true", "#t"), "#t"),
    **dict.fromkeys(("false", "#false", "#f"), "#f"),
    **dict.fromkeys(("nil", "null", "none"), "nil"),
}
_RAW_WORD = re.compile(r"(?:#?true|#?false|nil|null)\b(?![-/?!\w])", re.IGNORECASE)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})++(?:\.\d+)?(?![\d,])")
_QUOTED = re.compile(r"‘(?P<a>[^’\n]{1,200})’|'(?P<b>[^'()\[\]{}\"`\n]{1,200})'(?![\w'])")
_AFTER_ATOM = re.compile(
    r"[.!?:]?[*_`)\]]*+(?:\s*$|\s*[,;()\[\]—–✅✓✔🎉=→⇒|]|\s*\n|[.!?:]?\s+(?:-|because\b|since\b|as\b"
    r"|which\b|that\b|after\b|when\b|where\b|for\b|and\b|or\b|but\b|here\b|due\b|by\b|with\b|from\b"
    r"|if\b|is\b|in\b|not\b|rather\b|instead\b|so\b|[A-Z]))"
)
_BEFORE_REASON = re.compile(
    r"(?P<value>.{1,400}?)\s*(?:[—–]|\s-\s|[.,;]\s|\s\(|,?\s(?:because|since|which|as)\b)"
)
_TEXT_WORDS = re.compile(r"[A-Za-z][\w'’-]*+(?:[ ,]+[A-Za-z0-9][\w'’-]*+){0,5}[!?]?")
_NAMED_KIND = re.compile(
    r"(?:(?:back|us|you|me|just|simply)\s+)*+(?:(?:the|a)\s+(?:\w+\s+)?(?:string|symbol|keyword|word)\s+)?",
    re.IGNORECASE,
)
_NOT_A_VALUE = re.compile(
    r"(?:an?|the|not|always|as|correct|expected|just|simply|computed|based|this|that|it|what|how"
    r"|i|i'm|sorry|sure|yes|no|here|here's|we|you|let|let's|there|okay|ok|each|all|obtained|equivalent|equal|same|follows?|below|above|shown|given|similar|of|to)\b",
    re.IGNORECASE,
)


def leading_datum(text: str) -> str | None:
    """The value that a piece of text begins with, as Sema source; None if it begins with none."""
    text = text[:_WINDOW]
    text = text[_end(_SKIPPED, text) :]
    if (found := _at_start(text)) is not None:
        return found
    if empty := _EMPTY_WORDS.match(text):
        return _EMPTY[empty[1].lower()]
    filler = _end(_FILLER, text)
    return _at_start(text[filler:]) if filler else None


def whole_datum(text: str) -> str | None:
    """The value if the text holds nothing else, decoration aside; else None."""
    text = _undecorated(text.strip()[:_WINDOW])
    text = _undecorated(text[_end(_SKIPPED, text) :])
    if "\n" not in text:
        span = next(code_spans(text), None)
        if span and span[0] == 0 and not text[span[1] :].strip(" .!✅✓"):
            text = span[2]
    return value_of(text)


def line_datum(line: str) -> str | None:
    """The value that a line holds, alone or before a dash, a bracket or a reason."""
    if (value := whole_datum(line)) is not None:
        return value
    found = None if re.match(r"\s*\d+[.)]\s", line) else _BEFORE_REASON.match(line[:1000])
    return whole_datum(found["value"]) if found else None


def words(text: str) -> str | None:
    """The words of a line if they can be a string without its quotes; else None."""
    text = _undecorated(text.strip(" \t\n:")[:_WINDOW]).strip("`").strip().rstrip(".")
    text = text[_end(_NAMED_KIND, text) :]
    if quoted := _QUOTED.fullmatch(text):
        text = quoted["a"] or quoted["b"]
    fits = _TEXT_WORDS.fullmatch(text) and not _NOT_A_VALUE.match(text)
    return text if fits else None


def value_of(text: str) -> str | None:
    """The datum that a text without prose around it holds: quote, dots and dressing off."""
    text = _plain(text)
    for attempt in (text.rstrip(".,;:"), text, text.rstrip(".,;:!? *_")):
        if _THOUSANDS.fullmatch(attempt):
            return attempt.replace(",", "")
        if word := _WORDS.get(attempt.lower()):
            return word
        if (datum := single_datum(attempt)) is not None:
            return _unquoted(attempt, datum)
    return None


def last_side(text: str) -> str | None:
    """The value on the right of the last `=` or arrow of a line; None if it has none."""
    text = _plain(text[-_WINDOW:])
    sides = re.split(rf"\s;*(?:{ARROW}|=)\s", text) if "\n" not in text else [text]
    return whole_datum(sides[-1]) if len(sides) > 1 else None


def is_symbol(value: str) -> bool:
    """Whether a value is a bare symbol, which in prose any word is."""
    return value.lower() not in _WORDS and bool(re.match(r"[A-Za-z*/<>=!?&_]", value))


def boxed(text: str) -> list[str]:
    r"""The contents of the last `\boxed{…}` of a text, in order."""
    found_last = list(_LATEX_BOX.finditer(text))[-20:]
    contents = (_braced(text, found.end()) for found in found_last)
    return [content for content in contents if content is not None]


def _end(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.match(text)
    return found.end() if found else 0


def _braced(text: str, position: int) -> str | None:
    depth = 1
    for found in re.compile(r"[{}]").finditer(text, position, position + _WINDOW):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return text[position : found.start()]
    return None


def _at_start(text: str) -> str | None:
    """The value that stands at the very start: in code, bold or LaTeX, or as it is."""
    if text.startswith("`"):
        span = next(code_spans(text.split("\n", 1)[0]), None)
        if span is None or span[0] != 0:
            return None
        return value_of(span[2]) or last_side(span[2]) or words(span[2])
    if content := _bold(text):
        return whole_datum(content) or leading_datum(content) or words(content)
    if text.startswith(("$", "\\")):
        span_ = _LATEX_SPAN.match(text)
        body = span_["body"] if span_ else text.split("\n", 1)[0]
        return value_of(body) or last_side(body)
    return _raw(text)


def _bold(text: str) -> str | None:
    mark = _BOLD.match(text)
    if mark is None:
        return None
    end = text.find(mark["mark"], mark.end())
    content = text[mark.end() : end]
    return content if end > 0 and "\n\n" not in content else None


def _raw(text: str) -> str | None:
    """A datum without dressing; a bare symbol does not count, since any word is one."""
    if quoted := _QUOTED.match(text):
        return quoted["a"] or quoted["b"]
    text = text.replace("“", '"', 1).replace("”", '"', 1) if text.startswith("“") else text
    if thousands := _THOUSANDS.match(text):
        return thousands[0].replace(",", "")
    if word := _RAW_WORD.match(text):
        return _WORDS[word[0].lower()] if _AFTER_ATOM.match(text, word.end()) else None
    if not re.match(r"[-+−]?\.?\d|[-+](?:inf|nan)|#|:\w|[\"'(\[{]", text):
        return None
    text = "-" + text[1:] if text.startswith("−") else text
    try:
        form = read_form(text, 0)
    except ReadError:
        return None
    if form.kind is not Kind.ATOM:
        return value_of(text[form.start : form.end])
    atom = form.text.rstrip(".,;:!?*_`)—–✅|")
    return value_of(atom) if atom and _AFTER_ATOM.match(text, form.start + len(atom)) else None


def _undecorated(text: str) -> str:
    text = text.strip()
    while text and re.match(rf"\s|{_EMOJI}", text[-1]):
        text = text[:-1]
    while len(text) > 1 and text[0] in "*_" and text[-1] in "*_.":
        text = text.rstrip(".")[1:].rstrip("*_") if text[-1] == "." else text[1:-1]
        text = text.strip()
    return text


def _plain(text: str) -> str:
    """Text without LaTeX, typographic quotes and signs."""
    text = text.strip()
    if found := _LATEX_SPAN.fullmatch(text):
        text = found["body"].strip()
    if "\\" in text:
        text = (boxed(text) or [text])[-1]
        text = _LATEX_WORD.sub(lambda m: m["body"], text)
        text = re.sub(r"\\([#{}_%&$ ])", r"\1", text)
    if text.startswith("“") and text.endswith("”"):
        text = f'"{text[1:-1]}"'
    if quoted := _QUOTED.fullmatch(text):
        text = quoted["a"] or quoted["b"]
    return "-" + text[1:] if re.match(r"−\d", text) else text


def _unquoted(source: str, datum: Form) -> str:
    """The source of what a datum stands for: 'x and (quote x) are x."""
    while True:
        if datum.kind is Kind.PREFIX and datum.text == "'":
            datum = datum.children[0]
        elif datum.head == "quote" and len(datum.children) == 2:
            datum = datum.children[1]
        else:
            return source[datum.start : datum.end]
