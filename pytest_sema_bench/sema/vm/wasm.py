"""The `wasm` backend: Node child processes that run the published npm package.

A host process runs one evaluation at a time, each in a fresh interpreter. A host that
trapped, hung, grew or died is thrown away and the next evaluation gets a new one.
"""

import asyncio
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm.host import Host, HostLost, cut_short
from pytest_sema_bench.sema.vm.install import install
from pytest_sema_bench.sema.vm.node import Node, find_node
from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation, VMInfo
from pytest_sema_bench.settings import Limits


class WasmVM:
    """The Sema VM of the npm package, in at most `n_hosts` processes started as needed."""

    def __init__(self, n_hosts: int) -> None:
        self._slots = asyncio.Semaphore(n_hosts)
        self._idle: list[Host] = []
        self._busy: set[Host] = set()
        self._ready = asyncio.Lock()
        self._installed: tuple[Node, Path, str] | VMError | None = None
        self._closed = False

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """See SemaVM.evaluate. A host lost from outside costs one retry; a second is a VMError."""
        if too_long := _too_long(sources, limits):
            return too_long
        lost: HostLost | None = None
        async with self._slots:
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
        async with self._slots:
            host = await self._take()
            await self._give_back(host)
        node, _, build = await self._install()
        return VMInfo(
            backend="wasm",
            version=host.version,
            build=build,
            host="node v" + ".".join(map(str, node.version)),
        )

    async def close(self) -> None:
        """End all hosts, also those in the middle of an evaluation."""
        self._closed = True
        hosts = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(host.end() for host in hosts))

    async def _install(self) -> tuple[Node, Path, str]:
        async with self._ready:
            if self._installed is None:
                try:
                    node = await asyncio.to_thread(find_node)
                    self._installed = node, *await asyncio.to_thread(install, node)
                except VMError as error:
                    self._installed = error
        if isinstance(self._installed, VMError):
            # Remembered: each of sixty items would wait for the same failing download.
            raise VMError(str(self._installed)) from self._installed
        return self._installed

    async def _take(self) -> Host:
        self._check_open()
        if not self._idle:
            return await self._start()
        host = self._idle.pop()
        self._busy.add(host)
        return host

    async def _start(self) -> Host:
        self._check_open()
        node, package, _ = await self._install()
        self._check_open()
        with as_file(files("pytest_sema_bench.sema.vm") / "host.mjs") as script:
            host = await Host.spawn(node, package.resolve(), script.resolve())
            self._busy.add(host)
            try:
                await host.be_ready()
            except VMError:
                self._check_open()
                raise
            finally:
                if not host.usable or self._closed:
                    self._busy.discard(host)
                    await host.end()
        self._check_open()
        return host

    def _check_open(self) -> None:
        if self._closed:
            raise VMError("the VM has been closed") from None

    async def _give_back(self, host: Host) -> None:
        self._busy.discard(host)
        if host.usable and not self._closed:
            self._idle.append(host)
        else:
            await host.end()


def _too_long(sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...] | None:
    for index, source in enumerate(sources):
        n_bytes = len(source.encode("utf-8", "replace"))
        if n_bytes > limits.code_bytes:
            text = f"the source has {n_bytes} bytes, more than the limit of {limits.code_bytes}"
            return cut_short([Evaluation()] * index, len(sources), ErrorClass.OTHER, text)
    return None


def _out_of_memory(evaluations: Sequence[Evaluation]) -> bool:
    return any(evaluation.error_class is ErrorClass.MEMORY for evaluation in evaluations)
