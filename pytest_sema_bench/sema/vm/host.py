"""One Node process with the VM in it: what it is sent, what it answers, how it ends.

The other end of the conversation is host.mjs. How many hosts there are, and which evaluation
gets which, is decided in `wasm`.
"""

import asyncio
import base64
import json
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm import forked
from pytest_sema_bench.sema.vm.classify import classify, classify_trap
from pytest_sema_bench.sema.vm.node import Node
from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation
from pytest_sema_bench.sema.vm.watch import OF_PROCESSOR_TIME, Overdue
from pytest_sema_bench.settings import Limits

MEMORY_CAP_BYTES = 4096 * 65_536
"""256 MiB of WebAssembly memory; a memory bomb traps there within a second or two."""
_RETIRE_AT_BYTES = 128 * 1024 * 1024
"""WebAssembly memory never shrinks: a host that has grown to this is replaced."""
_POLL_S = 0.25
_START_LIMIT_S = 60.0
V8_FLAGS = (
    f"--wasm-max-mem-pages={MEMORY_CAP_BYTES // 65_536}",
    "--max-old-space-size=512",
)
"""With others machine code that was kept does not count."""
_USUAL_S = {False: 0.06, True: 0.0038}
"""Processor seconds of host.mjs's fixed program where `Limits.cpu_s` was chosen; mostly spent on
translating the VM, unless it was translated before."""
_MIN_PACE, _MAX_PACE = 0.5, 4.0
"""A measurement that is farther off says more about itself than about the machine."""
_SPARE_CPU_S = 60.0
"""What the kernel lets a host use beyond what we would end it for."""
_LINE_LIMIT_BYTES = 64 * 1024 * 1024
_OUTSIDE_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_UNKNOWN = 255
"""asyncio's return code of a child that something else in this process has waited for, or nobody
can as SIGCHLD is ignored, as trainers' workers may have it. It says nothing of the program."""


class HostLost(Exception):
    """The host did not answer the current request, by its own or by another's doing."""

    def __init__(self, message: str, *, from_outside: bool) -> None:
        super().__init__(message)
        self.from_outside = from_outside

    @classmethod
    def by_return_code(cls, returncode: int) -> "HostLost":
        """The loss of a host that ended without a word."""
        message = f"the VM's host process ended with return code {returncode}"
        from_outside = -returncode in _OUTSIDE_SIGNALS or returncode == _UNKNOWN
        return cls(message, from_outside=from_outside)


class Host:
    """One Node process with the VM in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.version = ""
        self.translated = False
        """Whether the VM did not have to be translated to machine code."""
        self._process = process
        self._usage = _usage(process.pid)
        self._between_evaluations = False
        self._is_killed = False
        self._n_requests = 0
        self._cpu_before_s = 0.0
        """What the process had used when the current source began, to some hundredths."""
        self._guarded_until_s = 0.0
        self._pace = 1.0
        """How much longer than usual the fixed program took, by its processor time."""

    @classmethod
    async def spawn(cls, node: Node, package: Path, script: Path, code: Path | None) -> "Host":
        """A host that has yet to say that it is ready; `code` is a file of machine code."""
        paths = [str(path) for path in (script, package, code) if path]
        command = [str(node.executable), *V8_FLAGS, "--no-warnings", node.permission_flag]
        process = await asyncio.create_subprocess_exec(
            *command,
            *(f"--allow-fs-read={path}" for path in paths),
            *paths,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Keys stand in our environment: none of it is for a program.
            env={},
            # asyncio takes 64 KiB a line by itself; a program may print far more.
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,
        )
        forked.leave_behind(process)
        return cls(process)

    @property
    def usable(self) -> bool:
        """Whether the next evaluation can have it: alive, and nothing under way."""
        return self._between_evaluations and self._process.returncode is None

    @property
    def was_new(self) -> bool:
        """Whether it has run no more than one evaluation."""
        return self._n_requests <= 1

    async def be_ready(self) -> None:
        """Wait for its first word. Raises VMError with its last words if it has none."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line.endswith(b"\n"):
            raise VMError(await self._last_words())
        ready = json.loads(line)["ready"]
        self.version = ready["version"]
        self.translated = ready["translated"]
        self._cpu_before_s = ready["cpu_us"] / 1e6
        took = ready["fixed_us"] / 1e6 / _USUAL_S[self.translated]
        self._pace = min(max(took, _MIN_PACE), _MAX_PACE)
        self._between_evaluations = True

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """As SemaVM.evaluate. Raises HostLost; any way but a clean end makes the host unusable."""
        if not sources:
            return ()
        self._n_requests += 1
        request = {
            "id": self._n_requests,
            "sources": list(sources),
            "max_chars": limits.output_bytes,
            # Of what is stopped it is not known then which source it was; a second try tells.
            "together": limits.again_cpu_s is not None,
        }
        self._between_evaluations = False
        self._arm_orphan_guard(limits, len(sources))
        await self._send(request)
        done: list[Evaluation] = []
        reading = asyncio.ensure_future(self._read(sources, done))
        try:
            await self._watch(reading, done, limits)
            return await reading
        except Overdue as overdue:
            await self.end()
            return cut_short(done, len(sources), ErrorClass.TIME, str(overdue))
        finally:
            reading.cancel()

    async def machine_code(self) -> bytes:
        """What it has translated so far, as V8 takes it back. Raises HostLost."""
        await self._send({"machine_code": True})
        return base64.b64decode((await self._reply())["machine_code"])

    async def end(self) -> None:
        """Kill the process and wait for it."""
        self._between_evaluations = False
        # Once: a second time asyncio may reap it itself, and complains that it has lost a child.
        if self._process.returncode is None and not self._is_killed:
            self._is_killed = True
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
            raise HostLost.by_return_code(await self._process.wait()) from None

    async def _read(self, sources: Sequence[str], done: list[Evaluation]) -> tuple[Evaluation, ...]:
        """The evaluations of the current request; each is in `done` as soon as it is known."""
        while True:
            reply = await self._reply()
            if reply["id"] != self._n_requests:
                await self.end()
                raise HostLost("what an earlier program left behind trapped", from_outside=True)
            if "trap" in reply:
                await self.end()
                return _trapped(done, sources, reply)
            self._cpu_before_s = reply.get("cpu_us", 0.0) / 1e6 or self._cpu_before_s
            done.append(_evaluation(reply, sources[: len(done) + 1]))
            if len(done) == len(sources):
                self._between_evaluations = reply["memory"] < _RETIRE_AT_BYTES
                return tuple(done)

    async def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise HostLost.by_return_code(await self._process.wait())
        message: dict[str, Any] = json.loads(line)
        return message

    async def _watch(
        self, reading: asyncio.Future[Any], done: Sequence[Evaluation], limits: Limits
    ) -> None:
        """Return once it has been read to its end. Raises Overdue if a source takes too much."""
        polled, cpu_s, waited_s, n_done = time.monotonic(), self._cpu_before_s, 0.0, 0
        while not (await asyncio.wait({reading}, timeout=_POLL_S))[0]:
            last, polled = polled, time.monotonic()
            cpu_last, cpu_s = cpu_s, self._cpu_s()
            if len(done) > n_done:
                n_done, waited_s = len(done), 0.0
            # Even on an overloaded machine a program that works gets some of each interval.
            elif cpu_s == cpu_last:
                waited_s += polled - last
            if cpu_s - self._cpu_before_s > limits.cpu_s * self._pace:
                raise Overdue(f"stopped after {limits.cpu_s:g} s {OF_PROCESSOR_TIME}")
            if waited_s > limits.wall_s:
                raise Overdue(f"stopped after {limits.wall_s:g} s of waiting")

    def _cpu_s(self) -> float:
        try:
            times = self._usage.cpu_times() if self._usage else None
        except psutil.Error:
            return 0.0
        return float(times.user + times.system) if times else 0.0

    def _arm_orphan_guard(self, limits: Limits, n_sources: int) -> None:
        """Where the system can (Linux), let the kernel end a host whose parent was killed.

        A host that is idle or waits notices that its stdin is closed; a busy one cannot.
        """
        needed_s = self._cpu_before_s + limits.cpu_s * self._pace * n_sources + _SPARE_CPU_S
        if needed_s <= self._guarded_until_s or not (
            self._usage and hasattr(self._usage, "rlimit")
        ):
            return
        try:
            _, hard = self._usage.rlimit(psutil.RLIMIT_CPU)
            self._usage.rlimit(psutil.RLIMIT_CPU, (int(needed_s + _SPARE_CPU_S), hard))
            self._guarded_until_s = needed_s + _SPARE_CPU_S
        except (psutil.Error, OSError, ValueError):
            pass

    async def _last_words(self) -> str:
        await self.end()
        assert self._process.stderr is not None
        words = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
        return f"the VM's host process did not start: {words[-2000:] or 'it said nothing'}"


def _trapped(
    done: list[Evaluation], sources: Sequence[str], reply: dict[str, Any]
) -> tuple[Evaluation, ...]:
    error_class, name = classify_trap(
        reply["trap"],
        memory_bytes=reply["memory"],
        cap_bytes=MEMORY_CAP_BYTES,
        sources=sources[: len(done) + 1],
    )
    if error_class is ErrorClass.MEMORY:
        text = f"out of memory (the limit is {MEMORY_CAP_BYTES // 2**20} MiB)"
    elif name:
        text = f"the VM trapped: this build cannot run ({name} …)"
    else:
        text = f"the VM trapped: {reply['trap']}"
    return cut_short(done, len(sources), error_class, text, name)


def _usage(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def cut_short(
    done: list[Evaluation], n: int, error_class: ErrorClass, text: str, name: str | None = None
) -> tuple[Evaluation, ...]:
    """`done`, then the failing source, then one not-run Evaluation for each that is left."""
    failed = Evaluation(error=text, error_class=error_class, error_name=name)
    rest = replace(failed, error=f"not run: an earlier source ended the interpreter ({text})")
    return (*done, failed, *[rest] * (n - len(done) - 1))[:n]


def _evaluation(reply: dict[str, Any], sources: Sequence[str]) -> Evaluation:
    output = tuple(reply["output"] or ())
    if reply["error"] is None:
        return Evaluation(value=reply["value"], output=output)
    error_class, name = classify(reply["error"], sources)
    return Evaluation(output=output, error=reply["error"], error_class=error_class, error_name=name)
