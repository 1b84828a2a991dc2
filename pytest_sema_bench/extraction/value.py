"""Which value a message states. The rules stand in docs/extraction.md, strongest first.

A statement about the whole counts before one about a part: the question's own expression
is known from the prompt, so that "`(* 2 3)` evaluates to 6" is a step where the question
was `(+ 1 (* 2 3))`.
"""

import re
from collections.abc import Iterator, Sequence

from pytest_sema_bench.extraction.datum import (
    ARROW,
    boxed,
    is_symbol,
    last_side,
    leading_datum,
    line_datum,
    value_of,
    whole_datum,
    words,
)
from pytest_sema_bench.extraction.label import Label, labels
from pytest_sema_bench.extraction.message import Block, Message, block_index, code_spans
from pytest_sema_bench.extraction.question import Question
from pytest_sema_bench.extraction.source import (
    is_call,
    is_constant,
    read_source,
    shown_in_transcript,
)
from pytest_sema_bench.extraction.statement import (
    About,
    Statement,
    first_and_last,
    masked_code,
    reversed_statement,
    statements,
)
from pytest_sema_bench.sema.reader import single_datum

_TURN = re.compile(
    r"\b(?:oops|hmm|correction|my mistake|i made (?:a|an) (?:mistake|error)|scratch that"
    r"|on second thought|let me (?:re-?\w+|correct|fix|try again|double[- ]check))\b"
    r"|(?:^|[.!?…\n])[ \t]{0,4}(?:but |no, |oh )?(?:wait|actually)\b",
    re.IGNORECASE,
)
_NEXT_BLOCK = re.compile(r"[\s*_:`>.]*+\0(?P<index>\d+)\0")
_COMMENT_RESULT = re.compile(
    rf"^(?P<code>[^;\n]*);+[ \t]*(?:{ARROW}|(?:result|output|value|returns?|evaluates to)\s*:?)"
    r"[ \t]*(?P<value>\S[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_VALUE_TAGS = frozenset(
    {"", "sema", "scheme", "scm", "lisp", "clojure", "clj", "racket", "common-lisp", "elisp"}
    | {"text", "txt", "plaintext", "plain", "output", "console", "repl", "result", "shell"}
    | {"none", "code", "s-expression", "edn"}
)
_NUMBERED = re.compile(r"\s*\d+[.)](?:\s|$)")
_RULER = re.compile(r"^\s*(?:(?:-{3,}|={3,}|\*{3,})[ \t]*\n\s*)?\n*")
_HEADING = re.compile(
    r"\s*(?:#|[*_]{0,3}(?:evaluation|explanation|steps?|step[- ]by[- ]step|solution|analysis|result"
    r"|overview|breakdown|summary|expression|answer|value|output|reasoning)\b[*_\s]*:?[*_\s]*$)",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(r"\s*(?:\d+[.)]|[-*+•])\s")
_BOLD = re.compile(r"\*\*(?P<body>[^*\n]+)\*\*")


def choose_value(message: Message, question: Question) -> tuple[str | None, str]:
    """The value's source, None if the message states none, and the rule that found it."""
    reader = _Reader(message, question)
    for rule, find in (
        ("the whole message", reader.whole),
        ("final answer", reader.final),
        ("labelled line", reader.labelled),
        ("statement", reader.stated),
        ("table row", reader.tabled),
        ("shown in a block", reader.shown),
        ("last line", reader.last_line),
        ("statement about a part", reader.stated_of_parts),
        ("bold or code", reader.emphasised),
        ("last table row", reader.last_row),
        ("bare words", reader.bare_words),
    ):
        if (value := find()) is not None:
            return value, rule
    return None, "no value"


class _Reader:
    """One message read for its value; each method is one rule."""

    def __init__(self, message: Message, question: Question) -> None:
        self._question = question
        self._blocks = message.blocks
        self._in_blocks = [self._block_value(block) for block in message.blocks]
        self._prose = message.prose
        self._text = message.text
        told = list(statements(self._prose, question, self._value_at))
        labelled = list(self._labelled_values())
        self._turn = self._last_turn([s.start for s in told if s.value], labelled)
        self._labels = [(label, v) for label, v in labelled if label.start >= self._turn]
        self._statements = [s for s in _without_links(told) if s.start >= self._turn]

    def _last_turn(self, told: Sequence[int], labelled: Sequence[tuple[Label, str]]) -> int:
        """Where the last correction begins that a value follows; 0 if there is none."""
        last = max([*told, *(label.start for label, _ in labelled)], default=0)
        return max((m.start() for m in _TURN.finditer(self._prose, 0, last)), default=0)

    def _labelled_values(self) -> Iterator[tuple[Label, str]]:
        for label in first_and_last(list(labels(self._prose, self._question))):
            value = self._value_at(label.value_at) or words(label.rest)
            if value is not None:
                yield label, value

    def _value_at(self, position: int) -> str | None:
        if block := _NEXT_BLOCK.match(self._prose, position):
            return self._in_blocks[int(block["index"])]
        rest = self._prose[position : position + 4000]
        line, _, below = rest.partition("\n")
        if line.strip(" \t*_:`"):
            return self._plausible(leading_datum(rest))
        return self._plausible(self._value_below(below, wrapped=":" not in line and line != ""))

    def _value_below(self, below: str, *, wrapped: bool) -> str | None:
        """The value on the next line, or the datum that begins there and takes several."""
        below = _RULER.sub("", below, count=1)
        line = below.split("\n", 1)[0]
        if (value := line_datum(line)) is not None and not _NUMBERED.match(below):
            return value
        value = None if _LIST_ITEM.match(below) else leading_datum(below)
        return value if value is not None and (wrapped or "\n" in value) else None

    def _plausible(self, value: str | None) -> str | None:
        """The value unless it is code: a step of the evaluation, not its result."""
        if value is None:
            return None
        datum = single_datum(value)
        is_step = datum is not None and is_call(datum) and datum.head in self._question.heads
        return None if is_step else value

    def whole(self) -> str | None:
        """The message, if it holds nothing but a value."""
        text = self._text.strip()
        if self._blocks:
            only = len(self._blocks) == 1 and not re.sub(r"\0\d+\0", "", self._prose).strip()
            return self._in_blocks[0] if only else None
        if len(text) > 4000:
            return None
        return self._plausible(whole_datum(text) or last_side(text))

    def final(self) -> str | None:
        """What a LaTeX box holds, or a line that says "final"."""
        in_boxes = [value for content in boxed(self._text) if (value := value_of(content))]
        return _last(in_boxes) or _last([v for label, v in self._labels if label.is_final])

    def labelled(self) -> str | None:
        """What the last labelled line holds; labels of the steps do not count before a sentence."""
        values = [value for label, value in self._labels if not label.is_output]
        values = values or [value for _, value in self._labels]
        end = max((label.value_at for label, _ in self._labels), default=0)
        told_after = any(s.value and s.start > end for s in self._told())
        return None if len(set(values)) > 1 and told_after else _last(values)

    def _told(self) -> list[Statement]:
        """What is said of the whole."""
        return [s for s in self._statements if s.about is About.WHOLE]

    def stated(self) -> str | None:
        """What is said of the whole: at once, after a correction, or in the end."""
        told = [s for s in self._told() if s.value is not None]
        opening = self._opening()
        if not told:
            turned = reversed_statement(self._prose, masked_code(self._prose))
            return turned or opening or self._named_words()
        if told[-1].concludes or (not opening and not self._opens(told[0])):
            return told[-1].value
        return opening or told[0].value

    def _opens(self, statement: Statement) -> bool:
        """Whether nothing much stands before a statement, so that the message opens with it."""
        before = self._prose[self._turn : statement.start]
        said_before = [s for s in self._statements if s.value and s.start < statement.start]
        return not said_before and len(re.findall(r"[.!?]\s|\n\s*\n", before.strip())) <= 1

    def _opening(self) -> str | None:
        """The value that the message begins with, alone on its line or before a dash."""
        if self._turn:
            return None
        lines = (line for line in self._prose.split("\n") if line.strip())
        first = next((line for line in lines if not _HEADING.match(line[:200])), "")
        if block_index(first) is not None:
            return None
        return self._marked_symbol(first, self._plausible(line_datum(first[:400])))

    def _marked_symbol(self, line: str, value: str | None) -> str | None:
        """The value of a line; a bare symbol counts only in bold or code, since any word is one."""
        plain = (
            value is not None and is_symbol(value) and not line.lstrip(" >-").startswith(("`", "*"))
        )
        return None if plain else value

    def _named_words(self) -> str | None:
        """A string stated without quotes, told from other words by a capital letter."""
        return _last([w for s in self._told() if (w := words(s.rest)) and re.search(r"[A-Z]", w)])

    def tabled(self) -> str | None:
        """The last cell of the row that is about the question."""
        for line in self._prose.split("\n"):
            cells = line.strip().strip("|").split(" | ") if line.lstrip().startswith("|") else []
            if any(self._question.asks_for(cell.strip(" `*")) for cell in cells[:-1]):
                return self._plausible(whole_datum(cells[-1]))
        return None

    def shown(self) -> str | None:
        """What a block shows as the result: of the question itself, or the last one."""
        if prompts := shown_in_transcript(self._prose):
            return self._plausible(leading_datum(prompts[-1]))
        pairs = zip(self._blocks, self._in_blocks, strict=True)
        found = [(self._question.is_in(block.body), v) for block, v in pairs if v is not None]
        asked = [value for is_asked, value in found if is_asked]
        return _last(asked or [value for _, value in found])

    def last_line(self) -> str | None:
        """What the last line holds, unless it is the number of an item that was cut off."""
        lines = [line for line in self._prose.rstrip().split("\n")[-50:] if line.strip()]
        if not lines or block_index(lines[-1]) is not None:
            return None
        in_list = any(_NUMBERED.match(line) for line in lines[:-1])
        if in_list and re.fullmatch(r"\s*\d+[.)]?\s*", lines[-1]):
            return None
        return self._marked_symbol(lines[-1], self._plausible(whole_datum(lines[-1])))

    def stated_of_parts(self) -> str | None:
        """The last value that is stated of anything."""
        return _last([s.value for s in self._statements if s.value is not None])

    def emphasised(self) -> str | None:
        """The last value in bold, or else in code, that is not a part of the question."""
        lines = self._prose.split("\n")
        bold = [m["body"] for line in lines for m in _BOLD.finditer(line)]
        code = [text for line in lines for _, _, text in code_spans(line)]
        for texts in (bold[-200:], code[-200:]):
            values = [v for text in texts if (v := self._plausible(whole_datum(text))) is not None]
            constants = [v for v in values if (d := single_datum(v)) is None or is_constant(d)]
            if constants:
                return constants[-1]
        return None

    def last_row(self) -> str | None:
        """The last cell of the last row of a table."""
        rows = [line for line in self._prose.split("\n") if line.lstrip().startswith("|")]
        cells = rows[-1].strip().strip("|").split("|") if rows else [""]
        return self._plausible(whole_datum(cells[-1]))

    def bare_words(self) -> str | None:
        """A string stated without quotes in a sentence, or on the first line."""
        stated = [w for s in self._told() if (w := words(s.rest))]
        return _last(stated) or words(self._prose.strip().split("\n", 1)[0])

    def _block_value(self, block: Block) -> str | None:
        """The result that a block shows; None if it shows code only, or is in another language."""
        if block.tag not in _VALUE_TAGS:
            return None
        comments = list(_COMMENT_RESULT.finditer(block.body))
        asked = [m for m in comments if self._question.asks_for(m["code"])]
        for found in first_and_last(asked or comments)[::-1]:
            if value := self._plausible(leading_datum(found["value"])):
                return value
        for label in first_and_last(list(labels(block.body, self._question)))[::-1]:
            told = leading_datum(block.body[label.value_at : label.value_at + 4000])
            if value := self._plausible(told or words(label.rest)):
                return value
        source = read_source(block.body)
        for shown in first_and_last(source.shown)[::-1]:
            if value := self._plausible(leading_datum(shown) or whole_datum(shown)):
                return value
        text = re.sub(r"^[ \t]*;[^\n]*$", "", block.body, flags=re.MULTILINE).strip()
        if source.is_code and len(source.forms) != 1:
            return None
        value = self._plausible(value_of(text) or last_side(text.rsplit("\n", 1)[-1]))
        return value or (words(text) if "\n" not in text else None)


def _last(values: Sequence[str]) -> str | None:
    return values[-1] if values else None


def _without_links(told: Sequence[Statement]) -> Iterator[Statement]:
    """The statements without those that another one goes on from: of `a => b => c` the last."""
    for this, following in zip(told, [*told[1:], None], strict=False):
        if following is None or not (following.continues and following.value):
            yield this
