"""Installs the pinned npm package of the VM into a per-user cache folder, once.

`npm ci` checks the integrity hash of our lock file. The folder's name holds the hash of the
lock file, so a new pin is a new folder; it appears by one rename, so an interrupted install
leaves nothing that looks finished, and a damaged file is noticed and installed anew.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib.resources import files
from pathlib import Path
from threading import Event
from time import monotonic

import psutil
from filelock import FileLock, Timeout

from pytest_sema_bench.cache import CACHE_VARIABLE, cache_folder
from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm.node import WAYS_OUT, Node

_PACKAGE = Path("node_modules/@sema-lang/sema-wasm")
EXECUTED = ("sema_wasm.js", "sema_wasm_bg.wasm")
"""The files of a build that are run."""
_BUILD = "build.sha256"
"""The file with the hash of what was installed, written last."""
_NPM_LIMIT_S = 600
_POLL_S = 0.1


def say_on_stderr(line: str) -> None:
    """Print a progress line past pytest's capture, so that a first run does not look hung."""
    print(line, file=sys.__stderr__, flush=True)


def pinned_version() -> str:
    """The version of the npm package that our lock file pins."""
    lock = json.loads(_shipped("package-lock.json"))
    version: str = lock["packages"][_PACKAGE.as_posix()]["version"]
    return version


def lock_hash() -> str:
    """The hash of our lock file, which pins what is installed byte for byte."""
    return hashlib.sha256(_shipped("package-lock.json")).hexdigest()


def is_installed() -> bool:
    """Whether the package has been installed, as far as a look at its folder tells."""
    return (_folder() / _BUILD).is_file()


def install(
    node: Node, say: Callable[[str], None] = say_on_stderr, given_up: Event | None = None
) -> tuple[Path, str]:
    """The folder of the npm package and the hash of what it executes, installed if need be.

    Safe when several processes call it at once. With a filled cache nothing is fetched and
    npm is not needed. Raises VMError, with npm's own words if it is npm that fails, and soon
    after it is given up.
    """
    given_up = given_up or Event()
    folder = _folder()
    if build := _intact(folder):
        return folder / _PACKAGE, build
    if node.npm is None:
        raise VMError(f"{node.executable} has no npm beside it or on PATH.\n{WAYS_OUT}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _acquired(FileLock(f"{folder}.lock"), given_up):
            # Once more: another process may have installed it while this one waited.
            build = _intact(folder) or _install_into(folder, node, say, given_up)
    except OSError as error:
        raise VMError(
            f"cannot write the cache folder {folder.parent}: {error}. "
            f"Set {CACHE_VARIABLE} to a folder that can be written."
        ) from error
    return folder / _PACKAGE, build


def _folder() -> Path:
    return cache_folder() / f"wasm-{pinned_version()}-{lock_hash()[:12]}"


def _acquired(lock: FileLock, given_up: Event) -> AbstractContextManager[object]:
    while True:
        _check(given_up)
        with suppress(Timeout):
            return lock.acquire(timeout=_POLL_S)


def _check(given_up: Event) -> None:
    if given_up.is_set():
        raise VMError("the VM was closed before it was installed")


def _shipped(name: str) -> bytes:
    return (files("pytest_sema_bench.sema.vm") / name).read_bytes()


def build_hash(build: Path) -> str:
    """The hash of what is executed of the build in a folder. Raises OSError."""
    digest = hashlib.sha256()
    for name in EXECUTED:
        digest.update((build / name).read_bytes())
    return digest.hexdigest()


def _intact(folder: Path) -> str | None:
    """The build hash if the folder still holds what was installed, else None."""
    try:
        installed = (folder / _BUILD).read_text().strip()
        return installed if build_hash(folder / _PACKAGE) == installed else None
    except (OSError, UnicodeDecodeError):
        return None


def _install_into(folder: Path, node: Node, say: Callable[[str], None], given_up: Event) -> str:
    for leftover in folder.parent.glob(f"{folder.name}.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    say(f"sema-bench: installing the Sema VM {pinned_version()} into {folder} (once) …")
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.tmp-", dir=folder.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            (temporary / name).write_bytes(_shipped(name))
        _npm_ci(temporary, node, given_up)
        build = build_hash(temporary / _PACKAGE)
        (temporary / _BUILD).write_text(build + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        # Last, so that under this name there is all of it or nothing.
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return build


def _npm_ci(folder: Path, node: Node, given_up: Event) -> None:
    # Without scripts: what is fetched is to run in the VM's confined process only.
    command = [*(node.npm or ()), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    # npm, and what it starts, look for `node` on PATH.
    path = os.pathsep.join([str(node.executable.parent), os.environ.get("PATH", "")])
    try:
        npm = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise VMError(f"npm cannot be started: {error}.\n{WAYS_OUT}") from error
    with npm:
        try:
            stdout, stderr = _words(npm, given_up)
        except BaseException:
            _kill(npm)
            raise
    if npm.returncode != 0:
        words = "\n".join((stderr or stdout).strip().splitlines()[-8:])
        raise VMError(
            f"`npm ci` for the Sema VM ended with exit code {npm.returncode}:\n{words}\n"
            "Once it has been installed, runs need no network."
        )
    if not all((folder / _PACKAGE / name).is_file() for name in EXECUTED):
        raise VMError(f"`{' '.join(command)}` ended well but did not install {_PACKAGE.name}")


def _words(npm: "subprocess.Popen[str]", given_up: Event) -> tuple[str, str]:
    """What it says until it ends. Raises VMError if it takes too long or is given up."""
    end = monotonic() + _NPM_LIMIT_S
    while monotonic() < end:
        with suppress(subprocess.TimeoutExpired):
            return npm.communicate(timeout=_POLL_S)
        _check(given_up)
    raise VMError(
        f"`npm ci` for the Sema VM did not end within {_NPM_LIMIT_S} s; "
        "check the connection to the npm registry and try again."
    )


def _kill(npm: "subprocess.Popen[str]") -> None:
    """End it and what it has started: it may be a launcher."""
    started: list[psutil.Process] = []
    with suppress(psutil.Error):
        started = psutil.Process(npm.pid).children(recursive=True)
    npm.kill()
    for process in started:
        with suppress(psutil.Error):
            process.kill()
