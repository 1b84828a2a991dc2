"""What ends a run from outside, and what the user leaves out: both counts say the same."""

import json
import os
import signal

import psutil
import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE
from tests.chat_server import HANG, ChatServer
from tests.plugin.bench_dir import LONGEST_S, REFERENCE, SLUGS, BenchDir, read_table, wait_until

_SKIPPING = """
import pytest

def pytest_runtest_setup(item):
    if item.name.startswith("palindrome"):
        pytest.skip("not today")
"""

_INTERRUPTING = """
def pytest_xdist_setupnodes():
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_ends_a_run_in_order(
    bench_dir: BenchDir, chat_server: ChatServer, number: signal.Signals, n_workers: str
) -> None:
    """To one process or to the whole group: the table, the way on, and what a shell expects."""
    if signal.getsignal(number) is not signal.SIG_DFL:
        pytest.skip("whoever started these tests has this signal ignored")
    chat_server.play(bench_dir.script(palindrome=HANG, doubling=HANG, summing=HANG))
    run = bench_dir.start(*bench_dir.asking(chat_server), n_workers)
    wait_until(lambda: bench_dir.asked(chat_server) == set(SLUGS) and len(bench_dir.records()) == 1)
    children = psutil.Process(run.pid).children(recursive=True)
    if number is signal.SIGHUP:
        os.killpg(run.pid, number)  # as a terminal does that is closed
    else:
        run.send_signal(number)
    assert run.wait(timeout=LONGEST_S) == 128 + number
    assert psutil.wait_procs(children, timeout=LONGEST_S)[1] == []
    total = read_table(bench_dir.output, "m-tools")["all"]
    assert (total["tasks"], total["passed"]) == ("4", "1")
    told = f"ended by {number.name}; --sema-resume takes the run up"
    assert any(told in line for line in bench_dir.output)
    state = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert (state["state"], state["exit_status"]) == ("incomplete", 128 + number)


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_a_signal_ends_a_run_whose_vm_has_not_started(
    bench_dir: BenchDir, monkeypatch: pytest.MonkeyPatch, n_workers: str
) -> None:
    """While it is installed, say: with the status that a shell expects, and no process left."""
    npm = bench_dir.path / "npm"
    npm.write_text(f"#!/bin/sh\necho > {bench_dir.path}/called; exec sleep 300\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(bench_dir.path), prepend=os.pathsep)
    monkeypatch.setenv(CACHE_VARIABLE, str(bench_dir.path / "cache"))
    run = bench_dir.start(REFERENCE, n_workers)
    wait_until(lambda: (bench_dir.path / "called").exists(), LONGEST_S)
    children = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=LONGEST_S) == 128 + signal.SIGTERM
    assert children
    assert psutil.wait_procs(children, timeout=LONGEST_S)[1] == []
    assert not (bench_dir.path / "reports").exists()


def test_a_run_that_ends_while_its_workers_are_made_leaves_no_folder(bench_dir: BenchDir) -> None:
    """It was made for them, and nothing was written to it."""
    (bench_dir.path / "conftest.py").write_text(_INTERRUPTING)
    assert bench_dir.run(REFERENCE, "-n2").ret == pytest.ExitCode.INTERRUPTED
    assert not (bench_dir.path / "reports").exists()


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_what_the_user_skips_is_not_missing(
    bench_dir: BenchDir, chat_server: ChatServer, n_workers: str
) -> None:
    """Pytest counts it as skipped, the table leaves it out, and the run is whole."""
    (bench_dir.path / "conftest.py").write_text(_SKIPPING)
    chat_server.play(bench_dir.script(palindrome=HANG))
    result = bench_dir.ask(chat_server, n_workers)
    result.assert_outcomes(passed=3, skipped=1)
    assert read_table(result.outlines, "m-tools")["all"]["tasks"] == "3"
    assert not any(line.startswith("missing:") for line in result.outlines)
    state = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert (state["state"], state["n_missing"]) == ("finished", 0)
