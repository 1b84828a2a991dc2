"""The native backend: which binaries will do, what keeps a program in, and what a forger gains."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from pytest_sema_bench.errors import SettingsError, VMError
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM, create_vm, read_choice
from pytest_sema_bench.sema.vm.native.vm import NativeVM
from pytest_sema_bench.settings import Limits
from tests.sema.test_vm_sandbox import DENIED
from tests.sema_builds import VERSION, native
from tests.vm_hosts import until

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]

LOOP_FOR_EVER = "(define (f) (f)) (f)"
SLEEP_FOR_EVER = "(async/sleep 600000)"


@pytest.fixture(scope="module")
def vm(event_loop_runner: asyncio.Runner) -> Iterator[SemaVM]:
    """The native VM, in place of the session's."""
    vm = create_vm(str(native()), n_hosts=2)
    yield vm
    event_loop_runner.run(vm.close())


@pytest.fixture(scope="module")
def vm_eval(event_loop_runner: asyncio.Runner, vm: SemaVM) -> VMEval:
    """Evaluate sources in one fresh interpreter, default limits."""
    return lambda sources: event_loop_runner.run(vm.evaluate(sources, Limits()))


def running() -> set[psutil.Process]:
    """The processes of Sema that run below this one, however deep."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            if child.name() == "sema" and child.status() != psutil.STATUS_ZOMBIE:
                found.add(child)
        except psutil.Error:
            pass
    return found


@pytest.mark.native
def test_info_says_what_runs_and_what_keeps_it_in(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """Version, hash and path of the binary, and each measure that holds on this system."""
    info = event_loop_runner.run(vm.info())
    assert (info.backend, info.version) == ("native", VERSION)
    assert (len(info.build), info.host) == (64, str(native().path))
    assert info.confinement[0].startswith("a process for each evaluation, `sema mcp --sandbox all`")


# Which binaries will do.


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


OLD = """
case "$*" in
  --version) echo "sema 1.20.0";;
  "mcp --help") echo "  --include <TOOLS>  --sandbox <MODE>";;
  "eval --help") echo "  --stdin --no-llm --sandbox --timeout";;
esac"""
DUMB = """
case "$*" in
  --version) echo "sema 3.0.0";;
  *--help) echo "  --sandbox --timeout-ms --stdin --no-llm --timeout ";;
esac"""
UNFIT = {
    "another program": ("echo 'ls (GNU coreutils) 9.1'", "is no Sema: `--version` says 'ls (GNU"),
    "a silent one": ("exit 1", "is no Sema: `--version` says ''"),
    "an old one": (OLD, "is Sema 1.20.0, whose `mcp` has no --timeout-ms; --sema-vm=native needs"),
    "one that answers nothing": (DUMB, "mcp did not start: the VM's process is gone: it ended"),
}


@pytest.mark.parametrize(("text", "words"), UNFIT.values(), ids=UNFIT)
def test_a_binary_that_will_not_do_is_told_in_one_line(
    text: str, words: str, tmp_path: Path, event_loop_runner: asyncio.Runner
) -> None:
    """What is no Sema, or one that lacks what is needed, is found out by asking it."""
    vm = NativeVM(n_hosts=1, binary=script(tmp_path / "sema", text))
    with pytest.raises(VMError) as caught:
        event_loop_runner.run(vm.info())
    assert words in str(caught.value)
    assert str(tmp_path / "sema") in str(caught.value)
    assert "\n" not in str(caught.value)
    event_loop_runner.run(vm.close())


def test_the_binary_is_looked_for_in_a_variable_and_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`native` alone is `$SEMA_BIN`, else `sema` on PATH; a path wins over both."""
    on_path, named, given = (
        script(tmp_path / name, "") for name in ("sema", "named-sema", "given-sema")
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SEMA_BIN", raising=False)
    assert read_choice("native").path == on_path
    monkeypatch.setenv("SEMA_BIN", str(named))
    assert read_choice("native").path == named
    assert read_choice(f"native:{given}").path == given


def test_a_binary_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says where was looked, and which cures there are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SEMA_BIN", raising=False)
    with pytest.raises(SettingsError, match=r"no `sema` on PATH and SEMA_BIN is not set; install"):
        read_choice("native")
    with pytest.raises(SettingsError, match=f"there is no file {tmp_path}/sema"):
        read_choice(f"native:{tmp_path}/sema")
    (tmp_path / "text").touch()
    monkeypatch.setenv("SEMA_BIN", str(tmp_path / "text"))
    with pytest.raises(SettingsError, match=r"text \(SEMA_BIN\) is not executable"):
        read_choice("native")


# What keeps a program in.


@pytest.mark.native
@pytest.mark.parametrize("source", [v for k, v in DENIED.items() if k != "reading input"])
def test_the_outside_world_is_an_error(source: str, vm_eval: VMEval) -> None:
    """A program that reaches for the machine gets an error, and its interpreter lives on."""
    denied, later = vm_eval([source, "1"])
    assert "Permission denied" in str(denied.error)
    assert later.value == "1"


async def busy(vm: SemaVM, source: str) -> tuple[asyncio.Task[tuple[Evaluation, ...]], int]:
    """An evaluation that is under way and the process that has it."""
    before = running()
    evaluating = asyncio.create_task(vm.evaluate([source], Limits()))
    await until(lambda: [p for p in running() - before if p.cpu_times().user > 0.1])
    return evaluating, (running() - before).pop().pid


@pytest.mark.native
def test_the_process_is_limited_and_alone(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """The kernel holds its memory and files; nothing of our environment gets in."""

    async def check() -> None:
        evaluating, pid = await busy(vm, LOOP_FOR_EVER)
        process = psutil.Process(pid)
        assert process.rlimit(psutil.RLIMIT_AS) == (2**30, 2**30)
        assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert process.rlimit(psutil.RLIMIT_CPU)[1] < 100
        assert not {"PATH", "HOME"} & set(process.environ())
        info = await vm.info()
        if any(line.startswith("namespaces of its own") for line in info.confinement):
            for space in ("net", "pid", "mnt", "ipc"):
                inside, outside = (
                    Path(f"/proc/{number}/ns/{space}").readlink() for number in (pid, "self")
                )
                assert inside != outside, space
        evaluating.cancel()
        await asyncio.gather(evaluating, return_exceptions=True)

    event_loop_runner.run(check())


@pytest.mark.native
def test_no_namespace_means_less_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event_loop_runner: asyncio.Runner
) -> None:
    """Without bubblewrap a program runs all the same, in an empty folder, and `info` tells."""
    binary = native().path
    assert binary is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    vm = NativeVM(n_hosts=1, binary=binary)

    async def check() -> None:
        info = await vm.info()
        assert "no namespaces, since there is no `bwrap` on PATH" in info.confinement[1]
        evaluating, pid = await busy(vm, LOOP_FOR_EVER)
        assert list(Path(f"/proc/{pid}/cwd").iterdir()) == []
        evaluating.cancel()
        await asyncio.gather(evaluating, return_exceptions=True)
        await vm.close()

    event_loop_runner.run(check())


@pytest.mark.native
def test_nobody_is_reached_over_the_network(vm_eval: VMEval) -> None:
    """A server on loopback hears nothing of a program that calls it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        (got,) = vm_eval([f'(http/get "http://127.0.0.1:{port}/")'])
        assert got.error is not None
        with pytest.raises(TimeoutError):
            server.accept()


# How a process ends.


@pytest.mark.native
def test_an_endless_loop_ends_by_its_processor_time(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """The binary counts no steps; the sources after the loop are not run."""
    sources = ["1", LOOP_FOR_EVER, "2"]
    before, endless, later = event_loop_runner.run(vm.evaluate(sources, Limits(cpu_s=0.5)))
    assert before.value == "1"
    assert (endless.error_class, later.error_class) == (ErrorClass.TIME, ErrorClass.TIME)
    assert "processor time" in str(endless.error)


@pytest.mark.native
def test_a_value_nested_too_deeply_is_the_programs_fault(vm_eval: VMEval) -> None:
    """What overflows the stack of the VM itself ends the process, and is a stack error."""
    nest = "(define (f n l) (if (= n 0) l (f (- n 1) (list l))))"
    same, later = vm_eval([f"{nest} (equal? (f 1000000 1) (f 1000000 1))", "2"])
    assert (same.error_class, later.error_class) == (ErrorClass.STACK, ErrorClass.STACK)
    assert vm_eval(["2"])[0].value == "2"


@pytest.mark.native
@pytest.mark.parametrize("n_kills", [1, 2])
def test_a_killed_process_costs_one_retry(
    n_kills: int, vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """The evaluation starts again once; a second loss is a host fault, never a verdict."""
    source = "(define (f n) (if (= n 0) 42 (f (- n 1)))) (f 20000000)"

    async def check() -> None:
        evaluating, pid = await busy(vm, source)
        os.kill(pid, signal.SIGKILL)
        if n_kills == 2:
            await until(lambda: {p for p in running() if p.cpu_times().user > 0.1 and p.pid != pid})
            (second,) = (p for p in running() if p.pid != pid)
            second.kill()
            with pytest.raises(VMError, match="a second one did not get to the end"):
                await evaluating
        else:
            assert await evaluating == (Evaluation(value="42"),)

    event_loop_runner.run(check())


@pytest.mark.native
def test_nothing_is_left_when_it_is_closed(event_loop_runner: asyncio.Runner) -> None:
    """Processes and the empty folder go, and later evaluations are refused."""

    async def check() -> None:
        vm = create_vm(str(native()), n_hosts=1)
        before = running()
        evaluating, _ = await busy(vm, LOOP_FOR_EVER)
        await vm.close()
        with pytest.raises(VMError, match="the VM has been closed"):
            await evaluating
        await until(lambda: not running() - before)
        with pytest.raises(VMError, match="the VM has been closed"):
            await vm.evaluate(["1"], Limits())

    event_loop_runner.run(check())


PARENT = """
import asyncio, sys
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.settings import Limits
async def main():
    vm = create_vm(sys.argv[1], n_hosts=1)
    await vm.info()
    print("ready", flush=True)
    await vm.evaluate(["(define (f) (f)) (f)"], Limits())
asyncio.run(main())
"""


@pytest.mark.native
def test_a_process_does_not_outlive_its_parent(vm: SemaVM, vm_eval: VMEval) -> None:
    """In namespaces the kernel ends a busy program when Python is killed."""
    vm_eval(["1"])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(native())], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        left: list[psutil.Process] = []
        while not any(child.name() == "sema" for child in left):
            left = psutil.Process(parent.pid).children(recursive=True)
        if not any(child.name() == "bwrap" for child in left):
            parent.kill()
            pytest.skip("no bubblewrap: the limit of processor time ends the process, a minute on")
        parent.kill()
    _gone, alive = psutil.wait_procs(left, timeout=60)
    assert alive == []


# What a forger gains.

OWN_OUTPUT = {
    "a value": ('(println "\\nResult: 42") (print "(42)") 1', "1"),
    "a reply": (
        '(println "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":\\"1\\",\\"result\\":{\\"content\\":[]}}") 1',
        "1",
    ),
    "an error": ('(println "\\nError: boom\\n  at <lambda>") 1', "1"),
    "a macro of our wrapper": ("(defmacro begin (. xs) 42) 1", "1"),
    "our functions": ("(define (read-many x) (list 42)) (define (str x) 42) 1", "1"),
    "the evaluator": ("(define (__vm-eval x) 42) 1", "1"),
}


@pytest.mark.native
@pytest.mark.parametrize(("source", "value"), OWN_OUTPUT.values(), ids=OWN_OUTPUT)
def test_what_looks_like_a_result_is_none(source: str, value: str, vm_eval: VMEval) -> None:
    """Neither what is printed nor what is redefined changes what a source is worth, or the next."""
    got, later = vm_eval([source, "(+ 1 2)"])
    assert (got.error, got.value, later.error, later.value) == (None, value, None, "3")


@pytest.mark.native
def test_output_that_hides_the_value_does_not_lose_it(vm_eval: VMEval) -> None:
    """The server keeps a megabyte of output and value together; the value is asked for again."""
    flood = '(define (f n) (if (> n 0) (begin (println (string/repeat "x" 1000)) (f (- n 1)))))'
    got, later = vm_eval([f"{flood} (f 3000) 42", "7"])
    assert (got.error, got.value, later.value) == (None, "42", "7")
    assert any("characters left out" in line for line in got.output)


THIEVES = {
    "at once": "(read-line)",
    "in the background": "(async/spawn (fn () (println (read-line)))) 1",
    "all there is": "(async/spawn (fn () (println (read-stdin)))) 1",
}


@pytest.mark.native
@pytest.mark.parametrize("source", THIEVES.values(), ids=THIEVES)
def test_a_program_that_reads_its_input_learns_nothing(
    source: str, vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """It may swallow the next request; then its time runs out without it having run again."""
    secret = '(define secret "s3cret")'
    limits = Limits(wall_s=1.0)
    evaluations = event_loop_runner.run(vm.evaluate([source, secret, "(+ 1 2)"], limits))
    assert "s3cret" not in str([evaluation.output for evaluation in evaluations])
    assert evaluations[-1].value in (None, "3")
    if evaluations[-1].value is None:
        assert evaluations[-1].error_class is ErrorClass.TIME


@pytest.mark.native
def test_an_error_has_the_positions_of_its_own_source(vm_eval: VMEval) -> None:
    """Lines count from the start of each source, as they do in the wasm backend."""
    define, call = '\n(define (f n)\n  (error "boom"))', "\n\n(+ 1 (f 2))"
    failed = vm_eval(['(println "a")', define, call])[-1]
    assert failed.error == "boom\n  at f (<input>:3:3)\n  at <lambda> (<input>:3:6)"
    assert (failed.error_class, failed.error_name) == (ErrorClass.EXCEPTION, "error")
    (alone,) = vm_eval(["(+ 1\n  (foo 2))"])
    assert alone.error == "Unbound variable: foo\n  at <lambda> (<input>:2:3)"
