"""What `--sema-vm` means: which names there are, and what a build of one's own must hold."""

import asyncio
from pathlib import Path

import pytest

from pytest_sema_bench.errors import SettingsError, VMError
from pytest_sema_bench.sema.vm import VMChoice, VMInfo, create_vm, read_choice
from tests.sema_builds import VERSION, wasm_folder

NO_VM, NO_CODE = "export const nothing = 1;", b"\0asm\1\0\0\0"
pytestmark = pytest.mark.vm


def info_of(name: str, runner: asyncio.Runner) -> VMInfo:
    """What the VM of that name says of itself."""

    async def ask() -> VMInfo:
        vm = create_vm(name, n_hosts=1)
        try:
            return await vm.info()
        finally:
            await vm.close()

    return runner.run(ask())


def build(folder: Path, script: str = NO_VM, wasm: bytes = NO_CODE) -> Path:
    """A folder with the two files of a build, which is none."""
    (folder / "sema_wasm.js").write_text(script)
    (folder / "sema_wasm_bg.wasm").write_bytes(wasm)
    return folder


def test_a_build_of_ones_own_is_named_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path may be relative or start at home; what it means is absolute."""
    build(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    for path in (tmp_path, tmp_path.name, f"~/{tmp_path.name}"):
        choice = read_choice(f"wasm:{path}")
        assert str(choice) == f"wasm:{tmp_path}"
        assert read_choice(str(choice)) == choice
    assert read_choice("wasm") == VMChoice(backend=choice.backend)


WRONG = {
    "no such backend": ("imitation", "unknown backend 'imitation'; there is wasm, wasm:FOLDER"),
    "no path": ("wasm:", "--sema-vm=wasm:: no path after the colon"),
    "no folder": ("wasm:nowhere", "no such folder; expected a folder with sema_wasm.js and"),
    "half a build": ("wasm:half", "no sema_wasm_bg.wasm in it; expected"),
    "empty": ("wasm:empty", "no sema_wasm.js and no sema_wasm_bg.wasm in it"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_vm_is_refused_in_one_line(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what was found and what was expected."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "sema_wasm.js").touch()
    monkeypatch.chdir(tmp_path)
    for refuse in (read_choice, lambda name: create_vm(name, n_hosts=1)):
        with pytest.raises(SettingsError) as caught:
            refuse(text)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


BUILDS = {
    "something else": (NO_VM, NO_CODE, "TypeError: initSync is not a function"),
    "no JavaScript": ("this is prose", NO_CODE, "SyntaxError: Unexpected identifier"),
    "no WebAssembly": (NO_VM, b"\0asm", "CompileError: WebAssembly.Module()"),
}


@pytest.mark.parametrize(("script", "wasm", "words"), BUILDS.values(), ids=BUILDS)
def test_a_build_that_does_not_run_is_told_in_one_line(
    script: str, wasm: bytes, words: str, tmp_path: Path, event_loop_runner: asyncio.Runner
) -> None:
    """What Node says of it comes without Node's stack."""
    with pytest.raises(VMError) as caught:
        info_of(f"wasm:{build(tmp_path, script, wasm)}", event_loop_runner)
    message = str(caught.value)
    assert message.startswith(f"the build in {tmp_path} is no Sema VM that can be run: {words}")
    assert "\n" not in message


def test_the_published_crates_build_runs(event_loop_runner: asyncio.Runner) -> None:
    """A newer version answers by the same host, and another build has another hash."""
    pinned = info_of("wasm", event_loop_runner)
    newer = info_of(f"wasm:{wasm_folder()}", event_loop_runner)
    assert (newer.backend, newer.version) == ("wasm", VERSION)
    assert newer.build != pinned.build
    assert newer.confinement == pinned.confinement != ()
