"""Where the prose of a message says that something has a value, and of what it says so."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pytest_sema_bench.extraction.datum import ARROW, last_side, whole_datum
from pytest_sema_bench.extraction.message import code_spans, line_end
from pytest_sema_bench.extraction.question import Question
from pytest_sema_bench.sema.reader import ReadError, read_form

_T = TypeVar("_T")
_MOST_STATEMENTS = 200
"""A message has a few; of more, the first and the last half of this many are read."""


class About(Enum):
    """What a statement is about."""

    WHOLE = "what was asked"
    PART = "a step or a part of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One "X is V" in prose."""

    value: str | None
    """The value's source; None if what follows is not a datum."""
    rest: str
    """The rest of the sentence, for a string that is stated without quotes."""
    about: About
    concludes: bool
    """Whether it begins with "so", "therefore" or the like."""
    continues: bool
    """Whether it goes on from the statement before it, as in `a => b => c`."""
    start: int


_TELLS = (
    r"(?:evaluate[sd]?|reduces?|simplif(?:y|ies)|resolves?|amounts?|comes?\s+out|works?\s+out"
    r"|boils\s+down|(?:is|are|be)\s+equal|(?:adds?|sums?)(?:\s+up)?)\s+to|(?:comes?\s+out|evaluates?)\s+as"
    r"|results?\s+in|(?:is|are|be)\s+(?:printed|displayed|shown)\s+as|returns?|returned|gives?"
    r"|yields?|produces?|outputs?|prints?|throws?|raises?|signals?"
)
_IS = (
    r"is|are|be|was|it[’']s|that[’']s|equals?|becomes?|gets?|returning|giving|yielding|producing"
    r"|leaving|leaves|evaluating\s+to|resulting\s+in"
)
_VERB = re.compile(rf"\b(?:(?P<tells>{_TELLS})|(?P<is>{_IS}))\b(?!-)", re.IGNORECASE)
_EQUATION = re.compile(
    rf"(?<=[\s`)*\]}};]){ARROW}(?=[\s`*(\"])|(?<=[`)\]}}*\w\"])\s=\s",
)
_COLON = re.compile(r"(?<=[\w`)*]):[*_]*(?:[ \t]+(?=\S)|[ \t]*\n)")
_REVERSED = re.compile(
    r"(?<=\s)(?:is|as|gets|(?:will|would) be)\s+(?:returned|printed"
    r"|(?:the\s+)?(?:final\s+|return\s+)?(?:result|answer|value|output))\b",
    re.IGNORECASE,
)
_ERROR = re.compile(r"\s*(?:an?\s+)?(?:[\w-]+\s+){0,2}(?:error|exception)\b", re.IGNORECASE)

_RESULT_NOUN = re.compile(
    r"\b(?:result|answer|value|output|outcome|evaluation|expression)\b", re.IGNORECASE
)
_PART_WORD = re.compile(
    r"\b(?:each|every|first|second|third|fourth|inner\w*|sub-?\w*|nested|step|iterations?|test"
    r"|accumulator|acc|predicate|condition|clause|branch|lambda|elements?|arguments?|current"
    r"|initial\w*|default|original|previous|old|starting|intermediate|if|expected|example"
    r"|value\s+of\s+(?!the\b|this\b|that\b|your\b|evaluating\b|`)\w+)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"[^.,;:!?\n]{0,200}[\s`*](?:if|when|unless|whenever)\b", re.IGNORECASE)
_IT = re.compile(r"\W*(?:it|this|that|which)(?: then)?\s+", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|we|you|this|that)\b", re.IGNORECASE)
_CONCLUDES = re.compile(
    r"[\W_]*(?:and\s+)?(?:so|but|however|therefore|thus|hence|finally|overall|ultimately|final"
    r"|the\s+final|in\s+(?:summary|conclusion|total)|to\s+(?:summarize|conclude))\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|never|might|may|expecting|think\w*|thought|guess\w*|assum\w*|na[iï]vely|wrong\w*"
    r"|incorrect\w*|mistaken\w*|unless|suppose\w*|(?:would|could|might|you|one) expect"
    r"|(?:at )?first glance|whether|instead of|rather than|tempt\w*)\b|n[’']t\b",
    re.IGNORECASE,
)
_OTHER_LANGUAGE = re.compile(
    r"\b(?:clojure|scheme|common lisp|emacs lisp|elisp|racket|python|javascript|haskell"
    r"|(?:other|most|many|some) (?:lisps?|languages|dialects))\b(?!.*\b(?:sema|here|but)\b)",
    re.IGNORECASE | re.DOTALL,
)
_UNLIKE = re.compile(
    r"\b(?:unlike|as|like|just as) (?:in |with )?[\w ]+,(?! (?:which|where))", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[,;:—–()]|\b(?:but|however|while|whereas|actually|in fact|so)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?:](?:[*_)]*)\s+(?=[A-Z*`\"(\0])|\n")
_REST_END = re.compile(r"[.!?]?(?:\n|\s\s|$)|[.!?]\s")
_BEFORE_ARROW = " *_`>-|•"


def statements(
    prose: str, question: Question, value_at: Callable[[int], str | None]
) -> Iterator[Statement]:
    """The statements of a message's prose, in order; those it denies are left out.

    `value_at` gives the value that stands at a position of the prose.
    """
    masked = masked_code(prose)
    chain = _Chain()
    for found in first_and_last(_found(masked)):
        start, end = found.span()
        sentence = _sentence_start(masked, start)
        continues = False
        if found.re is _EQUATION:
            about, continues = chain.follow(prose, start, end, question)
        elif _denied(masked[sentence:start]) or not _is_told(prose, found):
            continue
        elif _CONDITION.match(masked, end):
            about = About.PART
        else:
            before = prose[_sentence_start(masked, max(0, sentence - 1)) : sentence]
            about = _about(prose[sentence:start], before, question, found)
        value = value_at(end - 1 if found.re is _COLON else end)
        if value is None and about is About.WHOLE and _ERROR.match(prose, end):
            value = "an error"
        yield Statement(
            value=value,
            rest=_REST_END.split(prose[end : end + 300], maxsplit=1)[0],
            about=about,
            concludes=bool(_CONCLUDES.match(masked[sentence:start])),
            continues=continues,
            start=start,
        )


@dataclass(slots=True)
class _Chain:
    """The last equation read, so that `a => b => c` is known to be about `a` to its end."""

    end: int = -1
    line_end: int = -1
    about: About = About.PART

    def follow(self, prose: str, start: int, end: int, question: Question) -> tuple[About, bool]:
        """What the equation at `start` is about, and whether it goes on from the last one."""
        line_start = prose.rfind("\n", 0, start) + 1
        left = prose[max(line_start, self.end, start - 2000) : start]
        begins_line = not left.strip(_BEFORE_ARROW)
        if self.end >= line_start:
            continues = whole_datum(left) is not None
        else:
            nothing_between = not prose[max(0, self.line_end) : line_start].strip()
            continues = begins_line and self.line_end >= 0 and nothing_between
        if not continues:
            above = prose[:line_start].rstrip()[-2000:].rsplit("\n", 1)[-1]
            self.about = _about_code(above if begins_line else left, question) or About.PART
        self.end, self.line_end = end, line_end(prose, end)
        return self.about, continues


def masked_code(prose: str) -> str:
    """The prose, as long as it was, with the content of `…` spans blacked out."""
    lines = []
    for line in prose.split("\n"):
        pieces, position = [], 0
        for start, end, _ in code_spans(line):
            pieces += [line[position : start + 1], chr(1) * (end - start - 2)]
            position = end - 1
        lines.append("".join([*pieces, line[position:]]))
    return "\n".join(lines)


def reversed_statement(prose: str, masked: str) -> str | None:
    """The value in "`3` is the result", None if nothing is said that way round."""
    for found in _REVERSED.finditer(masked):
        before = prose[max(0, found.start() - 300) : found.start()].rstrip()
        dressed = re.search(r"(?:`[^`\n]+`|\*\*[^*\n]+\*\*|\S+)$", before)
        if dressed and (value := whole_datum(dressed[0])) is not None:
            return value
    return None


def first_and_last(found: Sequence[_T]) -> Sequence[_T]:
    """All of a few, or the first and last hundred of many: a bound on the work per message."""
    half = _MOST_STATEMENTS // 2
    return found if len(found) <= _MOST_STATEMENTS else [*found[:half], *found[-half:]]


def _found(masked: str) -> list[re.Match[str]]:
    found = [m for pattern in (_VERB, _EQUATION, _COLON) for m in pattern.finditer(masked)]
    return sorted(found, key=lambda match: match.start())


def _is_told(prose: str, found: re.Match[str]) -> bool:
    """Whether a colon is followed by a value and nothing else, on its line or below."""
    if found.re is not _COLON:
        return True
    line = prose[found.end() : line_end(prose, found.end())][:1000]
    return (
        found[0].endswith("\n") or (whole_datum(line) or last_side(line.strip(" `*._"))) is not None
    )


def _sentence_start(masked: str, position: int) -> int:
    begin = max(0, position - 400)
    ends = [found.end() for found in _SENTENCE_END.finditer(masked, begin, position)]
    return ends[-1] if ends else begin


def _denied(before: str) -> bool:
    """Whether the words before the verb say that it is not so, or so in another language."""
    clause = _CLAUSE.split(before)[-1]
    return bool(_DENIES.search(clause) or _OTHER_LANGUAGE.search(_UNLIKE.sub("", before)))


def _about(subject: str, before: str, question: Question, verb: re.Match[str]) -> About:
    """What a statement is about, by its subject and, for "it", by the sentence before."""
    tells = verb.re is _VERB and bool(verb["tells"])
    near = subject if verb.re is _VERB else subject[-60:]
    by_code = _about_code(near, question)
    if by_code is About.PART or (by_code is not None and tells):
        return by_code
    if _PART_WORD.search(subject):
        return About.PART
    if _IT.fullmatch(subject) and (it := _about_code(before.rpartition("\n\n")[2], question)):
        return it
    says_it = not subject.strip(" *_`") and verb[0][:2].lower() in ("it", "th")
    concludes = _CONCLUDES.match(subject) and (_PRONOUN.search(subject) or verb.re is _COLON)
    whole = tells or says_it or concludes or _RESULT_NOUN.search(near)
    return About.WHOLE if whole else About.PART


def _about_code(subject: str, question: Question) -> About | None:
    """What the code in the subject says; None if there is no code in it."""
    codes = [code for line in subject.split("\n") for _, _, code in code_spans(line)]
    codes = codes or list(_raw_forms(subject))
    if any(question.asks_for(code) for code in codes):
        return About.WHOLE
    return About.PART if codes else None


def _raw_forms(text: str) -> Iterator[str]:
    position, n_tried = 0, 0
    while n_tried < 5 and (position := text.find("(", position)) >= 0:
        n_tried += 1
        try:
            form = read_form(text[:2000], position)
        except ReadError:
            position += 1
            continue
        if len(form.children) > 1:
            yield form.text
        position = form.end
