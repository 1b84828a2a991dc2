"""Where in its source a program failed: `sema mcp` does not say, `sema eval` does.

The sources are run again as one program, each line at a known distance from the start. If that
ends in the same error, its frames have the positions that are missing; nothing else is taken
from this second run.
"""

import asyncio
import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from pytest_sema_bench.sema.vm.native.cell import Cell
from pytest_sema_bench.sema.vm.native.confined import Confined

_LIMIT_S = 10
# The line of a position: lines move as sources are put together, columns do not.
_POSITION = re.compile(r"(?<=<input>:)\d+(?=:\d+)")
_ARGUMENTS = ("eval", "--stdin", "--no-llm", "--sandbox", "all", "--timeout")


async def retraced(message: str, sources: Sequence[str], cell: Cell, folder: Path) -> str:
    """The message of the last source's error with positions, as it is where there are none."""
    if _POSITION.search(message):  # The reader's errors have theirs.
        return message
    arguments = (*_ARGUMENTS, str(1000 * _LIMIT_S))
    confined = await Confined.spawn(cell, folder, *arguments, heard=False)
    try:
        async with asyncio.timeout(_LIMIT_S):
            await asyncio.to_thread(confined.confine, _LIMIT_S)
            confined.stdin.write("\n".join(sources).encode("utf-8", "replace"))
            confined.stdin.close()
            words = await confined.words()
            await confined.signal()
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        return message
    finally:
        await confined.end()
    first = message.partition("\n")[0]
    _, found, rest = words.rpartition(f"Error: {first}\n")
    if not found:
        return message
    return f"{first}\n{_own_lines(rest.rstrip(), sources)}".rstrip("\n")


def _own_lines(frames: str, sources: Sequence[str]) -> str:
    """The frames with each line counted from the start of its own source."""
    starts = list(accumulate((source.count("\n") + 1 for source in sources), initial=0))

    def renumber(found: re.Match[str]) -> str:
        line = int(found[0])
        return str(line - max(start for start in starts if start < line))

    return _POSITION.sub(renumber, frames)
