"""The `wasm` backend: Node child processes that run the published npm package or your own build.

A host process runs one evaluation at a time, each in a fresh interpreter. A host that
trapped, hung, grew or died is thrown away and the next evaluation gets a new one.
"""

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from threading import Event

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm.host import MEMORY_CAP_BYTES, Host, HostLost, cut_short
from pytest_sema_bench.sema.vm.install import build_hash, install
from pytest_sema_bench.sema.vm.machine_code import (
    code_file,
    holds_code,
    is_missing,
    keep,
    translate,
)
from pytest_sema_bench.sema.vm.node import Node, find_node
from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation, VMInfo
from pytest_sema_bench.sema.vm.slots import Slots
from pytest_sema_bench.settings import Limits

_ERROR_LINE = re.compile(r"^(?:\w*Error: .*)", re.MULTILINE)
"""What Node says of a module that it cannot run, among the lines of its stack."""


class WasmVM:
    """The Sema VM as WebAssembly, in at most `n_hosts` processes started as needed."""

    def __init__(self, n_hosts: int, folder: Path | None = None) -> None:
        """`folder` holds a build of one's own; None for the pinned npm package."""
        self._folder = folder
        self._slots = Slots(n_hosts)
        self._idle: list[Host] = []
        self._busy: set[Host] = set()
        self._ready = asyncio.Lock()
        self._installed: tuple[Node, Path, str] | VMError | None = None
        self._translating = asyncio.Lock()
        self._code: Path | None = None
        self._closed = Event()
        """Seen by the thread that installs, too."""

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """See SemaVM.evaluate. A host lost from outside costs one retry; a second is a VMError."""
        if refused := too_long(sources, limits):
            return refused
        return await self._slots.evaluate(partial(self._evaluate, sources), limits)

    async def _evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        lost: HostLost | None = None
        # The second is a new one, which no earlier program can have harmed.
        for take in (self._take, self._start):
            host = await take()
            try:
                evaluations = await host.evaluate(sources, limits)
            except HostLost as error:
                lost = error
                continue
            finally:
                await self._give_back(host)
            # Earlier programs may have left less memory than the limit: a new host decides.
            if host.was_new or not _out_of_memory(evaluations):
                return evaluations
        assert lost is not None
        if lost.from_outside:
            raise VMError(f"{lost}; a second host did not get to the end either") from lost
        return cut_short([], len(sources), ErrorClass.OTHER, "the program crashed the VM's process")

    async def info(self) -> VMInfo:
        """See SemaVM.info."""
        async with self._slots.one():
            host = await self._take()
            await self._give_back(host)
        node, _, build = await self._install()
        return VMInfo(
            backend="wasm",
            version=host.version,
            build=build,
            host="node v" + ".".join(map(str, node.version)),
            confinement=(
                "a Node process that may read the build, write nothing and start nothing",
                "the VM denies network and writing files; its files are virtual and emptied",
                f"memory: {MEMORY_CAP_BYTES // 2**20} MiB",
            ),
        )

    async def close(self) -> None:
        """End all hosts, also those in the middle of an evaluation."""
        self._closed.set()
        hosts = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(host.end() for host in hosts))

    async def _install(self) -> tuple[Node, Path, str]:
        async with self._ready:
            if self._installed is None:
                try:
                    node = await asyncio.to_thread(find_node)
                    self._installed = node, *await asyncio.to_thread(self._package, node)
                except VMError as error:
                    self._installed = error
        if isinstance(self._installed, VMError):
            # Remembered: each of sixty items would wait for the same failing download.
            raise VMError(str(self._installed)) from self._installed
        return self._installed

    def _package(self, node: Node) -> tuple[Path, str]:
        if self._folder is None:
            return install(node, given_up=self._closed)
        try:
            return self._folder, build_hash(self._folder)
        except OSError as error:
            raise VMError(f"the Sema build in {self._folder} cannot be read: {error}") from error

    async def _take(self) -> Host:
        self._check_open()
        if not self._idle:
            return await self._start()
        host = self._idle.pop()
        self._busy.add(host)
        return host

    async def _start(self) -> Host:
        self._check_open()
        node, package, build = await self._install()
        async with self._translating:
            if self._code is None:
                file = code_file(node, build)
                if is_missing(file):
                    await self._translate(node, package, file)
                self._code = file
        return await self._spawn(node, package, self._code if holds_code(self._code) else None)

    async def _translate(self, node: Node, package: Path, file: Path) -> None:
        """Make the file of machine code, and see that a host can be started with it."""
        host, refused = await self._spawn(node, package, None), True
        try:
            keep(file, await translate(host))
            if not holds_code(file):
                return  # for want of room, say: the next may have it
            self._busy.discard(host)
            await host.end()
            host = await self._spawn(node, package, file)
            refused = not host.translated
        except HostLost as error:
            refused = not error.from_outside
        except VMError:
            pass
        finally:
            self._busy.discard(host)
            await host.end()
        if refused:
            self._check_open()
            keep(file, b"")

    async def _spawn(self, node: Node, package: Path, code: Path | None) -> Host:
        self._check_open()
        with as_file(files("pytest_sema_bench.sema.vm") / "host.mjs") as script:
            host = await Host.spawn(node, package.resolve(), script.resolve(), code)
            self._busy.add(host)
            try:
                await host.be_ready()
            except VMError as error:
                self._check_open()
                raise self._not_a_vm(error) from error
            finally:
                if not host.usable or self._closed.is_set():
                    self._busy.discard(host)
                    await host.end()
        self._check_open()
        return host

    def _not_a_vm(self, error: VMError) -> VMError:
        """The error in one line, if it is about a build of the user's own."""
        if self._folder is None:
            return error
        said = _ERROR_LINE.search(str(error))
        reason = said[0] if said else str(error).partition("\n")[0]
        return VMError(f"the build in {self._folder} is no Sema VM that can be run: {reason}")

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise VMError("the VM has been closed") from None

    async def _give_back(self, host: Host) -> None:
        self._busy.discard(host)
        if host.usable and not self._closed.is_set():
            self._idle.append(host)
        else:
            await host.end()


def too_long(sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...] | None:
    """The evaluations of sources of which one is over the limit, None if none is."""
    for index, source in enumerate(sources):
        n_bytes = len(source.encode("utf-8", "replace"))
        if n_bytes > limits.code_bytes:
            text = f"the source has {n_bytes} bytes, more than the limit of {limits.code_bytes}"
            return cut_short([Evaluation()] * index, len(sources), ErrorClass.OTHER, text)
    return None


def _out_of_memory(evaluations: Sequence[Evaluation]) -> bool:
    return any(evaluation.error_class is ErrorClass.MEMORY for evaluation in evaluations)
