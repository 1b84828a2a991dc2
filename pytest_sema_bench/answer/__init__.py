"""Finds the answer in a model's final message. The rules are written out in docs/extraction.md.

`extract` is the whole of it. The parts: `message` takes a message apart, `code` chooses among
its blocks and `source` reads one, `value` chooses among its statements and `datum` reads one.
Nothing here runs anything.
"""

from dataclasses import dataclass

from pytest_sema_bench.answer.code import extract_expression, extract_program
from pytest_sema_bench.answer.message import read_message
from pytest_sema_bench.answer.question import Question
from pytest_sema_bench.answer.value import find_value
from pytest_sema_bench.task import GradeKind

__all__ = ["Extracted", "extract"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What counts as the answer."""

    blocks: tuple[str, ...]
    """Sources in the order they are loaded; for a value one text; () if there is none."""
    rule: str
    """Which rule found it, in the words of docs/extraction.md."""


def extract(text: str, kind: GradeKind, prompt: str = "") -> Extracted:
    """The answer in a message: code for a program or an expression, or the value it states.

    `prompt` tells the value asked for from the values of steps. Never raises.
    """
    message = read_message(text)
    if kind is GradeKind.VALUE:
        found = find_value(message, Question.read(prompt))
        return Extracted(blocks=(found[0],), rule=found[1]) if found else _NOTHING_STATED
    choose = extract_program if kind is GradeKind.PROGRAM else extract_expression
    blocks, rule = choose(message)
    return Extracted(blocks=blocks, rule=rule)


_NOTHING_STATED = Extracted(blocks=(), rule="no value")
