"""A confined process: started in its cell, limited before it runs a program, ended for good."""

import asyncio
import json
import os
from pathlib import Path

import psutil

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm import forked
from pytest_sema_bench.sema.vm.native.cell import ENVIRONMENT, Cell, limit

_LINE_LIMIT_BYTES = 16 * 1024 * 1024
"""The server keeps a megabyte of text, of which each byte may take six in JSON."""
_WORDS_BYTES = 1024 * 1024


class Confined:
    """A process of Sema's in its cell."""

    def __init__(self, process: asyncio.subprocess.Process, cell: Cell, info: int) -> None:
        assert process.stdin is not None
        self.stdin, self.stdout = process.stdin, process.stdout
        self._process = process
        self._cell = cell
        self._info: int | None = info
        self._inside: psutil.Process | None = None

    @classmethod
    async def spawn(
        cls, cell: Cell, folder: Path, *arguments: str, heard: bool = True
    ) -> "Confined":
        """A process that has not been limited yet. Raises VMError if it cannot be started.

        What it prints is lost unless it is to be `heard`.
        """
        info, told = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *cell.command(*arguments, info_fd=told),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if heard else asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env=ENVIRONMENT,
                pass_fds=(told,) if cell.bubblewrap else (),
                limit=_LINE_LIMIT_BYTES,
                start_new_session=True,
            )
        except OSError as error:
            os.close(info)
            raise VMError(f"{cell.binary} cannot be started: {error}") from error
        except BaseException:
            os.close(info)
            raise
        finally:
            # The child has its own end: with ours open, reading would never come to an end.
            os.close(told)
        forked.leave_behind(process)
        return cls(process, cell, info)

    def confine(self, cpu_s: float) -> None:
        """Set the kernel's limits. Waits until bubblewrap, if that is used, has begun.

        Raises VMError where a limit that this system has cannot be set.
        """
        in_namespace = self._cell.bubblewrap is not None
        try:
            self._inside = psutil.Process(self._inner_pid() if in_namespace else self._process.pid)
            limit(self._inside, cpu_s, in_namespace=in_namespace)
        except (psutil.Error, OSError, ValueError, KeyError) as error:
            raise VMError(f"a process of {self._cell.binary} cannot be limited: {error}") from error

    def _inner_pid(self) -> int:
        assert self._info is not None
        told = b""
        while not told.rstrip().endswith(b"}"):
            chunk = os.read(self._info, 4096)
            if not chunk:
                raise ValueError("bubblewrap ended early")
            told += chunk
        return int(json.loads(told)["child-pid"])

    def cpu_s(self) -> float:
        """The processor seconds that it has used."""
        try:
            times = self._inside.cpu_times() if self._inside else None
        except psutil.Error:
            return 0.0
        return float(times.user + times.system) if times else 0.0

    async def words(self) -> str:
        """The end of what it has written to its standard error, once that is closed."""
        assert self._process.stderr is not None
        last = b""
        while chunk := await self._process.stderr.read(_WORDS_BYTES):
            last = (last + chunk)[-_WORDS_BYTES:]
        return last.decode("utf-8", "replace")

    async def signal(self) -> int | None:
        """The signal that ended it, once it has ended; bubblewrap adds 128 to it."""
        code = await self._process.wait()
        if code < 0:
            return -code
        return code - 128 if code > 128 else None

    async def end(self) -> None:
        """Kill it and wait for its end."""
        if self._info is not None:
            os.close(self._info)
            self._info = None
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        await self._process.wait()
