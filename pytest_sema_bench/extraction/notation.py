"""How people write values: each value and piece of code in a message becomes one character.

A message then reads "The expression X evaluates to Y.", whether there were backticks, bold, LaTeX,
a block or a table row, so that plain patterns can read its sentences (`claims`). What such a
character stands for is a `Piece`. This module knows how values are written, not which one counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_sema_bench.extraction.asked import AskedCode
from pytest_sema_bench.extraction.message import CODE_SPAN, Block, Message
from pytest_sema_bench.extraction.source import LISP_TAGS, PROMPT, SEMA_TAGS, is_constant
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, single_datum

# Plane 15 holds 65,534 private characters, which mean nothing by themselves.
_FIRST, _MOST = 0xF0000, 60_000
_RANGE = f"{chr(_FIRST)}-{chr(_FIRST + _MOST)}"
PIECE = f"[{_RANGE}]"
"""One character of a private plane of Unicode for each piece."""
SIGNS = rf"[^\w{_RANGE}]"
"""What is neither of a word nor a piece."""
ARROW = r"(?:={1,3}>|-{1,3}>|⇒|→|⟹|⟶|↦|➜|➔|≡)"

_VALUE_TAGS = SEMA_TAGS | LISP_TAGS | {"text", "txt", "plaintext", "output", "console", "repl"}
# Marks of quotes, headings and lists. A number counts only before something: "3." may be all.
_LINE_LEAD = re.compile(r"^[ \t]*(?:(?:[>#]+|[-+*•]|\d+[.)])[ \t]+(?=\S))++", re.MULTILINE)
# A comment in a block is read as prose: `; => 3` says what `=> 3` does.
_COMMENT = re.compile(r"^[ \t]*;+", re.MULTILINE)
# What becomes a piece or, like the marks of LaTeX, is dropped around one. A letter or sign right
# before or behind it says that it is part of a word: "x2", "f(1)", "8-bit", "3rd", "nil?".
_START = re.compile(
    CODE_SPAN.pattern
    + r"""
    | \0(?P<block>\d+)\0
    | \\f?box(?:ed)?\s*\{(?P<box>(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*+\})*+)\}
    | \\(?:text|math|operatorname|verb)[a-z]*\s*\{(?P<latex>[^{}]*)\}
    | (?P<dropped>`+|\\[\[\]()]|\$\$?(?!\{))
    | (?<=\ )\*\*(?P<bold>[a-z][^\s*:]*)\*\*
    | “(?P<curly>[^”"\n]*)”
    | (?<![\w'])['‘](?P<quoted>[^'’()\[\]{}"`\n]{1,200})['’](?![\w'])
    | (?<![\w'])'(?P<symbol>[a-z][\w/?!<>=-]*)
    | (?<![\w./,:^-])(?P<number>
        [-+−]?(?:\d{1,3}(?:,\d{3})++(?:\.\d+)?|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\.\d+)(?:/\d+)?
      )(?![\w%]|[./,]\d|-\w)
    | (?<![\w/#'-])(?P<word>\#?(?:true|false)|nil|null|empty\ (?:list|string|vector|map))
      (?![\w/?!-])
    | (?P<form>(?<![\w'])'?[(\[{]|\#(?:[(\\]|[tf]\b)|(?<!\w)f?"|(?<![\w:]):(?=[a-z]))""",
    re.VERBOSE | re.IGNORECASE,
)
# Words in brackets are a remark, unless a sentence states them: "#t (true)", "evaluates to (a b)".
_REMARK = re.compile(r"\([\w\s,.;:!?'-]*\)")
# In a box, `\texttt{\{:a\ 11\}}` is {:a 11}.
_LATEX_WORD = re.compile(r"\\[a-z]+\s*\{((?:[^{}\\]|\\.)*+)\}")
_ESCAPED = re.compile(r"\\([#{}_%&$ ])")
# How models write what Sema prints otherwise.
_WORDS = {
    **dict.fromkeys(("true", "#true", "#t"), "#t"),
    **dict.fromkeys(("false", "#false", "#f"), "#f"),
    **dict.fromkeys(("nil", "null", "none"), "nil"),
    "empty list": "()",
    "empty string": '""',
    "empty vector": "[]",
    "empty map": "{}",
}
# The last cell of a row is told of the others: `| (+ 1 2) | a sum | 3 |`.
_ROW = re.compile(r"^[ \t]*\|(?P<cells>.*)\|(?P<last>[^|\n]*)\|[ \t]*$", re.MULTILINE)
_BOLD = re.compile(rf"\*\*({PIECE})\*\*")
# A mark touches what it marks, `*3*`; in `2 * 3` and `a_b` the signs are meant.
_EMPHASIS = re.compile(r"(?<![\w*])[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?![\w*])")
# An arrow at the start of a line, or of a comment, goes on with the line or the code before it.
_GOES_ON = re.compile(rf"(?<![\s;])[\s;]++(?=(?:{ARROW}|=)\s)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A value or a piece of code in a message."""

    value: str | None
    """The source of the value that it can stand for; None for a step of the evaluation."""
    is_asked: bool = False
    """Whether it is the expression asked about, or the name that it calls first."""
    is_code: bool = False
    """Whether it stands in backticks or brackets, as code in a sentence does."""
    is_marked: bool = True
    """Whether it is set apart from the words around it: not so a number, or words in brackets."""
    may_be_remark: bool = False
    """Whether it stands in round brackets and holds words and numbers only."""


class Marking:
    """A message's prose, its blocks included, with pieces in it."""

    text: str

    def __init__(self, message: Message, asked: AskedCode) -> None:
        self._blocks = message.blocks
        self._asked = asked
        self._pieces: list[Piece] = []
        # A form that cannot be read may cost the whole rest of the text, so there is a bound.
        self._to_spend = len(message.prose) + 20_000
        self.text = self._tidy("".join(self._scan(_LINE_LEAD.sub("", message.prose))))

    def piece(self, character: str) -> Piece:
        """What a character of the text stands for."""
        return self._pieces[ord(character) - _FIRST]

    def _tidy(self, text: str) -> str:
        # Before the asterisks go: a bold number is set apart as one in backticks is.
        for bold in _BOLD.findall(text):
            self._pieces[ord(bold) - _FIRST] = replace(self.piece(bold), is_marked=True)
        text = _EMPHASIS.sub("", _ROW.sub(r"\g<cells>: \g<last>", text))
        return _GOES_ON.sub(" ", text).replace("’", "'").strip()

    def _scan(self, text: str) -> Iterator[str]:
        # Private characters that a model writes must not pass for pieces.
        text, position = re.sub(PIECE, " ", text), 0
        while found := _START.search(text, position):
            yield text[position : found.start()]
            written, position = self._read(text, found)
            yield written
        yield text[position:]

    def _read(self, text: str, found: re.Match[str]) -> tuple[str, int]:
        """What is written for a match, and where the text goes on."""
        end = found.end()
        if found["form"]:
            return self._form(text, found.start())
        if found["box"]:
            content = _ESCAPED.sub(r"\1", _LATEX_WORD.sub(r"\1", found["box"])).strip()
            return f"\nFinal answer: {self._code(content)}\n", end
        if found["block"]:
            return self._block(self._blocks[int(found["block"])]), end
        if found["code"]:
            return self._code(found["code"].strip()), end
        if found["latex"]:
            return "".join(self._scan(found["latex"])), end
        if string := found["quoted"] or found["symbol"] or found["bold"]:
            return self._add(Piece(value=_WORDS.get(string.lower(), string))), end
        if (string := found["curly"]) is not None:
            return self._add(Piece(value=f'"{string}"')), end
        if number := found["number"]:
            value = number.replace(",", "").replace("−", "-")
            return self._add(Piece(value=value, is_marked=False)), end
        if word := found["word"]:
            return self._add(Piece(value=_WORDS[word.lower()], is_marked=False)), end
        return "", end

    def _add(self, piece: Piece) -> str:
        if len(self._pieces) >= _MOST:
            return " "
        self._pieces.append(piece)
        return chr(_FIRST + len(self._pieces) - 1)

    def _form(self, text: str, start: int) -> tuple[str, int]:
        """A form that begins in prose, or the character there if none does."""
        form = None
        if self._to_spend > 0:
            try:
                form = read_form(text, start)
            except ReadError as error:
                self._to_spend -= (len(text) if error.unfinished else error.position) - start
        code = text[start : form.end] if form else ""
        if form and form.kind is Kind.ATOM:
            # To the reader the signs behind an atom belong to it: in "it gives :a." they do not.
            code = code.rstrip(".,:!?*_—–|")
        if form is None or (value := value_of(code)) is None:
            return text[start], start + 1
        is_remark = bool(_REMARK.fullmatch(code))
        piece = replace(
            self._piece(code, value),
            is_code=form.kind not in (Kind.ATOM, Kind.STRING),
            is_marked=is_constant(form) or not is_remark,
            may_be_remark=is_remark,
        )
        return self._add(piece), start + len(code)

    def _piece(self, code: str, value: str) -> Piece:
        datum = single_datum(value)
        is_value = datum and datum.kind is not Kind.FSTRING and not self._asked.is_step(datum)
        is_asked = self._asked.asks_for(code)
        return Piece(value=value if is_value else None, is_asked=is_asked, is_code=True)

    def _code(self, code: str) -> str:
        """What stands in backticks or the like: one piece, or a text that holds some."""
        value = value_of(code)
        return "".join(self._scan(code)) if value is None else self._add(self._piece(code, value))

    def _block(self, block: Block) -> str:
        if block.tag not in _VALUE_TAGS:
            return ""
        body = PROMPT.sub("", block.body.replace("\0", " ")).strip()
        datum = single_datum(body)
        if datum is not None and datum.end == len(body):
            return self._code(body[datum.start :])
        return "".join(self._scan(_COMMENT.sub("", body)))


def value_of(text: str) -> str | None:
    """The source of the one datum that a text holds, without a quote in front."""
    for attempt in (text.rstrip(".,;: "), text.strip()):
        if word := _WORDS.get(attempt.lower()):
            return word
        if (datum := single_datum(attempt)) is not None:
            return _unquoted(attempt, datum)
    return None


def _unquoted(source: str, datum: Form) -> str:
    """The source of what a datum stands for: 'x and (quote x) are x."""
    while True:
        if datum.kind is Kind.PREFIX and datum.text == "'":
            datum = datum.children[0]
        elif datum.head == "quote" and len(datum.children) == 2:
            datum = datum.children[1]
        else:
            return source[datum.start : datum.end]
