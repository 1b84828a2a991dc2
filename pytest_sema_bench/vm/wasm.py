"""The `wasm` backend: Node child processes that run the published npm package.

A host process runs one evaluation at a time, each in a fresh interpreter. A host that
trapped, hung, grew or died is thrown away and the next evaluation gets a new one.
"""

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import psutil

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.vm import ErrorClass, Evaluation, VMInfo
from pytest_sema_bench.vm.classify import classify, classify_trap
from pytest_sema_bench.vm.install import install
from pytest_sema_bench.vm.node import Node, find_node

MEMORY_CAP_BYTES = 4096 * 65_536
"""256 MiB of WebAssembly memory; a memory bomb traps there within a second or two."""
_RETIRE_AT_BYTES = 128 * 1024 * 1024
"""WebAssembly memory never shrinks: a host that has grown to this is replaced."""
_POLL_S = 0.5
_START_LIMIT_S = 60.0
_LINE_LIMIT_BYTES = 64 * 1024 * 1024
_OUTSIDE_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class _HostLost(Exception):
    """The host ended without a word, in the middle of an evaluation or before it."""

    def __init__(self, returncode: int | None) -> None:
        super().__init__(f"the VM's host process ended with return code {returncode}")
        self.from_outside = returncode is None or -returncode in _OUTSIDE_SIGNALS


class _Overdue(Exception):
    """A source used up its processor or wall time."""


class _Host:
    """One Node process with the VM in it."""

    def __init__(self, process: asyncio.subprocess.Process, version: str) -> None:
        self.version = version
        self.usable = True
        self._process = process
        self._usage = psutil.Process(process.pid)
        self._n_requests = 0

    @classmethod
    async def start(cls, node: Node, package: Path, script: Path) -> "_Host":
        """A host that has said it is ready. Raises VMError."""
        command = [str(node.executable), f"--wasm-max-mem-pages={MEMORY_CAP_BYTES // 65_536}"]
        command += ["--no-warnings", "--max-old-space-size=512"]
        if node.permission_flag:
            command += [node.permission_flag, f"--allow-fs-read={package}"]
            command += [f"--allow-fs-read={script}"]
        process = await asyncio.create_subprocess_exec(
            *command,
            str(script),
            str(package),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise VMError(await _last_words(process))
        return cls(process, json.loads(line)["ready"]["version"])

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """As SemaVM.evaluate. Raises _HostLost; any way but a clean end makes the host unusable."""
        self._n_requests += 1
        request = {
            "id": self._n_requests,
            "sources": list(sources),
            "max_chars": limits.output_bytes,
        }
        self.usable = False
        self._arm_orphan_guard(limits, len(sources))
        await self._send(request)
        done: list[Evaluation] = []
        while True:
            try:
                reply = await self._reply(limits)
            except _Overdue as overdue:
                await self.end()
                return _pad(done, len(sources), ErrorClass.TIME, str(overdue))
            if "trap" in reply:
                await self.end()
                return self._trapped(done, len(sources), reply)
            if reply.get("done"):
                self.usable = reply["memory"] < _RETIRE_AT_BYTES
                return tuple(done)
            done.append(_evaluation(reply))

    async def end(self) -> None:
        """Kill the process and wait for it."""
        self.usable = False
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        await self._process.wait()

    async def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise _HostLost(await self._process.wait()) from None

    async def _reply(self, limits: Limits) -> dict[str, Any]:
        """The next line about the current request, while it keeps inside its limits."""
        assert self._process.stdout is not None
        started, cpu_before = time.monotonic(), self._cpu_s()
        reading = asyncio.ensure_future(self._process.stdout.readline())
        try:
            while not (await asyncio.wait({reading}, timeout=_POLL_S))[0]:
                cpu_s, wall_s = self._cpu_s() - cpu_before, time.monotonic() - started
                if cpu_s > limits.cpu_s:
                    raise _Overdue(f"stopped after {limits.cpu_s:g} s of processor time")
                if wall_s > limits.wall_s:
                    raise _Overdue(f"stopped after {limits.wall_s:g} s")
        finally:
            if not reading.done():
                reading.cancel()
        line = reading.result()
        if not line.endswith(b"\n"):
            raise _HostLost(await self._process.wait())
        message: dict[str, Any] = json.loads(line)
        return message

    def _cpu_s(self) -> float:
        try:
            times = self._usage.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def _arm_orphan_guard(self, limits: Limits, n_sources: int) -> None:
        """Where the system can (Linux), let the kernel end a host whose parent was killed."""
        if hasattr(self._usage, "rlimit"):
            soft = int(self._cpu_s() + limits.cpu_s * n_sources) + 60
            try:
                _, hard = self._usage.rlimit(psutil.RLIMIT_CPU)
                self._usage.rlimit(psutil.RLIMIT_CPU, (soft, hard))
            except (psutil.Error, OSError, ValueError):
                pass

    @staticmethod
    def _trapped(done: list[Evaluation], n: int, reply: dict[str, Any]) -> tuple[Evaluation, ...]:
        error_class = classify_trap(
            reply["trap"], memory_bytes=reply["memory"], cap_bytes=MEMORY_CAP_BYTES
        )
        if error_class is ErrorClass.MEMORY:
            text = f"out of memory (the limit is {MEMORY_CAP_BYTES // 2**20} MiB)"
        else:
            text = f"the VM trapped: {reply['trap']}"
        return _pad(done, n, error_class, text)


class WasmVM:
    """The Sema VM of the npm package, in at most `n_hosts` processes started as needed."""

    def __init__(self, n_hosts: int) -> None:
        self._slots = asyncio.Semaphore(n_hosts)
        self._idle: list[_Host] = []
        self._busy: set[_Host] = set()
        self._ready = asyncio.Lock()
        self._installed: tuple[Node, Path, str] | None = None
        self._closed = False

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """See SemaVM.evaluate. A host lost from outside costs one retry; a second is a VMError."""
        if too_long := _too_long(sources, limits):
            return too_long
        async with self._slots:
            for attempt in (1, 2):
                host = await self._take()
                try:
                    return await host.evaluate(sources, limits)
                except _HostLost as lost:
                    if attempt == 2 and lost.from_outside:
                        raise VMError(f"{lost}, twice in a row") from lost
                finally:
                    await self._give_back(host)
        # Twice by a signal of its own: the program does it, not the world.
        return _pad([], len(sources), ErrorClass.OTHER, "the program crashed the VM's process")

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
                node = await asyncio.to_thread(find_node)
                package, build = await asyncio.to_thread(install, node)
                self._installed = node, package, build
        return self._installed

    async def _take(self) -> _Host:
        if self._closed:
            raise VMError("the VM has been closed")
        if self._idle:
            host = self._idle.pop()
        else:
            node, package, _ = await self._install()
            with as_file(files("pytest_sema_bench.vm") / "host.mjs") as script:
                host = await _Host.start(node, package.resolve(), script.resolve())
        self._busy.add(host)
        return host

    async def _give_back(self, host: _Host) -> None:
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
            return _pad([Evaluation()] * index, len(sources), ErrorClass.OTHER, text)
    return None


def _pad(
    done: list[Evaluation], n: int, error_class: ErrorClass, text: str
) -> tuple[Evaluation, ...]:
    """`done`, then the failing source, then one not-run Evaluation for each that is left."""
    failed = Evaluation(error=text, error_class=error_class)
    rest = replace(failed, error=f"not run: an earlier source ended the interpreter ({text})")
    return (*done, failed, *[rest] * (n - len(done) - 1))[:n]


def _evaluation(reply: dict[str, Any]) -> Evaluation:
    output = tuple(reply["output"] or ())
    if reply["error"] is None:
        return Evaluation(value=reply["value"], output=output)
    error_class, name = classify(reply["error"])
    return Evaluation(output=output, error=reply["error"], error_class=error_class, error_name=name)


async def _last_words(process: asyncio.subprocess.Process) -> str:
    if process.returncode is None:
        process.kill()
    assert process.stderr is not None
    words = (await process.stderr.read()).decode("utf-8", "replace").strip()
    await process.wait()
    return f"the VM's host process did not start: {words[-2000:] or 'it said nothing'}"
