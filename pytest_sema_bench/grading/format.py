"""How values and messages of the VM stand in a verdict: short, and the same at each grading."""

import re

from pytest_sema_bench.sema.value import Value

MAX_CHARS = 4_000
"""Longest text in a verdict; of a longer one head and tail are kept."""

# `  at f (<input>:1:2)` of a frame; a reader's error, `  at <input>:1:2`, keeps its place.
_POSITION = re.compile(r"(?<=\S) \(<input>:\d+:\d+\)$", re.MULTILINE)
# `tmp__17`, but not `x__1b` or `x__1.5`, which a program has named itself.
_GENERATED = re.compile(r"(?<=__)\d+(?![\w.])")


def shown_value(value: Value | None) -> str | None:
    """The value as Sema prints it, cut to head and tail; None for none."""
    if value is None:
        return None
    text = str(value)
    return cut(steady(text) if _holds_generated(value) else text)


def shown_message(message: str | None) -> str | None:
    """The message without its frames' positions, cut to head and tail; None for none.

    What a macro made has the position of whatever stood at the same address before.
    """
    return None if message is None else cut(steady(_POSITION.sub("", message)))


def steady(text: str) -> str:
    """The text with the numbers of generated symbols (`tmp__17`) counted from 1.

    The VM counts them on from one interpreter to the next, so they differ from run to run.
    """
    numbers: dict[str, int] = {}
    return _GENERATED.sub(lambda m: str(numbers.setdefault(m[0], len(numbers) + 1)), text)


def cut(text: str, head: int = MAX_CHARS // 2, tail: int = MAX_CHARS // 2) -> str:
    """The text, or its head and tail with a line between them that says what is left out."""
    left_out = len(text) - head - tail
    if left_out <= 0:
        return text
    return f"{text[:head]}\n… {left_out} characters left out …\n{text[-tail:]}"


def _holds_generated(value: Value) -> bool:
    generated = value.type == "symbol" and _GENERATED.search(value.text) is not None
    return generated or any(map(_holds_generated, value.items))
