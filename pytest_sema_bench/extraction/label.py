"""Lines that name what they hold: `Result: 3`, `**Final answer:** 3`, a heading `## Value`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_sema_bench.extraction.datum import ARROW
from pytest_sema_bench.extraction.message import code_spans
from pytest_sema_bench.extraction.question import Question

_LABEL = re.compile(
    r"^[\s>*_#|;•✅➡️-]*(?:\d+[.)]\s*)?[*_]*(?:the\s+|my\s+|so,?\s+(?:the\s+)?)?"
    r"(?P<label>(?P<final>final\s+)?"
    r"(?:(?:actual|correct|return|returned|evaluated|printed|sema)\s+)?"
    r"(?:value|answer|result|output|ans|returns?|evaluates\s+to|evaluation|prints"
    r"|(?:最终)?(?:结果|答案|值|输出)))"
    r"(?P<of>\s+(?:of|for|from)\s)?",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(rf"(?:[\s*_]|\(s\))*(?::|{ARROW}|=|\||—|–)+[\s*_|]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A line that says what it holds."""

    is_final: bool
    """Whether it says "final"."""
    is_output: bool
    """Whether it tells what was printed, which is not the value."""
    start: int
    value_at: int
    """Where the value begins: behind the label, at the line's end if nothing follows."""
    rest: str
    """The line from there on."""


def labels(text: str, question: Question) -> Iterator[Label]:
    """The labelled lines of a text, in order; not those about a part of the question."""
    start = 0
    for line in text.split("\n"):
        found = _LABEL.match(line[:400])
        position = _after_label(line, found, question) if found else None
        if found and position is not None:
            yield Label(
                is_final=bool(found["final"]),
                is_output=bool(re.match(r"out|prints", found["label"], re.IGNORECASE)),
                start=start,
                value_at=start + position,
                rest=line[position:],
            )
        start += len(line) + 1


def _after_label(line: str, label: re.Match[str], question: Question) -> int | None:
    """Where a label's value begins in its line; None if it is a sentence or about a part."""
    position = label.end()
    if label["of"]:
        span = next((span for span in code_spans(line) if span[0] >= position), None)
        if span is None or not question.asks_for(span[2]):
            return None
        position = span[1]
    if separator := _SEPARATOR.match(line, position):
        return separator.end()
    return None if line[position:].strip("*_# \t") else len(line)
