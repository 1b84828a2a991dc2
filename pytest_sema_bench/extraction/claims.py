"""Where a message says that something has a value, and whether it says so of the whole question.

Reads text in which values and code are single characters (`notation`), sentence by sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from pytest_sema_bench.extraction.notation import ARROW, PIECE, SIGNS, Marking

_MOST_CLAIMS = 200
"""A message makes a few; of more, the first and the last half of this many are read."""


class Rank(IntEnum):
    """What a claim is worth."""

    PART = 1
    """Said of a step, or of something unknown."""
    OUTPUT = 2
    """A line that tells what was printed, which need not be the value."""
    WHOLE = 3
    """A sentence about what was asked."""
    LABEL = 4
    """`Value: 3`, or a heading above the value."""
    FINAL = 5
    r"""`Final answer: 3`, `\boxed{3}`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One "X is V"."""

    rank: Rank
    value: str | None
    """The value's source; None if what follows is not written as one."""
    words: str | None
    """Words that follow, for a string or symbol that is stated without a mark."""
    concludes: bool
    """Whether it begins with "so", "therefore" or the like."""
    start: int
    end: int


# The first verbs speak of what is asked unless the sentence names something else; those below
# only if it names what is asked: "the result is 3", "`(+ 1 2)` is 3", but not "x is 3".
_TELLS = (
    r"(?:evaluate[sd]?|reduces?|simplifies|adds?\s+up|(?:comes?|works?)\s+out|(?:is|be)\s+equal)\s+to"
    r"|evaluates?\s+as|results?\s+in|(?:is|be)\s+(?:printed|shown)\s+as|returns?|returned|gives?"
    r"|yields?|produces?|outputs?|prints?|throws?|raises?|signals?"
)
_IS = (
    r"is|are|be|was|it's|that's|i\.e\.|equals?|becomes?|gets?|got|obtain|shows|returning|giving"
    r"|yielding|producing|leaving|evaluating\s+to|resulting\s+in"
)
# What may stand between a verb and its value: "back", "the new list", "a map containing".
_FILLER = (
    r"(?:(?:us|you|back|just|simply|now|therefore|thus|then|as)\s+)*+(?:(?:the|an?|its)\s+)?"
    r"(?:(?:[a-z-]+\s+){0,3}?(?:list|vector|map|string|symbol|keyword|number|integer|boolean|value)s?"
    r"(?:\s+(?:of|value|containing))?[\s:,]+)?"
)
# Signs need a blank behind them: in `a=3` and `ns:name` nothing is stated. Words end where Sema's
# names do not: "gives" is a verb, `gives-all` a name.
_STATEMENT = re.compile(
    rf"(?:\b(?:(?P<tells>{_TELLS})|(?P<is>{_IS}))(?![\w-]):?|(?P<equals>\s(?:{ARROW}|=)(?=\s))"
    rf"|(?P<colon>:)(?=\s))\s*{_FILLER}(?P<value>{PIECE})?",
    re.IGNORECASE,
)
# At the start of a line, with a sign or the line's end before the value: `Value: 3`, `## Result`,
# "Result of `(f)` = 3". "The value is 3" is a statement, and so worth less.
_LABEL = re.compile(
    rf"^{SIGNS}{{0,20}}?(?:(?:the|my|so),?\s+)*(?P<final>final\s+)?"
    r"(?:(?:actual|correct|returned?|evaluated|printed|sema)\s+)?"
    r"(?:value|answer|result|(?P<output>output|prints)|ans|returns?|evaluates\s+to|evaluation"
    rf"|结果|答案|值|输出)(?:\s+(?:of|for|from)\s+(?P<of>{PIECE}))?"
    rf"[ \t]*(?:(?:[:=|—–是]|{ARROW})+|\n)\s*{_FILLER}(?P<value>{PIECE})?",
    re.IGNORECASE | re.MULTILINE,
)
# What may follow a bare number or word that is a value: no noun, operator or second value.
_AFTER = re.compile(
    rf"[ \t]*(?:$|(?P<next>{PIECE})|[^ \t\w+*/^%<>×÷\\-]|-(?:[->]|\s*\w))"
    r"|\s+(?:because|since|as|which|that|after|when|where|for|and|or|but|here|due|by|with|from|if|is"
    r"|in|not|rather|instead|so)\b"
)
# "The sum: 3, since …" has its value alone behind the colon, "note: 3 elements" has not.
_LINE_OR_CLAUSE_END = re.compile(rf"{SIGNS}*?(?:\n|$)|[.,]\s")
# "throws an unbound variable error": what is stated is that there is no value.
_ERROR = re.compile(r"\s*(?:an?\s+)?(?:[\w-]+\s+){0,2}(?:error|exception)\b", re.IGNORECASE)

_RESULT = re.compile(
    r"\b(?:result|answer|value|output|outcome|evaluation|expression)\b", re.IGNORECASE
)
# A sentence with one of these tells of a part: "the inner call gives 3", "the value of x is 3";
# "value of the expression" and "value of `(f)`" may be of the whole.
_STEP = re.compile(
    r"\b(?:each|every|first|second|third|inner\w*|sub-?\w*|nested|step|iterations?|test|acc\w*"
    r"|predicate|condition|clause|branch|lambda|elements?|arguments?|current|initial\w*|default"
    r"|original|previous|old|starting|intermediate|if|expected|example"
    rf"|value\s+of\s+(?!the\b|this\b|that\b|your\b|evaluating\b|{PIECE})\w+)\b",
    re.IGNORECASE,
)
_LANGUAGE = (
    r"(?:clojure|scheme|(?:common |emacs |e)lisp|racket|python|javascript|haskell"
    r"|(?:other|most|many|some) (?:lisps?|languages|dialects))"
)
# "returns #t if …" tells what a function does in some case, not what it gave in this one.
_CONDITION = re.compile(
    rf"[^.,;:!?\n]{{0,200}}\s(?:if|when|unless|whenever|in {_LANGUAGE})\b", re.IGNORECASE
)
# Such a subject, and nothing beside it, is what the sentence before was about.
_IT = re.compile(rf"{SIGNS}*(?:it|this|that|which)(?: then)?\s*", re.IGNORECASE)
# A sentence that begins so may take back what the message opened with.
_CONCLUDES = re.compile(
    rf"{SIGNS}*(?:and\s+)?(?:so|but|however|therefore|thus|hence|finally|overall|ultimately"
    r"|(?:the\s+)?final|in\s+(?:summary|conclusion|total)|to\s+(?:summarize|conclude))\b",
    re.IGNORECASE,
)
# "you might expect 4", "it is not 4", "at first glance 4": mentioned, not stated.
_DENIES = re.compile(
    r"n't\b|\b(?:not|never|might|may|expect\w*|think\w*|thought|guess\w*|assum\w*|na[iï]ve\w*"
    r"|looks? like|wrong\w*|incorrect\w*|mistaken\w*|unless|suppose\w*|glance|whether"
    r"|instead of|rather than|tempt\w*)\b",
    re.IGNORECASE,
)
# A denial ends with its clause: "it does not fail, so it gives 3" states 3.
_CLAUSE = re.compile(
    r"[,;:—–()]|\b(?:but|however|while|whereas|actually|in fact|so)\b", re.IGNORECASE
)
# The language named last counts, and "like Clojure, it …" has named Sema by saying so.
_OTHER_LANGUAGE = re.compile(
    rf"\b{_LANGUAGE}\b(?!.*\b(?:sema|here|but)\b)", re.IGNORECASE | re.DOTALL
)
# "Unlike Clojure, it …" goes on about Sema, "as in Clojure, which …" about Clojure.
_LIKE = re.compile(r"\b(?:unlike|as|like) (?:in |with )?[\w ]+,(?! wh)", re.IGNORECASE)
# What follows looks like a beginning: the dots of "i.e. a list" end nothing.
_SENTENCE_END = re.compile(rf"[.!?:]\s+(?=[A-Z\"(]|{PIECE})|\n")

_WORDS_END = re.compile(rf"[.!?]?\n|[.!?]\s|\s\s|\s*{PIECE}|,?\s(?:because|since|which|as)\b")
_WORDS = re.compile(r"[A-Za-z][\w'-]*+(?:[ ,]+[A-Za-z0-9][\w'-]*+){0,5}[!?]?")
# No string is stated without quotes that begins as prose goes on: "returns a list of …".
_NO_VALUE = re.compile(
    r"(?:an?|the|not|always|as|correct|expected|computed|based|this|that|it|what|how|i|i'm|sorry|sure"
    r"|yes|no|here|here's|we|you|let|let's|there|okay|ok|each|all|equivalent|equal|same|follows?"
    r"|below|above|shown|given|of|to)\b",
    re.IGNORECASE,
)


def read_claims(marking: Marking) -> list[Claim]:
    """The claims of a message, in order; what it denies or says of another language is none."""
    found = [*_statements(marking), *_labels(marking)]
    return sorted(found, key=lambda claim: claim.start)


def words_of(text: str) -> str | None:
    """The words that a text begins with if they can be a string without its quotes; else None."""
    text = _WORDS_END.split(text.strip(" \t\n:"), maxsplit=1)[0].rstrip(".")
    return text if _WORDS.fullmatch(text) and not _NO_VALUE.match(text) else None


def _labels(marking: Marking) -> Iterator[Claim]:
    for found in _first_and_last(_LABEL, marking.text):
        if found["of"] is None or marking.piece(found["of"]).is_asked:
            rank = Rank.FINAL if found["final"] else Rank.OUTPUT if found["output"] else Rank.LABEL
            yield _claim(marking, found, rank)


def _statements(marking: Marking) -> list[Claim]:
    text = marking.text
    claims: list[Claim] = []
    for found in _first_and_last(_STATEMENT, text):
        start, last = found.start(), claims[-1] if claims else None
        if last and found["equals"] and not text[last.end : start].strip():
            claim = _claim(marking, found, last.rank, concludes=last.concludes)
            if claim.value:
                claims.pop()  # of `a => b => c` the last
        else:
            sentence = _sentence_start(text, start)
            subject = text[sentence:start]
            if _is_denied(subject) or not _is_told(text, found):
                continue
            rank = Rank.PART
            if not _CONDITION.match(text, found.end()):
                before = text[_sentence_start(text, max(0, sentence - 1)) : sentence]
                rank = _rank(marking, subject, before, found)
            claim = _claim(marking, found, rank, concludes=bool(_CONCLUDES.match(subject)))
        claims.append(claim)
    return claims


def _claim(marking: Marking, found: re.Match[str], rank: Rank, *, concludes: bool = False) -> Claim:
    text, start, end = marking.text, found.start(), found.end()
    value = words = None
    if found["value"]:
        piece = marking.piece(found["value"])
        value = piece.value if piece.is_marked or _ends(marking, end) else None
    elif rank is Rank.WHOLE and _ERROR.match(text, end):
        value = "an error"
    else:
        words = words_of(text[end : end + 300])
    return Claim(rank=rank, value=value, words=words, concludes=concludes, start=start, end=end)


def _ends(marking: Marking, position: int) -> bool:
    """Whether a bare value ends at a position, with nothing or a remark behind it."""
    after = _AFTER.match(marking.text, position)
    if after is None or after["next"] is None:
        return after is not None
    return marking.piece(after["next"]).may_be_remark


def _first_and_last(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    found = list(pattern.finditer(text))
    half = _MOST_CLAIMS // 2
    return found if len(found) <= _MOST_CLAIMS else [*found[:half], *found[-half:]]


def _sentence_start(text: str, position: int) -> int:
    # A bound, or a text without full stops would take time in the square of its length.
    begin = max(0, position - 400)
    ends = [found.end() for found in _SENTENCE_END.finditer(text, begin, position)]
    return ends[-1] if ends else begin


def _is_denied(before: str) -> bool:
    """Whether the words before the verb say that it is not so, or so in another language."""
    clause = _CLAUSE.split(before)[-1]
    return bool(_DENIES.search(clause) or _OTHER_LANGUAGE.search(_LIKE.sub("", before)))


def _is_told(text: str, found: re.Match[str]) -> bool:
    """Whether a colon has its value alone behind it; other claims need no such proof."""
    return not found["colon"] or bool(_LINE_OR_CLAUSE_END.match(text, found.end()))


def _rank(marking: Marking, subject: str, before: str, verb: re.Match[str]) -> Rank:
    """What a statement is about, by its subject and, for "it", by the sentence before."""
    near = subject[-60:] if verb["equals"] or verb["colon"] else subject
    by_code = _rank_by_code(marking, near)
    if by_code is Rank.PART or (by_code and (verb["tells"] or verb["equals"])):
        return by_code
    if verb["equals"] or _STEP.search(subject):
        return Rank.PART
    if _IT.fullmatch(subject) and (it := _rank_by_code(marking, before.rpartition("\n\n")[2])):
        return it
    says_it = not subject.strip() and verb[0][:2].lower() in ("it", "th")
    concludes = _CONCLUDES.match(subject) and verb["colon"]
    whole = verb["tells"] or says_it or concludes or _RESULT.search(near)
    return Rank.WHOLE if whole else Rank.PART


def _rank_by_code(marking: Marking, subject: str) -> Rank | None:
    """What the code in a subject says; None if there is none."""
    pieces = [piece for c in re.findall(PIECE, subject) if (piece := marking.piece(c)).is_code]
    if any(piece.is_asked for piece in pieces):
        return Rank.WHOLE
    return Rank.PART if pieces else None
