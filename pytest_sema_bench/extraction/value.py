"""Which value a message states. The rules stand in docs/extraction.md, strongest first."""

import re
from collections.abc import Iterable

from pytest_sema_bench.extraction.asked import AskedCode
from pytest_sema_bench.extraction.claims import Claim, Rank, read_claims, words_of
from pytest_sema_bench.extraction.message import Message
from pytest_sema_bench.extraction.notation import PIECE, SIGNS, Marking

# "wait" and "actually" only as a sentence begins: "this actually gives 3" changes no mind.
_TURN = re.compile(
    r"\b(?:oops|hmm|correction|my mistake|i made (?:a|an) (?:mistake|error)|scratch that"
    r"|on second thought|let me (?:re-?\w+|correct|fix|try again|double[- ]check))\b"
    r"|(?:^|[.!?…\n])[ \t]{0,4}(?:but |no, |oh )?(?:wait|actually)\b",
    re.IGNORECASE,
)
# `**42**.` is a value and signs; "42 elements" is not alone.
_ALONE = re.compile(rf"{SIGNS}*({PIECE}){SIGNS}*")
# "30", "30 — because …", "30, since …" on the first line
_OPENS = re.compile(
    rf"{SIGNS}*({PIECE}){SIGNS}*?(?:$|[—–(]|-\s|[.,;]\s|\s(?:because|since|which|as)\b)"
)
# The value before its verb: "3 is returned", "3 is the result".
_REVERSED = re.compile(
    rf"({PIECE})\s+(?:is|as|gets|will be)\s+(?:returned|printed"
    r"|(?:the\s+)?(?:final\s+|return\s+)?(?:result|answer|value|output))\b",
    re.IGNORECASE,
)


def choose_value(message: Message, asked: AskedCode) -> tuple[str | None, str]:
    """The value's source, None if the message states none, and the rule that found it."""
    reader = _ValueReader(Marking(message, asked))
    for rule, find in (
        ("final answer", reader.final),
        ("labelled line", reader.labelled),
        ("statement", reader.stated),
        ("last line", reader.last_line),
        ("statement about a part", reader.stated_of_parts),
        ("last value", reader.last_value),
        ("bare words", reader.bare_words),
    ):
        if (value := find()) is not None:
            return value, rule
    return None, "no value"


class _ValueReader:
    """One message read for its value; each public method is one rule."""

    def __init__(self, marking: Marking) -> None:
        self._marking = marking
        self._text = marking.text
        self._lines = [line for line in marking.text.split("\n") if line.strip()] or [""]
        claims = read_claims(marking)
        last = max((claim.start for claim in claims if claim.value), default=0)
        # A change of mind unsays what stands before it, if a value follows.
        self._turn = max(
            (found.start() for found in _TURN.finditer(self._text, 0, last)), default=0
        )
        self._claims = [claim for claim in claims if claim.start >= self._turn]

    def final(self) -> str | None:
        """What a LaTeX box holds, or a line that says "final"."""
        return _last(self._of(Rank.FINAL))

    def labelled(self) -> str | None:
        """What the last labelled line holds; labels of the steps do not count before a sentence."""
        labels = [claim for claim in self._of(Rank.LABEL) if claim.value or claim.words]
        if len({claim.value for claim in labels}) > 1:
            told = [claim for claim in self._of(Rank.WHOLE) if claim.value]
            if told and told[-1].start > labels[-1].end:
                return None
        return _last(labels) or _last(self._of(Rank.OUTPUT))

    def stated(self) -> str | None:
        """What is said of the whole: at once, or after some thought in the end."""
        told = [claim for claim in self._of(Rank.WHOLE) if claim.value]
        opening = None if self._turn else self._value(_OPENS.match(self._lines[0]))
        if not told:
            return opening or self._value(_REVERSED.search(self._text)) or self._capitals()
        if told[-1].concludes or not (opening or self._opens(told[0])):
            return told[-1].value
        return opening or told[0].value

    def _opens(self, claim: Claim) -> bool:
        """Whether nothing much stands before a claim, so that the message opens with it."""
        before = self._text[self._turn : claim.start].strip()
        said_before = any(c.value and c.start < claim.start for c in self._claims)
        return not said_before and len(re.findall(r"[.!?]\s|\n\s*\n", before)) <= 1

    def _capitals(self) -> str | None:
        """A string stated without quotes, told from other words by a capital letter."""
        words = [claim.words for claim in self._of(Rank.WHOLE) if claim.words]
        return next((text for text in reversed(words) if re.search("[A-Z]", text)), None)

    def last_line(self) -> str | None:
        """What the last line holds, not a remark in brackets."""
        alone = _ALONE.fullmatch(self._lines[-1])
        is_remark = alone and (p := self._marking.piece(alone[1])).is_code and not p.is_marked
        return None if is_remark else self._value(alone)

    def stated_of_parts(self) -> str | None:
        """The last value that is stated of anything."""
        return _last(claim for claim in self._claims if claim.value)

    def last_value(self) -> str | None:
        """The last value that is set apart by how it is written."""
        # "not `(1 3 5)`" is set apart as well, and denied.
        pieces = [self._marking.piece(c) for c in re.findall(rf"(?<!not )({PIECE})", self._text)]
        marked = [p.value for p in pieces if p.value and p.is_marked and not p.is_asked]
        return marked[-1] if marked else None

    def bare_words(self) -> str | None:
        """A string stated without quotes in a sentence, or on the first line."""
        return _last(self._of(Rank.WHOLE)) or words_of(self._lines[0])

    def _of(self, rank: Rank) -> list[Claim]:
        return [claim for claim in self._claims if claim.rank is rank]

    def _value(self, found: re.Match[str] | None) -> str | None:
        return self._marking.piece(found[1]).value if found else None


def _last(claims: Iterable[Claim]) -> str | None:
    values = [value for claim in claims if (value := claim.value or claim.words)]
    return values[-1] if values else None
