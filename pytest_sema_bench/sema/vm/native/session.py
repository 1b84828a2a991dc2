"""One evaluation in a `sema mcp` process: what it is sent, what it answers, how it is lost.

A source goes to a tool that the driver (driver.sema) defines first. The tool's name, and the mark
that sets a value apart from what the program printed, are random, and a reply counts only if it
holds the random id of its request. Requests go one at a time: a program that reads the standard
input can swallow the next one, but it is not run on before another one has come.
"""

import json
import re
import secrets
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm.native.cell import MEMORY_BYTES, Cell
from pytest_sema_bench.sema.vm.native.confined import Confined
from pytest_sema_bench.sema.vm.protocol import ErrorClass
from pytest_sema_bench.sema.vm.watch import Overdue, watched
from pytest_sema_bench.settings import Limits

_START = Limits(cpu_s=60.0, wall_s=60.0)
_ARGUMENTS = ("mcp", "--sandbox", "all", "--timeout-ms", "600000")
"""After ten minutes a call ends by itself, should nobody be left to end it."""
_ERROR = "\nError: "
_FRAMES = re.compile(r"(?:^  at .*(?:\n|\Z))+", re.MULTILINE)
"""The frames of an error; hint and note may follow them."""
_OWN_FRAMES = "  at <lambda>\n  at <lambda>"
"""The driver's tool, and the call of it."""
# What Rust's runtime says as it aborts.
_BY_WORDS = (("memory allocation of ", ErrorClass.MEMORY), ("its stack", ErrorClass.STACK))
_FROM_OUTSIDE = frozenset({1, 2, 9, 15})
"""SIGHUP, SIGINT, SIGKILL, SIGTERM."""
_SEGMENTATION = 11
"""What a stack that overflows ends in, where the binary cannot say so."""


class SessionLost(Exception):
    """The process ended in the middle of a source."""

    def __init__(self, message: str, error_class: ErrorClass | None) -> None:
        super().__init__(message)
        self.error_class = error_class
        """What the program did; None if somebody else ended the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceResult:
    """What one source did."""

    printed: str
    value: str | None = None
    error: str | None = None
    """The message with frames and hint, without the driver's frames."""


class Session:
    """A process with one interpreter in it."""

    def __init__(self, confined: Confined) -> None:
        self._confined = confined
        self._tool = f"t{secrets.token_hex(12)}"

    @classmethod
    async def open(cls, cell: Cell, folder: Path, cpu_s: float) -> "Session":
        """A session that takes sources. Raises VMError if the binary does not do its part."""
        session = cls(await Confined.spawn(cell, folder, *_ARGUMENTS))
        try:
            code = _driver().replace("HANDLER", f"f{secrets.token_hex(12)}")
            code = code.replace("TOOL", session._tool)
            text, failed = await session._call("eval", {"code": code}, _START)
            if failed:
                raise VMError(f"{cell.binary} cannot be used: it answers {text.strip()!r}")
            session._confined.confine(cpu_s)
        except BaseException as error:
            await session.close()
            if isinstance(error, SessionLost | Overdue):
                raise VMError(f"{cell.binary} mcp did not start: {error}") from error
            raise
        return session

    async def run(self, source: str, limits: Limits) -> SourceResult:
        """What a source does. Raises Overdue and SessionLost."""
        # JSON has no place for half a surrogate pair, nor have Sema's strings.
        source = source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        half = limits.output_bytes // 2
        mark = secrets.token_hex(12)
        arguments = {"source": source, "mark": mark, "half": half + 1}
        text, failed = await self._call(self._tool, arguments, limits)
        if failed:
            printed, _, message = text.rpartition(_ERROR)
            return SourceResult(printed=printed, error=_without_own_frames(message or text))
        printed, found, told = text.rpartition(mark)
        if not found:  # The server keeps the first megabyte only, of output and value together.
            printed = text
            text, _ = await self._call(self._tool, {"mark": mark, "half": 0}, limits)
            told = text.rpartition(mark)[2]
        return SourceResult(printed=printed, value=_value(told, half))

    async def close(self) -> None:
        """End the process."""
        await self._confined.end()

    async def _call(self, tool: str, arguments: dict[str, Any], limits: Limits) -> tuple[str, bool]:
        """The text of a tool's reply, and whether it tells of an error."""
        request_id = secrets.token_hex(12)
        params = {"name": tool, "arguments": arguments}
        request = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        asking = self._ask(json.dumps(request).encode() + b"\n", request_id.encode())
        result = await watched(asking, self._confined.cpu_s, limits)
        return result["content"][0]["text"], result["isError"]

    async def _ask(self, request: bytes, request_id: bytes) -> dict[str, Any]:
        try:
            self._confined.stdin.write(request)
            await self._confined.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._loss() from None
        while line := await self._line():
            at = line.find(request_id)
            if at >= 0:
                # What a program wrote past the server may stand before the reply.
                result: dict[str, Any] = json.loads(line[line.rfind(b"{", 0, at) :])["result"]
                return result
        raise await self._loss()

    async def _line(self) -> bytes:
        assert self._confined.stdout is not None
        try:
            return await self._confined.stdout.readline()
        except ValueError:
            raise SessionLost("a line without end on standard output", ErrorClass.OTHER) from None

    async def _loss(self) -> SessionLost:
        """Why the process is gone."""
        signal, words = await self._confined.signal(), await self._confined.words()
        for said, error_class in _BY_WORDS:
            if said in words:
                return SessionLost(_LOST[error_class], error_class)
        if signal == _SEGMENTATION:
            return SessionLost(_LOST[ErrorClass.STACK], ErrorClass.STACK)
        last = words.strip().splitlines()[-1:] or ["no word"]
        how = f"it ended by signal {signal}" if signal else "it ended"
        message = f"the VM's process is gone: {how}, with {last[0][:200]!r}"
        return SessionLost(message, None if signal in _FROM_OUTSIDE else ErrorClass.OTHER)


_LOST = {
    ErrorClass.MEMORY: f"out of memory (the limit is {MEMORY_BYTES // 2**20} MiB)",
    ErrorClass.STACK: "stack overflow in the VM itself: a value is nested too deeply",
}


@cache
def _driver() -> str:
    return (files(__package__) / "driver.sema").read_text("utf-8")


def _without_own_frames(message: str) -> str:
    """The message without the two frames that stand below every program."""
    blocks = list(_FRAMES.finditer(message))
    if not blocks:
        return message
    start, end = blocks[-1].span()
    frames = message[start:end].rstrip("\n")
    if not frames.endswith(_OWN_FRAMES):
        return message
    rest = frames.removesuffix(_OWN_FRAMES) + message[end:]
    return (message[:start] + rest).rstrip("\n")


def _value(told: str, half: int) -> str | None:
    """The printed value from what the driver tells: `nil`, or its length and its text in a list.

    A long one comes as head and tail.
    """
    if told == "nil":
        return None
    length, _, text = told.partition(" ")
    left_out = int(length) - len(text)
    text = text[1:-1]
    if not left_out:
        return text
    return f"{text[:half]}\n… {left_out} characters left out …\n{text[half:]}"
