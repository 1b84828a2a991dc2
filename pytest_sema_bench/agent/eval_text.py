"""What a model reads of an evaluation: output, and the value or the error with a hint of ours."""

import re

from pytest_sema_bench.dialect import Speech
from pytest_sema_bench.docsearch.hints import hint_for
from pytest_sema_bench.sema.vm import Evaluation, SemaVM

_MAX_LINE_CHARS = 200
"""A value up to this long is shown on one line; the VM itself breaks it after 80."""
# A block of frames and what repeats it: `f` calls itself, or `f` and `g` each other, and so on.
_REPEATED = re.compile(r"((?:^  at [^\n]*\n){1,6}?)\1{2,}", re.MULTILINE)
_HINT = "Hint of this tool, not of the VM: "


async def describe(evaluation: Evaluation, speech: Speech, vm: SemaVM, *, hints: bool) -> str:
    """The text for what a source did. Raises VMError as `SemaVM.info` does."""
    parts, plain = [], evaluation
    evaluation = speech.back(evaluation)
    if evaluation.output:
        parts.append("Output:\n" + "\n".join(evaluation.output))
    if evaluation.error is not None:
        parts.append("Error: " + _one_frame(evaluation.error))
        if hints and (hint := await _hint(plain, speech, vm)):
            parts.append(_HINT + hint)
    elif evaluation.value is not None:
        parts.append("Value: " + _one_line(evaluation.value))
    else:
        parts.append("Value: nil (or the last form is a definition)")
    return "\n".join(parts)


async def _hint(plain: Evaluation, speech: Speech, vm: SemaVM) -> str | None:
    """A hint of ours, which is found by what Sema says of Sema."""
    version = (await vm.info()).version
    return hint_for(plain.error or "", speech.texts[-1], version, speech.dialect)


def _one_line(value: str) -> str:
    """The value on one line if it is short; line ends inside of strings are escaped anyway."""
    line = re.sub(r"\n\s*", " ", value)
    return line if len(line) <= _MAX_LINE_CHARS else value


def _one_frame(error: str) -> str:
    """The error with frames that repeat one another shown once."""

    def once(match: re.Match[str]) -> str:
        block = match[1]
        n_times = len(match[0]) // len(block)
        n_frames = block.count("\n")
        what = "this frame" if n_frames == 1 else f"these {n_frames} frames"
        return f"{block}  … {what} {n_times} times\n"

    return _REPEATED.sub(once, error + "\n").removesuffix("\n")
