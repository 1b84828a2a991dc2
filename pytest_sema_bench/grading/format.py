"""How values and messages of the VM stand in a verdict: short, and the same at each grading."""

import re

from pytest_sema_bench.sema.value import Value

MAX_CHARS = 4_000
"""Longest text in a verdict; of a longer one head and tail are kept."""

# `  at f (<input>:1:2)` of a frame; a reader's error, `  at <input>:1:2`, keeps its place.
_POSITION = re.compile(r"(?<=\S) \(<input>:\d+:\d+\)$", re.MULTILINE)


def shown_value(value: Value | None) -> str | None:
    """The value as Sema prints it, cut to head and tail; None for none."""
    return None if value is None else cut(str(value))


def shown_message(message: str | None) -> str | None:
    """The message without its frames' positions, cut to head and tail; None for none.

    What a macro made has the position of whatever stood at the same address before.
    """
    return None if message is None else cut(_POSITION.sub("", message))


def cut(text: str, head: int = MAX_CHARS // 2, tail: int = MAX_CHARS // 2) -> str:
    """The text, or its head and tail with a line between them that says what is left out."""
    left_out = len(text) - head - tail
    if left_out <= 0:
        return text
    return f"{text[:head]}\n… {left_out} characters left out …\n{text[-tail:]}"
