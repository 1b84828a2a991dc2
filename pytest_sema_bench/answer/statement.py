"""Where the prose of a message says that something has a value, and of what it says so."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pytest_sema_bench.answer.datum import ARROW, last_side, whole_datum
from pytest_sema_bench.answer.message import code_spans
from pytest_sema_bench.answer.question import Question
from pytest_sema_bench.syntax import ReadError, read_form

T = TypeVar("T")
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
    text: str
    """The rest of the sentence, for a string that is stated without quotes."""
    about: About
    concludes: bool
    """Whether it begins with "so", "therefore" or the like."""
    continues: bool
    """Whether it goes on from the statement before it, as in `a => b => c`."""
    start: int


_TELLS = (
    r"evaluat(?:es?|ed)\s+to|reduces?\s+to|simplif(?:y|ies)\s+to|resolves?\s+to|comes?\s+out\s+(?:to|as)"
    r"|(?:adds?|sums?)\s+(?:up\s+)?to|works?\s+out\s+to|boils\s+down\s+to|amounts?\s+to|results?\s+in|(?:is|be|are)\s+equal\s+to"
    r"|(?:is|are|be)\s+(?:printed|displayed|shown)\s+as|returns?|returned|gives?|yields?|produces?"
    r"|outputs?|prints?|throws?|raises?|signals?"
)
_IS = (
    r"is|are|be|was|it[’']s|that[’']s|equals?|becomes?|gets?|returning|giving|yielding|producing"
    r"|leaving|leaves|evaluating\s+to|resulting\s+in"
)
_VERB = re.compile(rf"\b(?:(?P<tells>{_TELLS})|(?P<is>{_IS}))\b(?!-)", re.IGNORECASE)
_EQUATION = re.compile(rf"(?<=[\s`)*\]}};]){ARROW}(?=[\s`*(\"])|(?<=[`)\]}}*\w\"])\s=\s")
_COLON = re.compile(r"(?<=[\w`)*]):[*_]*(?:[ \t]+(?=\S)|[ \t]*\n)")
_RESULT_NOUN = re.compile(
    r"\b(?:result|answer|value|output|outcome|evaluation|expression)\b", re.IGNORECASE
)
_CONDITION = re.compile(r"[^.,;:!?\n]{0,200}[\s`*](?:if|when|unless|whenever)\b", re.IGNORECASE)
_IT = re.compile(r"\W*(?:it|this|that|which)(?: then)?\s+", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|we|you|this|that)\b", re.IGNORECASE)
_PART_WORD = re.compile(
    r"\b(?:each|every|first|second|third|fourth|inner\w*|sub-?\w*|nested|step|iterations?|test"
    r"|accumulator|acc|predicate|condition|clause|branch|lambda|elements?|arguments?|current"
    r"|initial\w*|default|original|previous|old|starting|intermediate|if|expected|example"
    r"|value\s+of\s+(?!the\b|this\b|that\b|your\b|evaluating\b|`)\w+)\b",
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
    r"\b(?:unlike|as|like|just as) (?:in |with )?[\w ]+,(?! (?:which|where))", re.I
)
_CLAUSE = re.compile(
    r"[,;:—–()]|\b(?:but|however|while|whereas|actually|in fact|so)\b", re.IGNORECASE
)
_CONCLUDES = re.compile(
    r"^[\W_]*(?:and |so |thus |therefore )?(?:so|but|however|therefore|thus|hence|finally|overall"
    r"|in summary"
    r"|in conclusion|to summarize|to conclude|in total|ultimately|the final|final)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?:](?:[*_)]*)\s+(?=[A-Z*`\"(\0])|\n")
_ERROR = re.compile(r"\s*(?:an?\s+)?(?:[\w-]+\s+){0,2}(?:error|exception)\b", re.IGNORECASE)
_REVERSED = re.compile(
    r"(?<=\s)(?:is|as|gets|(?:will|would) be)\s+(?:returned|printed|"
    r"(?:the\s+)?(?:final\s+|return\s+)?"
    r"(?:result|answer|value|output))\b",
    re.IGNORECASE,
)
_BEFORE_ARROW = " *_`>-|•"


def statements(
    prose: str, question: Question, value_at: Callable[[int], str | None]
) -> Iterator[Statement]:
    """The statements of a message's prose, in order; those it denies are left out.

    `value_at` gives the value that stands at a position of the prose.
    """
    masked = masked_code(prose)
    chain_end, chain_line, chain_about = -1, -1, About.PART
    for found in first_and_last(_found(masked)):
        start, end = found.start(), found.end()
        sentence = _sentence_start(masked, start)
        continues = False
        if found.re is _EQUATION:
            line_start = masked.rfind("\n", 0, start) + 1
            subject = prose[max(line_start, start - 2000) : start]
            begins_line = not subject.strip(_BEFORE_ARROW)
            if chain_end >= line_start:
                continues = whole_datum(prose[chain_end:start]) is not None
            else:
                continues = (
                    begins_line and chain_line >= 0 and not prose[chain_line:line_start].strip()
                )
            if continues:
                about = chain_about
            elif begins_line:
                about = _above(prose, line_start, question)
            else:
                about = _about_code(subject[-max(0, start - chain_end) :], question) or About.PART
            chain_end, chain_line, chain_about = end, _line_end(masked, end), about
        elif _denied(masked[sentence:start]):
            continue
        else:
            about = _about(prose[sentence:start], question, found)
            if _IT.fullmatch(prose[sentence:start]):
                before = prose[_sentence_start(masked, max(0, sentence - 1)) : sentence]
                about = _about_code(before.rpartition("\n\n")[2], question) or about
            if _CONDITION.match(masked, end):
                about = About.PART
        value = value_at(end - 1 if found.re is _COLON else end)
        if found.re is _COLON and not _ends_line(prose, found):
            continue
        if value is None and about is About.WHOLE and _ERROR.match(prose, end):
            value = "an error"
        yield Statement(
            value=value,
            text=re.split(r"[.!?]?(?:\n|\s\s|$)|[.!?]\s", prose[end : end + 300], maxsplit=1)[0],
            about=about,
            concludes=bool(_CONCLUDES.match(masked[sentence:start])),
            continues=continues,
            start=start,
        )


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


def _found(masked: str) -> list[re.Match[str]]:
    found = [m for pattern in (_VERB, _EQUATION, _COLON) for m in pattern.finditer(masked)]
    return sorted(found, key=lambda match: match.start())


def _ends_line(prose: str, colon: re.Match[str]) -> bool:
    """Whether what follows a colon is a value and nothing else, on its line or below."""
    line = prose[colon.end() : _line_end(prose, colon.end())][:1000]
    return (
        colon[0].endswith("\n") or (whole_datum(line) or last_side(line.strip(" `*._"))) is not None
    )


def first_and_last(found: Sequence[T]) -> Sequence[T]:
    """All of a few, or the first and last hundred of many: a bound on the work per message."""
    half = _MOST_STATEMENTS // 2
    return found if len(found) <= _MOST_STATEMENTS else [*found[:half], *found[-half:]]


def _sentence_start(masked: str, position: int) -> int:
    begin = max(0, position - 400)
    ends = [found.end() for found in _SENTENCE_END.finditer(masked, begin, position)]
    return ends[-1] if ends else begin


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _denied(before: str) -> bool:
    """Whether the words before the verb say that it is not so, or so in another language."""
    clause = _CLAUSE.split(before)[-1]
    return bool(_DENIES.search(clause) or _OTHER_LANGUAGE.search(_UNLIKE.sub("", before)))


def _about(subject: str, question: Question, verb: re.Match[str]) -> About:
    tells = verb.re is _VERB and bool(verb["tells"])
    near = subject if verb.re is _VERB else subject[-60:]
    by_code = _about_code(near, question)
    if by_code is About.PART or (by_code is not None and tells):
        return by_code
    if _PART_WORD.search(subject):
        return About.PART
    if not subject.strip(" *_`") and verb[0][:2].lower() in ("it", "th"):
        return About.WHOLE
    concludes = _CONCLUDES.match(subject) and (_PRONOUN.search(subject) or verb.re is _COLON)
    whole = tells or concludes or _RESULT_NOUN.search(near)
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


def _above(prose: str, line_start: int, question: Question) -> About:
    """What a line that begins with an arrow is about: the code on the line above it."""
    above = prose[:line_start].rstrip()[-2000:].rsplit("\n", 1)[-1]
    return _about_code(above, question) or About.PART
