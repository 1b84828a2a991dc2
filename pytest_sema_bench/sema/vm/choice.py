"""Which VM `--sema-vm` means: a backend, and where the build of one's own is, if it is one."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.vm.install import EXECUTED, lock_hash

OPTION = "--sema-vm"
BINARY_VARIABLE = "SEMA_BIN"
FORMS = ("wasm", "wasm:FOLDER", "native", "native:BINARY")
"""What the option takes."""


class Backend(Enum):
    """How the VM is reached."""

    WASM = "wasm"
    NATIVE = "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class VMChoice:
    """A VM that can be started, as far as can be told without starting it."""

    backend: Backend
    path: Path | None = None
    """The folder of a build of one's own or a binary; None for the pinned package."""

    def __str__(self) -> str:
        return self.backend.value if self.path is None else f"{self.backend.value}:{self.path}"


def read_choice(text: str) -> VMChoice:
    """What the option's text means. Raises SettingsError if there is no such backend or build."""
    name, colon, path = text.partition(":")
    if name not in {backend.value for backend in Backend}:
        raise SettingsError(f"{OPTION}: unknown backend {name!r}; there is {', '.join(FORMS)}")
    if colon and not path:
        raise SettingsError(f"{OPTION}={text}: no path after the colon")
    backend, given = Backend(name), Path(path).expanduser() if path else None
    if backend is Backend.NATIVE:
        return VMChoice(backend=backend, path=_binary(text, given))
    return VMChoice(backend=backend, path=given and _folder(text, given))


@cache
def vm_identity(text: str) -> str:
    """What tells the VM that the option's text means from all others, without starting it.

    Raises SettingsError if there is none.
    """
    choice = read_choice(text)
    if choice.path is None:
        return f"{choice.backend.value} {lock_hash()}"
    files = [choice.path] if choice.path.is_file() else [choice.path / name for name in EXECUTED]
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{choice.backend.value} {digest.hexdigest()}"


def _binary(text: str, given: Path | None) -> Path:
    """The binary, absolute: the given one, else `$SEMA_BIN`, else `sema` on PATH."""
    path = given or sema_binary()
    if path is None:
        raise SettingsError(
            f"{OPTION}={text}: there is no `sema` on PATH and {BINARY_VARIABLE} is not set; "
            "install it with `cargo install sema-lang --locked`, or give native:BINARY"
        )
    where = "" if given or not os.environ.get(BINARY_VARIABLE) else f" ({BINARY_VARIABLE})"
    if not path.is_file():
        raise SettingsError(f"{OPTION}={text}: there is no file {path}{where}")
    if not os.access(path, os.X_OK):
        raise SettingsError(f"{OPTION}={text}: {path}{where} is not executable")
    return path.resolve()


def sema_binary(name: str = "sema") -> Path | None:
    """The program of that name: `sema` is `$SEMA_BIN` where that is set; else it is on PATH."""
    named = os.environ.get(BINARY_VARIABLE) if name == "sema" else None
    found = named or shutil.which(name)
    return Path(found).expanduser() if found else None


def _folder(text: str, folder: Path) -> Path:
    """The folder, absolute, if it holds what `wasm-pack build` leaves."""
    if missing := [name for name in EXECUTED if not (folder / name).is_file()]:
        what = f"no {' and no '.join(missing)} in it" if folder.is_dir() else "no such folder"
        raise SettingsError(
            f"{OPTION}={text}: {what}; expected a folder with {' and '.join(EXECUTED)}, "
            "as `wasm-pack build --target web` leaves it"
        )
    return folder.resolve()
