"""The VM over a `sema` binary: which one it is, and an evaluation in a process of its own."""

import asyncio
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm.classify import classify
from pytest_sema_bench.sema.vm.host import cut_short
from pytest_sema_bench.sema.vm.native.cell import ENVIRONMENT, Cell, make_cell
from pytest_sema_bench.sema.vm.native.retrace import retraced
from pytest_sema_bench.sema.vm.native.session import Session, SessionLost, SourceResult
from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation, VMInfo
from pytest_sema_bench.sema.vm.slots import Slots
from pytest_sema_bench.sema.vm.wasm import too_long
from pytest_sema_bench.sema.vm.watch import Overdue
from pytest_sema_bench.settings import Limits

_SPARE_CPU_S = 60.0
"""What a process may use above what we would end it for: it matters only once we are gone."""
_ASK_LIMIT_S = 60
_SURE = frozenset({ErrorClass.UNBOUND, ErrorClass.ARITY, ErrorClass.PARSE, ErrorClass.STACK})
"""Classes that the message itself tells."""
_VERSION = re.compile(r"sema (\d+\.\d+\.\d+\S*)\s*")
_NEEDED = {
    "mcp": ("--sandbox", "--timeout-ms"),
    "eval": ("--stdin", "--no-llm", "--sandbox", "--timeout"),
}
"""The options that are used of Sema's commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Binary:
    """A binary that is a Sema that can be used."""

    cell: Cell
    version: str
    build: str
    folder: Path
    """An empty folder to work in, where there are no namespaces."""


class NativeVM:
    """A `sema` binary, in at most `n_hosts` processes at a time."""

    def __init__(self, n_hosts: int, binary: Path) -> None:
        self._path = binary
        self._slots = Slots(n_hosts)
        self._running: set[Session] = set()
        self._ready = asyncio.Lock()
        self._binary: _Binary | VMError | None = None
        self._closed = False

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """See SemaVM.evaluate. A process that is killed costs one retry; a second is a VMError."""
        if refused := too_long(sources, limits):
            return refused
        binary = await self._find()

        async def evaluate(limits: Limits) -> tuple[Evaluation, ...]:
            try:
                return await self._evaluate(binary, sources, limits)
            except SessionLost:
                pass
            try:
                return await self._evaluate(binary, sources, limits)
            except SessionLost as lost:
                raise VMError(f"{lost}; a second one did not get to the end") from lost

        return await self._slots.evaluate(evaluate, limits)

    async def info(self) -> VMInfo:
        """See SemaVM.info."""
        binary = await self._find()
        await self.evaluate(["nil"], Limits())
        return VMInfo(
            backend="native",
            version=binary.version,
            build=binary.build,
            host=str(self._path),
            confinement=binary.cell.measures,
        )

    async def close(self) -> None:
        """End all processes, also those in the middle of an evaluation."""
        self._closed = True
        await asyncio.gather(*(session.close() for session in self._running))
        if isinstance(self._binary, _Binary):
            await asyncio.to_thread(shutil.rmtree, self._binary.folder, ignore_errors=True)

    async def _evaluate(
        self, binary: _Binary, sources: Sequence[str], limits: Limits
    ) -> tuple[Evaluation, ...]:
        """As `evaluate`. Raises SessionLost if somebody else ended the process."""
        self._check_open()
        cpu_s = _SPARE_CPU_S + limits.cpu_s * len(sources)
        session = await Session.open(binary.cell, binary.folder, cpu_s)
        self._running.add(session)
        done: list[Evaluation] = []
        try:
            for source in sources:
                done.append(_evaluation(await session.run(source, limits), limits))
        except Overdue as overdue:
            return cut_short(done, len(sources), ErrorClass.TIME, str(overdue))
        except SessionLost as lost:
            self._check_open()
            if lost.error_class is None:
                raise
            return cut_short(done, len(sources), lost.error_class, str(lost))
        finally:
            self._running.discard(session)
            await session.close()
        return await self._classified(binary, sources, done, limits)

    async def _classified(
        self,
        binary: _Binary,
        sources: Sequence[str],
        evaluations: list[Evaluation],
        limits: Limits,
    ) -> tuple[Evaluation, ...]:
        """The evaluations with the classes of their errors, the first one with its positions."""
        run: list[str] = []
        traced = False
        for index, (source, evaluation) in enumerate(zip(sources, evaluations, strict=True)):
            if evaluation.error is None:
                run.append(source)
                continue
            message = evaluation.error
            error_class, error_name = classify(message, sources[: index + 1])
            # Of several sources nobody sees the positions: they only help to classify.
            if not traced and (len(sources) == 1 or error_class not in _SURE):
                message = await retraced(message, [*run, source], binary.cell, binary.folder)
                message, traced = _cut(message, limits.output_bytes), True
                error_class, error_name = classify(message, sources[: index + 1])
            evaluations[index] = replace(
                evaluation, error=message, error_class=error_class, error_name=error_name
            )
        return tuple(evaluations)

    def _check_open(self) -> None:
        if self._closed:
            raise VMError("the VM has been closed") from None

    async def _find(self) -> _Binary:
        async with self._ready:
            if self._binary is None:
                try:
                    self._binary = await asyncio.to_thread(_find, self._path)
                except VMError as error:
                    self._binary = error
        if isinstance(self._binary, VMError):
            raise VMError(str(self._binary)) from self._binary
        return self._binary


def _find(path: Path) -> _Binary:
    """The binary, asked what it is. Raises VMError in one line."""
    cell = make_cell(path)
    said = _ask(cell, "--version")
    version = _VERSION.fullmatch(said)
    if version is None:
        first = said.strip().partition("\n")[0][:200]
        raise VMError(f"{path} is no Sema: `--version` says {first!r}, expected `sema 2.0.0`")
    for command, options in _NEEDED.items():
        known = _ask(cell, command, "--help")
        if missing := [option for option in options if option not in known.split()]:
            raise VMError(
                f"{path} is Sema {version[1]}, whose `{command}` has no {', '.join(missing)}; "
                "--sema-vm=native needs it (2.0.0 has it); --sema-vm=wasm:FOLDER may do"
            )
    try:
        with path.open("rb") as file:
            build = hashlib.file_digest(file, "sha256").hexdigest()
        folder = Path(tempfile.mkdtemp(prefix="sema-bench-"))
    except OSError as error:
        raise VMError(f"{path} cannot be used: {error}") from error
    # What one program writes must not be there for the next.
    folder.chmod(0o555)
    return _Binary(cell=cell, version=version[1], build=build, folder=folder)


def _ask(cell: Cell, *arguments: str) -> str:
    """What the binary prints."""
    try:
        done = subprocess.run(
            cell.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=ENVIRONMENT,
            timeout=_ASK_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VMError(f"{cell.binary} cannot be run: {error}") from error
    return done.stdout


def _evaluation(answer: SourceResult, limits: Limits) -> Evaluation:
    """The evaluation, whose error has no class yet."""
    error = None if answer.error is None else _cut(answer.error, limits.output_bytes)
    printed = _cut(answer.printed.removesuffix("\n"), limits.output_bytes)
    lines = tuple(printed.split("\n")) if answer.printed else ()
    return Evaluation(value=answer.value, output=lines, error=error)


def _cut(text: str, limit: int) -> str:
    """Head and tail of a text over the limit, and between them how much was left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
