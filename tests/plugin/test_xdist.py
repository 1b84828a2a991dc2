"""Several workers, dying workers, and runs that are interrupted."""

import json
import os
import signal
from collections import Counter

import psutil
import pytest

from tests.chat_server import HANG, ChatServer
from tests.plugin.bench_dir import (
    LONGEST_S,
    REFERENCE,
    SLUGS,
    WRONG,
    BenchDir,
    first_worker,
    read_table,
    timeless,
    wait_until,
)

SOON_S = LONGEST_S / 4
_KILLER = """
import os, signal
from pathlib import Path
import psutil

def pytest_runtest_setup(item):
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker == "gw0" and item.name == "palindrome[reference-tools]":
        pids = [child.pid for child in psutil.Process().children(recursive=True)]
        Path("orphans").write_text(" ".join(map(str, pids)))
        os.kill(os.getpid(), signal.SIGKILL)
"""
_EARLY_KILLER = """
def pytest_collection():
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
        os.kill(os.getpid(), signal.SIGKILL)
"""
_SLOW_COLLECTOR = """
import os, time
from pathlib import Path

def pytest_collection_modifyitems():
    while os.environ.get("PYTEST_XDIST_WORKER") == "gw1" and not Path("go").exists():
        time.sleep(0.01)
"""


def test_two_workers_give_the_table_of_one_process(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """`-n 2` changes nothing but the time; each item is asked once."""
    chat_server.play(bench_dir.script(palindrome=WRONG))
    alone = bench_dir.ask(chat_server, "--sema-samples=2")
    asked = Counter(bench_dir.slug(request) for request in chat_server.requests)
    chat_server.requests.clear()
    shared = bench_dir.ask(chat_server, "--sema-samples=2", "-n2")
    assert Counter(bench_dir.slug(request) for request in chat_server.requests) == asked
    assert timeless(shared) == timeless(alone)
    assert len(list(bench_dir.run_folder.glob("records-gw*.jsonl"))) == 2


def test_the_work_of_a_killed_worker_is_taken_over(bench_dir: BenchDir) -> None:
    """A worker killed in the middle costs its item: an error to pytest, missing in the table."""
    (bench_dir.path / "conftest.py").write_text(_KILLER)
    result = bench_dir.run(REFERENCE, "-n2", "--sema-samples=2", "-v")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=7, errors=1)
    result.stdout.fnmatch_lines(
        ["*worker 'gw0' crashed while running*palindrome[[]reference-tools[]]*"]
    )
    total = read_table(result.outlines)["all"]
    assert (total["tasks"], total["runs"]) == ("4", "8")
    n_missing = sum("missing: 1 of 8 items" in line for line in result.outlines)
    assert int(total["passed"]) + n_missing == 8
    orphans = (bench_dir.path / "orphans").read_text().split()
    assert orphans
    wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in orphans), SOON_S)


def test_a_worker_that_dies_before_it_begins_costs_nothing(bench_dir: BenchDir) -> None:
    """Its replacement takes over the whole share."""
    killer = _KILLER.partition("def ")[0] + _EARLY_KILLER
    (bench_dir.path / "conftest.py").write_text(killer)
    result = bench_dir.run(REFERENCE, "-n2")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=4)
    assert read_table(result.outlines)["all"]["passed"] == "4"


def test_a_worker_that_dies_while_others_collect_loses_nothing(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Nobody divides the items before its replacement can take its share."""
    (bench_dir.path / "conftest.py").write_text(_SLOW_COLLECTOR)
    chat_server.play(bench_dir.script(adding=HANG))
    run = bench_dir.start(*bench_dir.asking(chat_server), "-n2")
    wait_until(lambda: chat_server.n_requests >= 1, SOON_S)
    first_worker(run.pid).kill()
    wait_until(lambda: chat_server.n_in_flight == 0, SOON_S)
    chat_server.play(bench_dir.script())
    (bench_dir.path / "go").touch()
    assert run.wait(timeout=LONGEST_S) == pytest.ExitCode.OK
    assert read_table(bench_dir.output, "m-tools")["all"]["passed"] == "4"


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
@pytest.mark.parametrize("whom", ["everybody", "the first process"])
def test_ctrl_c_leaves_a_complete_folder_and_no_process(
    bench_dir: BenchDir, chat_server: ChatServer, n_workers: str, whom: str
) -> None:
    """An interrupted run prints its table, keeps what was graded, and cancels the rest at once."""
    chat_server.play(bench_dir.script(palindrome=HANG, doubling=HANG, summing=HANG))
    run = bench_dir.start(*bench_dir.asking(chat_server), n_workers)
    wait_until(
        lambda: bench_dir.asked(chat_server) == set(SLUGS) and len(bench_dir.records()) == 1,
        SOON_S,
    )
    children = psutil.Process(run.pid).children(recursive=True)
    assert any("host.mjs" in " ".join(child.cmdline()) for child in children)
    if whom == "everybody":
        os.killpg(run.pid, signal.SIGINT)
    else:
        run.send_signal(signal.SIGINT)
    assert run.wait(timeout=SOON_S) == pytest.ExitCode.INTERRUPTED
    assert psutil.wait_procs(children, timeout=SOON_S)[1] == []
    total = read_table(bench_dir.output, "m-tools")["all"]
    assert (total["tasks"], total["passed"]) == ("4", "1")
    missing = "missing: 3 of 4 items have no record; the rates leave them out, and "
    assert f"{missing}--sema-resume asks them" in bench_dir.output
    state = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert (state["state"], state["exit_status"]) == ("incomplete", 2)
    assert "missing: 3 of 4" in (bench_dir.run_folder / "summary.md").read_text()
