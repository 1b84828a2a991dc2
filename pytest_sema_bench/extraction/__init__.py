"""Finds the answer in a model's final message. The rules are written out in docs/extraction.md.

`extract` is the whole of it. `message` takes a message apart. For code, `source` reads a piece of
it, `block_role` the prose above a block, and `code` chooses. For a value, `notation` finds what is
written as one, `claims` what the sentences say of it, and `value` chooses. Nothing here runs
anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pytest_sema_bench.extraction.asked import AskedCode
from pytest_sema_bench.extraction.code import choose_expression, choose_program
from pytest_sema_bench.extraction.message import read_message
from pytest_sema_bench.extraction.value import choose_value
from pytest_sema_bench.suite.task import GradeKind

__all__ = ["Extracted", "as_answer", "extract", "fenced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What counts as the answer."""

    blocks: tuple[str, ...]
    """Sources in the order they are loaded; for a value one text; () if there is none."""
    rule: str
    """Which rule found it, in the words of docs/extraction.md."""


def extract(
    text: str, kind: GradeKind, prompt: str = "", to_sema: Callable[[str], str] = str
) -> Extracted:
    """The answer in a message: code for a program or an expression, or the value it states.

    `prompt` tells the value of what was asked from the values of its parts. `to_sema` makes Sema of
    code in another language, so that definitions are seen; what comes back is the code as it was.
    Never raises, and takes time in proportion to the text.
    """
    message = replace(read_message(text), to_sema=to_sema)
    if kind is GradeKind.VALUE:
        value, rule = choose_value(message, AskedCode.read(prompt))
        return Extracted(blocks=() if value is None else (value,), rule=rule)
    choose = choose_program if kind is GradeKind.PROGRAM else choose_expression
    blocks, rule = choose(message)
    return Extracted(blocks=blocks, rule=rule)


def as_answer(kind: GradeKind, text: str) -> str:
    """An answer as a model sends it: a value on a marked line, code in a fenced block."""
    return f"Value: {text.strip()}" if kind is GradeKind.VALUE else fenced(text)


def fenced(code: str) -> str:
    """Code as a model sends it."""
    return f"```sema\n{code.rstrip()}\n```"
