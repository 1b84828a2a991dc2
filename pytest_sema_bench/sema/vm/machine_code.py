"""The machine code of the VM, as V8 has made it once, kept in the cache for the hosts to come.

V8 translates WebAssembly while it runs, in each process anew, which takes a host more processor
time than most runs need for what they evaluate. It can hand out what it has translated and take it
back; what it does not take (another V8, other flags, another processor) is translated as ever.
"""

import hashlib
import os
import platform
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.records.whole_file import write_whole
from pytest_sema_bench.sema.vm.host import V8_FLAGS, Host
from pytest_sema_bench.sema.vm.node import Node
from pytest_sema_bench.settings import Limits

_N_ROUNDS = 200
"""After so many hardly anything that the usual program needs is left to translate."""
_DIGEST_BYTES = 32


def code_file(node: Node, build: str) -> Path:
    """Where the machine code of a build is kept for a Node."""
    maker = (node.executable, node.version, platform.machine(), V8_FLAGS, build, _warm_up())
    return cache_folder() / f"code-{hashlib.sha256(repr(maker).encode()).hexdigest()[:16]}"


def is_missing(file: Path) -> bool:
    """Whether the file is still to be made, or is damaged; not where it could not be kept."""
    return _kept(file) is None and os.access(file.parent, os.W_OK)


def holds_code(file: Path) -> bool:
    """Whether there is anything in the file, and whole: V8 would die of less, or run it."""
    return bool(_kept(file))


def _kept(file: Path) -> bytes | None:
    """What is in the file; None if it is not there or damaged."""
    try:
        kept = file.read_bytes()
    except OSError:
        return None
    digest, code = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
    return code if digest == hashlib.sha256(code).digest() else None


def keep(file: Path, code: bytes) -> None:
    """Write the file, whole or not at all; without code it says that V8 has none to give."""
    with suppress(OSError):
        write_whole(file, hashlib.sha256(code).digest() + code)


async def translate(host: Host) -> bytes:
    """The machine code for what programs do most. Raises HostLost."""
    sources = _warm_up()
    for _ in range(_N_ROUNDS):
        await host.evaluate(sources, Limits())
    return await host.machine_code()


def _warm_up() -> list[str]:
    """Sources that do a bit of everything; a blank line stands between two."""
    text = (files("pytest_sema_bench.sema.vm") / "warm_up.sema").read_text("utf-8")
    return text.split("\n\n")
