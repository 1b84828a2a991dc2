"""Long and hostile messages: extraction takes time in proportion to the text.

What would take quadratic time takes hours at this length; the guard is processor time, far
above what is needed, so that no verdict of a test hangs on a busy machine.
"""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from pytest_sema_bench.extraction import extract
from pytest_sema_bench.suite.task import GradeKind

_LENGTH = 200_000
_GUARD_S = 120.0
_PROMPT = "Evaluate: (+ 1 2)"

_REPEATED = {
    "open brackets": "(",
    "open forms on lines": "(a\n",
    "unclosed definitions": "(define (f x) ",
    "whole forms on lines": "(a)\n",
    "open strings": '("',
    "open interpolations": 'f"${',
    "quotes": "'",
    "single backticks": "`",
    "code spans": "`a` = ",
    "runs of backticks": "``",
    "fences": "```\n",
    "tagged fences": "```lisp\n(",
    "definitions in blocks": "```\n(define a 1)\n```\n",
    "bold marks": "**",
    "prompts": "sema> (\n",
    "arrows": "=> (\n",
    "equals signs": "=",
    "arrows on lines": "\n\n=> ",
    "semicolons": "; ;",
    "labels": "Result: (\n",
    "labels on one line": "Result: ",
    "statements": "the result is (",
    "boxes": "\\boxed{",
    "broken forms": "(a (b (c]",
    "table rows": "| a | b |\n",
    "thoughts": "<think>",
    "turn ends": "<|im_end|>",
    "blanks": " ",
    "empty lines": "\n",
    "changes of mind": "Wait, ",
    "numbers with commas": "1,000",
    "NUL bytes": "\0001\0",
    "lone surrogates": "\ud800 ",
}


@pytest.fixture
def guard() -> Iterator[None]:
    """Ends a test that would go on for hours."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still at work after {_GUARD_S:.0f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _GUARD_S)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.usefixtures("guard")
@pytest.mark.parametrize("piece", _REPEATED.values(), ids=_REPEATED)
def test_a_long_message_is_read_to_its_end(piece: str) -> None:
    """200 KB of the same piece, an answer at the end: no rule goes over it again and again."""
    text = (piece * _LENGTH)[:_LENGTH]
    for kind in (GradeKind.PROGRAM, GradeKind.VALUE):
        assert extract(f"{text}\n\n(+ 1 2) => 3\n", kind, _PROMPT).rule


@pytest.mark.parametrize("opener", ["(", "[", "{", "'", "`", "#(", 'f"${', "> ", "**", "\\boxed{"])
def test_deep_nesting_is_no_error(opener: str) -> None:
    """Deeper than Python's stack."""
    for kind in GradeKind:
        extract(opener * 5_000 + "1", kind, _PROMPT)


def test_the_answer_is_found_behind_a_long_text() -> None:
    """Thirty thousand words of thought hide neither a block nor a value line."""
    thought = "Then we think about it some more. " * 6_000
    block = "(define (f x) x)"
    assert extract(f"{thought}\n```sema\n{block}\n```", GradeKind.PROGRAM).blocks == (block,)
    assert extract(f"{thought}\n\nValue: 3", GradeKind.VALUE, _PROMPT).blocks == ("3",)
