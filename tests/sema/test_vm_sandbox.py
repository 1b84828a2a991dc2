"""What no program on the VM can reach: network, files, environment, processes."""

import subprocess
from collections.abc import Callable, Sequence

import pytest

from pytest_sema_bench.sema.vm import Evaluation
from tests.vm_hosts import running_hosts

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]

DENIED = {
    "network": '(http/get "http://127.0.0.1:1/")',
    "reading a file": '(file/read "/etc/passwd")',
    "reading the package": f'(file/read "{__file__}")',
    "writing a file": '(file/write "/tmp/sema-bench-test" "x")',
    "loading code": '(load "/etc/passwd")',
    "importing code": '(import "node:fs")',
    "shell": '(shell "id")',
    "leaving": "(exit 3)",
    "reading input": "(read-line)",
}


@pytest.mark.parametrize("source", DENIED.values(), ids=DENIED)
def test_the_outside_world_is_an_error(source: str, vm_eval: VMEval) -> None:
    """A program that reaches for the machine gets an error, and its interpreter lives on."""
    denied, later = vm_eval([source, "1"])
    assert denied.error is not None
    assert later.value == "1"


HIDDEN = {
    "environment variable": ('(env "PATH")', None),
    "whole environment": ("(sys/env-all)", "{}"),
    "root folder": ('(file/list "/")', "()"),
    "existing file": ('(file/exists? "/etc/passwd")', "#f"),
}


@pytest.mark.parametrize(("source", "printed"), HIDDEN.values(), ids=HIDDEN)
def test_the_machine_looks_empty(source: str, printed: str | None, vm_eval: VMEval) -> None:
    """A program finds no environment and no files."""
    assert vm_eval([source]) == (Evaluation(value=printed),)


def test_virtual_files_do_not_outlive_their_interpreter(vm_eval: VMEval) -> None:
    """What one program leaves in the VM's own file system no other one finds."""
    write = """(file/write-lines "left.txt" '("secret")) (file/exists? "left.txt")"""
    for _ in range(8):  # more often than there are hosts
        assert vm_eval(['(file/exists? "left.txt")', write]) == (
            Evaluation(value="#f"),
            Evaluation(value="#t"),
        )


def test_the_host_has_no_environment(vm_eval: VMEval) -> None:
    """Even a program that broke out of the VM would find no variables, keys least of all."""
    vm_eval(["1"])
    assert [host.environ() for host in running_hosts()]
    assert all(host.environ() == {} for host in running_hosts())


BREAK_OUTS = {
    "files": "require('node:fs').readFileSync('/etc/passwd')",
    "writing": "require('node:fs').writeFileSync('/tmp/sema-bench-test', 'x')",
    "processes": "require('node:child_process').execFileSync('id')",
    "threads": "new (require('node:worker_threads').Worker)('1', {eval: true})",
}


@pytest.mark.parametrize("code", BREAK_OUTS.values(), ids=BREAK_OUTS)
def test_node_itself_denies_what_the_vm_denies(code: str, vm_eval: VMEval) -> None:
    """With a host's own flags, Node's permission model refuses files, processes and threads."""
    vm_eval(["1"])
    command = next(iter(running_hosts())).cmdline()
    flags = command[: next(i for i, part in enumerate(command) if part.endswith("/host.mjs"))]
    attempt = f"try {{ {code}; console.log('done') }} catch (e) {{ console.log(e.code) }}"
    done = subprocess.run([*flags, "-e", attempt], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "ERR_ACCESS_DENIED", done.stderr
