"""Installing the npm package of the VM: once, whole, offline afterwards, clear when it fails."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.resources import files
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from pytest_sema_bench.cache import CACHE_VARIABLE, cache_folder
from pytest_sema_bench.errors import VMError
from pytest_sema_bench.sema.vm import Evaluation, create_vm
from pytest_sema_bench.sema.vm.install import install, lock_hash, pinned_version
from pytest_sema_bench.sema.vm.node import find_node
from pytest_sema_bench.settings import Limits

pytestmark = pytest.mark.vm

WASM = Path("node_modules/@sema-lang/sema-wasm/sema_wasm_bg.wasm")

Npm = Callable[[str], Path]


@pytest.fixture(scope="session")
def installed() -> Path:
    """The folder in the user's own cache, which is filled if need be."""
    package, _build = install(find_node())
    return package.parent.parent.parent


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder in the place of the user's."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def filled(cache: Path, installed: Path) -> Path:
    """The installed folder in a cache of the test's own."""
    shutil.copytree(installed, cache / installed.name)
    return cache / installed.name


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: Path) -> Npm:
    """Puts a script in the place of npm that does as told; `copy` stands for a good install.

    The real registry is used by one test only. Gives the file that has a line for each call.
    """
    folder, calls = tmp_path / "bin", tmp_path / "npm-calls"
    copy = f"cp -r {installed / 'node_modules'} ."

    def make(script: str) -> Path:
        folder.mkdir()
        for name in ("node", "cp", "sleep"):
            (folder / name).symlink_to(shutil.which(name) or "")
        (folder / "npm").write_text(
            f'#!/bin/sh\necho "$@" >> {calls}\n{script.replace("COPY", copy)}\n'
        )
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        calls.touch()
        return calls

    return make


def evaluate() -> tuple[Evaluation, ...]:
    """One evaluation by a VM of its own, whatever that takes."""

    async def ask() -> tuple[Evaluation, ...]:
        vm = create_vm("wasm", n_hosts=1)
        try:
            return await vm.evaluate(["(+ 1 2)"], Limits())
        finally:
            await vm.close()

    return asyncio.run(ask())


def test_processes_that_start_together_install_once(cache: Path) -> None:
    """With an empty cache three processes share one `npm ci` from the registry and all work."""
    command = [sys.executable, "-m", "pytest_sema_bench.cli", "vm", "eval", "(+ 1 2)"]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=300) for process in started]
    assert [stdout for stdout, _ in outputs] == ["3\n"] * 3, outputs
    lines = [line for _, stderr in outputs for line in stderr.splitlines()]
    assert len(lines) == 1, lines
    assert f"installing the Sema VM {pinned_version()} into {cache}" in lines[0]
    assert not list(cache.glob("*.tmp-*"))


def test_a_filled_cache_needs_neither_npm_nor_network(filled: Path, npm: Npm) -> None:
    """Node alone runs an installed VM, and nothing is said."""
    said: list[str] = []
    calls = npm("exit 1")
    (calls.parent / "bin" / "npm").unlink()
    node = find_node()
    assert node.npm is None
    package, _build = install(node, said.append)
    assert package.is_relative_to(filled)
    assert evaluate() == (Evaluation(value="3"),)
    assert said == []


def test_an_empty_cache_without_npm_names_the_ways_out(cache: Path, npm: Npm) -> None:
    """What cannot be installed for want of npm says how to get it."""
    calls = npm("exit 1")
    (calls.parent / "bin" / "npm").unlink()
    with pytest.raises(VMError, match="has no npm beside it or on PATH") as caught:
        install(find_node())
    assert "https://nodejs.org" in str(caught.value)


def test_an_installed_vm_is_not_installed_again(cache: Path, npm: Npm) -> None:
    """The second call finds what the first one made."""
    said: list[str] = []
    calls = npm("COPY")
    first = install(find_node(), said.append)
    assert install(find_node(), said.append) == first
    assert calls.read_text() == "ci --ignore-scripts --no-audit --no-fund\n"
    assert len(said) == 1


def damage_wasm(folder: Path) -> None:
    """A download or a disk that ended early."""
    with (folder / WASM).open("r+b") as file:
        file.truncate(1000)


def drop_hash(folder: Path) -> None:
    """An install that was killed before its last file."""
    (folder / "build.sha256").unlink()


def garble_hash(folder: Path) -> None:
    """A hash file that is no text."""
    (folder / "build.sha256").write_bytes(b"\xff\xfe\x00")


def drop_package(folder: Path) -> None:
    """A cache that someone has cleaned by hand."""
    shutil.rmtree(folder / "node_modules")


DAMAGES = (damage_wasm, drop_hash, garble_hash, drop_package)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_install_repairs_itself(
    damage: Callable[[Path], None], filled: Path, npm: Npm
) -> None:
    """What is not what was installed is installed anew, and works."""
    said: list[str] = []
    npm("COPY")
    damage(filled)
    install(find_node(), said.append)
    assert len(said) == 1
    assert evaluate() == (Evaluation(value="3"),)


def test_what_an_interrupted_install_left_is_cleared(
    cache: Path, npm: Npm, installed: Path
) -> None:
    """A half-made folder never looks finished and goes with the next install."""
    npm("COPY")
    half_made = cache / f"{installed.name}.tmp-abc"
    (half_made / "node_modules").mkdir(parents=True)
    package, _build = install(find_node(), lambda line: None)
    assert package.is_relative_to(cache / installed.name)
    assert not half_made.exists()


def test_a_failing_npm_is_quoted(cache: Path, npm: Npm) -> None:
    """The error carries npm's exit code and own words, and leaves nothing behind."""
    npm("echo npm error ENOTFOUND registry.npmjs.org >&2; exit 7")
    with pytest.raises(VMError, match="exit code 7") as caught:
        install(find_node(), lambda line: None)
    assert "npm error ENOTFOUND registry.npmjs.org" in str(caught.value)
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_an_npm_that_cannot_start_is_no_trouble_with_the_cache(cache: Path, npm: Npm) -> None:
    """A launcher whose interpreter is gone is blamed itself."""
    calls = npm("exit 0")
    (calls.parent / "bin" / "npm").write_text("#!/nowhere/sh\n")
    with pytest.raises(VMError, match="npm cannot be started"):
        install(find_node(), lambda line: None)


def test_an_npm_that_installs_nothing_is_not_believed(cache: Path, npm: Npm) -> None:
    """An exit code of 0 without the package is an error all the same."""
    npm("exit 0")
    with pytest.raises(VMError, match="ended well but did not install"):
        install(find_node(), lambda line: None)


def test_a_failed_install_is_not_tried_for_each_evaluation(cache: Path, npm: Npm) -> None:
    """One VM tries once and gives every evaluation the same error."""
    calls = npm("echo offline >&2; exit 1")

    async def ask_twice() -> list[str]:
        vm = create_vm("wasm", n_hosts=2)
        errors = [vm.evaluate(["1"], Limits()) for _ in range(2)]
        return [str(error) for error in await asyncio.gather(*errors, return_exceptions=True)]

    first, second = asyncio.run(ask_twice())
    assert "offline" in first
    assert first == second
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("waits_for", ["npm", "another process"])
def test_an_install_that_is_given_up_ends_at_once(waits_for: str, cache: Path, npm: Npm) -> None:
    """Whoever closes the VM waits neither for npm nor for who installs; nothing is left."""
    calls = npm("sleep 30.25; COPY")

    async def give_up() -> None:
        vm = create_vm("wasm", n_hosts=1)
        starting = asyncio.ensure_future(vm.info())
        while not (calls.read_text() or waits_for != "npm"):
            await asyncio.sleep(0.01)
        await vm.close()
        with pytest.raises(VMError, match="closed"):
            await starting

    started = time.monotonic()
    with FileLock(lock_of(cache)) if waits_for != "npm" else nullcontext():
        asyncio.run(give_up())
    assert time.monotonic() - started < 15
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "30.25" in (p.info["cmdline"] or ())]


def lock_of(cache: Path) -> Path:
    """The file that a process holds while it installs."""
    cache.mkdir()
    return cache / f"wasm-{pinned_version()}-{lock_hash()[:12]}.lock"


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the folder and the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(VMError, match=r"cannot write the cache folder .*/file/cache") as caught:
        install(find_node(), lambda line: None)
    assert f"Set {CACHE_VARIABLE}" in str(caught.value)


def test_a_host_that_cannot_start_shows_its_last_words(filled: Path) -> None:
    """A package that Node refuses to load is a fault of the host, with Node's own words."""
    script = filled / WASM.parent / "sema_wasm.js"
    script.write_text("throw new Error('broken package');\n")
    rehash(filled)
    with pytest.raises(VMError, match=r"(?s)did not start: .*broken package"):
        evaluate()


def rehash(folder: Path) -> None:
    """Make a changed package look as if it had been installed like that."""
    digest = hashlib.sha256()
    for name in ("sema_wasm.js", WASM.name):
        digest.update((folder / WASM.parent / name).read_bytes())
    (folder / "build.sha256").write_text(digest.hexdigest())


def test_the_cache_is_the_users_unless_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, or with an empty one, it is the platform's cache folder."""
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    folder = cache_folder()
    assert folder.name == "pytest-sema-bench"
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert cache_folder() == folder
    monkeypatch.setenv(CACHE_VARIABLE, os.sep + "elsewhere")
    assert cache_folder() == Path(os.sep, "elsewhere")


def test_the_package_is_pinned_with_its_integrity() -> None:
    """package.json and lock file name one version, and the lock file its hash."""
    shipped = files("pytest_sema_bench.sema.vm")
    wanted = json.loads((shipped / "package.json").read_text("utf-8"))["dependencies"]
    assert wanted == {"@sema-lang/sema-wasm": pinned_version()}
    lock = json.loads((shipped / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
