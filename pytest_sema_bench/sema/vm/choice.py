"""Which VM `--sema-vm` means: a backend, and perhaps the folder of a build of one's own."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.vm.install import EXECUTED

OPTION = "--sema-vm"
FORMS = ("wasm", "wasm:FOLDER")
"""What the option takes."""


class Backend(Enum):
    """How the VM is reached."""

    WASM = "wasm"


@dataclass(frozen=True, slots=True, kw_only=True)
class VMChoice:
    """A VM that can be started, as far as can be told without starting it."""

    backend: Backend
    path: Path | None = None
    """The folder of a build of one's own; None for the pinned package."""

    def __str__(self) -> str:
        return self.backend.value if self.path is None else f"{self.backend.value}:{self.path}"


def read_choice(text: str) -> VMChoice:
    """What the option's text means. Raises SettingsError if there is no such backend or build."""
    name, colon, path = text.partition(":")
    if name not in {backend.value for backend in Backend}:
        raise SettingsError(f"{OPTION}: unknown backend {name!r}; there is {', '.join(FORMS)}")
    if not colon:
        return VMChoice(backend=Backend(name))
    if not path:
        raise SettingsError(f"{OPTION}={text}: no path after the colon")
    return VMChoice(backend=Backend(name), path=_folder(text, Path(path).expanduser()))


def _folder(text: str, folder: Path) -> Path:
    """The folder, absolute, if it holds what `wasm-pack build` leaves."""
    if missing := [name for name in EXECUTED if not (folder / name).is_file()]:
        what = f"no {' and no '.join(missing)} in it" if folder.is_dir() else "no such folder"
        raise SettingsError(
            f"{OPTION}={text}: {what}; expected a folder with {' and '.join(EXECUTED)}, "
            "as `wasm-pack build --target web` leaves it"
        )
    return folder.resolve()
