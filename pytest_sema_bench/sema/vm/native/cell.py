"""What keeps an evaluated program from the machine: namespaces, and limits of the kernel.

Each measure is taken where the system has it; `Cell.measures` says which hold.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space of one evaluation; a VM that has nothing to do takes an eighth of it."""
N_PROCESSES = 256
"""Processes and threads of one evaluation in a namespace of its own."""
ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",  # address space must not depend on the number of processors
    "TOKIO_WORKER_THREADS": "1",
    "SSL_CERT_FILE": "/dev/null",  # reading the system's certificates takes as long as starting
    "SSL_CERT_DIR": "/nonexistent",
}
"""All that a program's process is given of an environment."""
_SHARED = ("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/nix/store")
"""Where programs have their libraries."""
_INSIDE = "/sema"
_TRIAL_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How a binary is started."""

    binary: Path
    bubblewrap: Path | None
    """What makes namespaces; None where it cannot be used."""
    measures: tuple[str, ...]
    """What keeps a program in, for people."""

    def command(self, *arguments: str, info_fd: int | None = None) -> list[str]:
        """The command line; with namespaces, the process id inside is told on `info_fd`."""
        if self.bubblewrap is None:
            return [str(self.binary), *arguments]
        tell = [] if info_fd is None else ["--info-fd", str(info_fd)]
        return [*_bubblewrap(self.bubblewrap, self.binary), *tell, _INSIDE, *arguments]


def make_cell(binary: Path) -> Cell:
    """The tightest cell that this system gives."""
    found = shutil.which("bwrap")
    why = "there is no `bwrap` on PATH (bubblewrap)" if found is None else _refusal(found, binary)
    bubblewrap = Path(found) if found is not None and why is None else None
    return Cell(binary=binary, bubblewrap=bubblewrap, measures=tuple(_measures(why)))


def limit(process: psutil.Process, cpu_s: float, *, in_namespace: bool) -> None:
    """Set the kernel's limits on a process that has run nothing yet, where there are any."""
    if not hasattr(process, "rlimit"):
        return
    limits = {psutil.RLIMIT_AS: MEMORY_BYTES, psutil.RLIMIT_CPU: int(cpu_s)}
    limits |= {psutil.RLIMIT_FSIZE: 0, psutil.RLIMIT_CORE: 0}
    if in_namespace:  # elsewhere all that the user runs would be counted
        limits[psutil.RLIMIT_NPROC] = N_PROCESSES
    for resource, most in limits.items():
        process.rlimit(resource, (most, most))


def _bubblewrap(bubblewrap: Path, binary: Path) -> list[str]:
    mounts = [part for path in _SHARED for part in ("--ro-bind-try", path, path)]
    return [
        *(str(bubblewrap), "--unshare-all", "--as-pid-1", "--die-with-parent", "--new-session"),
        *("--ro-bind", str(binary), _INSIDE, *mounts, "--dir", "/empty", "--chdir", "/empty"),
        *("--hostname", "sema", "--remount-ro", "/"),
    ]


def _refusal(bubblewrap: str, binary: Path) -> str | None:
    """Why namespaces cannot be had, None if they can."""
    command = [*_bubblewrap(Path(bubblewrap), binary), _INSIDE, "--version"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=_TRIAL_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{bubblewrap} cannot be used: {error}"
    if done.returncode == 0:
        return None
    words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"{bubblewrap} cannot be used: {words[0]}"


def _measures(why_no_namespaces: str | None) -> Iterator[str]:
    yield "a process for each evaluation, `sema mcp --sandbox all`, nothing of the environment"
    if why_no_namespaces is None:
        yield "namespaces of its own: no network, no other process, no file but programs' libraries"
    else:
        yield f"no namespaces, since {why_no_namespaces}; an empty working folder"
    if not hasattr(psutil.Process, "rlimit"):
        yield "no limits by this system's kernel; processor time is measured"
        return
    yield f"memory: {MEMORY_BYTES // 2**20} MiB of addresses; file size: 0; processor time"
    # The kernel does not count root's processes.
    if why_no_namespaces is None and os.getuid() != 0:
        yield f"processes and threads: {N_PROCESSES}"
    else:
        yield "processes: not limited by number (root, or no namespaces)"
