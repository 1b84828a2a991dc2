"""The sixty tasks through the tools of a real `sema mcp`, against a real chat server, twice."""

import threading
from contextlib import suppress

import psutil
import pytest

from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks
from tests import sema_builds
from tests.chat_server import ChatServer, Request, Step, call_tool, solve
from tests.plugin.bench_dir import BenchDir, wait_until

UNLUCKY = "L2-05-palindrome"
ENDLESS = call_tool(name="eval", arguments={"code": "(let loop () (loop))"})


def test_a_server_killed_between_two_runs_costs_one_item(
    bench_dir: BenchDir, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its item is void and the others pass; taken up, the run asks that one and no other."""
    monkeypatch.setenv("SEMA_BIN", str(sema_builds.native().path))
    tasks = load_tasks(suite_folder("core"))
    right = solve(tasks)
    prompt = next(task.full_prompt for task in tasks if task.id == UNLUCKY)

    def killed(request: Request) -> Step:
        if request.prompt != prompt:
            return right(request)
        threading.Thread(target=wait_until, args=(kill_the_busy_one,)).start()
        return ENDLESS

    asked = ("--sema-suite=core", "--sema-config=sema-mcp")
    chat_server.play(killed)
    bench_dir.ask(chat_server, *asked).assert_outcomes(passed=59, errors=1)
    chat_server.play(right)
    chat_server.requests.clear()
    bench_dir.ask(chat_server, *asked, "--sema-resume").assert_outcomes(passed=60)
    assert {request.prompt for request in chat_server.requests} == {prompt}


def kill_the_busy_one() -> bool:
    """Kill the MCP server below this process that has computed for a second; whether one has."""
    for process in psutil.Process().children(recursive=True):
        # What has ended meanwhile is none.
        with suppress(psutil.Error):
            if "mcp" in process.cmdline() and process.cpu_times().user > 1.0:
                process.kill()
                return True
    return False
