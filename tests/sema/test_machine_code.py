"""The VM's machine code: made once, taken by every host after it, done without where need be."""

import asyncio
import resource
from importlib.resources import files
from pathlib import Path

import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE
from pytest_sema_bench.sema.vm import Evaluation, create_vm
from pytest_sema_bench.sema.vm.host import Host
from pytest_sema_bench.sema.vm.install import install
from pytest_sema_bench.sema.vm.machine_code import holds_code, is_missing, keep
from pytest_sema_bench.sema.vm.node import find_node
from pytest_sema_bench.settings import Limits

pytestmark = pytest.mark.vm

THREE = (Evaluation(value="3"),)
SCRIPT = files("pytest_sema_bench.sema.vm") / "host.mjs"


@pytest.fixture
def package() -> Path:
    """The folder of the npm package."""
    return install(find_node())[0]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Path) -> Path:
    """A cache folder that has the VM and no machine code yet."""
    installed = package.parent.parent.parent
    (tmp_path / installed.name).symlink_to(installed)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def evaluate(backend: str = "wasm") -> tuple[Evaluation, ...]:
    """One evaluation by a VM of its own."""

    async def ask() -> tuple[Evaluation, ...]:
        vm = create_vm(backend, n_hosts=1)
        try:
            return await vm.evaluate(["(+ 1 2)"], Limits())
        finally:
            await vm.close()

    return asyncio.run(ask())


def is_taken(file: Path, package: Path) -> bool:
    """Whether V8 takes the machine code in a file; a host evaluates either way."""

    async def ask() -> bool:
        script = Path(str(SCRIPT)).resolve()
        host = await Host.spawn(find_node(), package.resolve(), script, file)
        try:
            await host.be_ready()
            assert await host.evaluate(["(+ 1 2)"], Limits()) == THREE
            return host.translated
        finally:
            await host.end()

    return asyncio.run(ask())


def test_what_is_translated_once_is_taken_from_then_on(cache: Path, package: Path) -> None:
    """The first VM leaves a file for the next; a file that was damaged is made anew."""
    assert evaluate() == THREE
    (file,) = cache.glob("code-*")
    assert is_taken(file, package)
    made = file.read_bytes()
    assert evaluate() == THREE
    assert file.read_bytes() == made
    file.write_bytes(made[:-1] + b"?")
    assert not holds_code(file)
    assert evaluate() == THREE
    assert is_taken(file, package)


def test_what_v8_does_not_know_is_translated_as_ever(cache: Path, package: Path) -> None:
    """Code of another V8 is left alone, and the host works."""
    keep(cache / "code", b"of another V8")
    assert not is_missing(cache / "code")
    assert not is_taken(cache / "code", package)


def test_a_v8_without_machine_code_is_asked_once(cache: Path) -> None:
    """An empty file stands for it."""
    keep(cache / "code", b"")
    assert not is_missing(cache / "code")
    assert not holds_code(cache / "code")


def test_a_full_disk_is_not_taken_for_a_v8_without_machine_code(cache: Path) -> None:
    """Nothing is kept then, and what comes once there is room keeps it."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, usual[1]))
    try:
        assert evaluate() == THREE
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert not list(cache.glob("code-*"))
    assert evaluate() == THREE
    assert holds_code(*cache.glob("code-*"))


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Path
) -> None:
    """A build of one's own is run where nothing can be kept."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    assert evaluate(f"wasm:{package}") == THREE
