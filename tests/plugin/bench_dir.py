"""A prepared project for the plugin's tests: four small tasks, one plain test, and ways to run.

The tasks are adding (L1, a value), palindrome (L2, a program), doubling (L4, a program) and
summing (L5, an expression); they lie in tests/samples/bench_dir and take milliseconds to grade.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest

import pytest_sema_bench.plugin.hooks  # noqa: F401 - once, not anew by each run in this process
from pytest_sema_bench.records.reader import read_records
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.suite.task import Task, load_tasks
from tests.chat_server import ChatServer, Request, Step, say, solve

SAMPLE = Path(__file__).parent.parent / "samples" / "bench_dir"
SLUGS = ("adding", "palindrome", "doubling", "summing")
"""The tasks in collection order."""
REFERENCE = "--sema-model=reference"
KEY_NAME, KEY = "SOME_KEY", "sk-very-secret-8861"
"""The environment variable and the key that `BenchDir.ask` uses."""
LONGEST_S = 120.0
"""After this a run counts as hung; a hundred times what a run takes."""

WRONG = say("```sema\n(define (palindrome? s) #t)\n```")
"""A wrong answer to palindrome, which gets the public example right."""


class BenchDir:
    """The project, in pytester's folder."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        shutil.copytree(SAMPLE, pytester.path, dirs_exist_ok=True)
        pytester.mkdir("tests").joinpath("test_plain.py").write_text("def test_plain(): pass\n")
        self.path = pytester.path
        self.tasks: tuple[Task, ...] = load_tasks(self.path / "tasks")
        self._pytester = pytester

    def run(self, *args: str) -> pytest.RunResult:
        """How pytest ends in a process of its own."""
        return self._pytester.runpytest_subprocess(*args, timeout=LONGEST_S)

    def run_here(self, *args: str) -> pytest.RunResult:
        """How pytest ends in this process: for what stops or ends before anything is asked."""
        return self._pytester.runpytest_inprocess(*args)

    def collect(self, *args: str) -> list[str]:
        """The node ids that these arguments collect, which must work."""
        result = self.run_here("--collect-only", "-q", *args)
        assert result.ret == pytest.ExitCode.OK
        return [line for line in result.outlines if "::" in line]

    def ask(self, server: ChatServer, *args: str) -> pytest.RunResult:
        """How pytest ends when it asks the model `m` on this server."""
        return self.run(*self.asking(server), *args)

    def asking(self, server: ChatServer) -> tuple[str, ...]:
        """The arguments that make pytest ask the model `m` on this server."""
        return "--sema-model=m", f"--sema-base-url={server.url}", f"--sema-api-key-env={KEY_NAME}"

    def script(self, **by_slug: Step | Callable[[Request], Step]) -> Callable[[Request], Step]:
        """A script that solves the tasks, but plays these steps in the tasks called so."""
        right = solve(self.tasks)

        def play(request: Request) -> Step:
            step = by_slug.get(self.slug(request), right)
            return step(request) if callable(step) else step

        return play

    def slug(self, request: Request) -> str:
        """The name of the task that a request is about."""
        return next(t.slug for t in self.tasks if t.full_prompt == request.prompt)

    def asked(self, server: ChatServer) -> set[str]:
        """The names of the tasks that the server was asked about."""
        return {self.slug(request) for request in server.requests}

    @property
    def run_folder(self) -> Path:
        """The newest run folder."""
        return max(self.path.glob("reports/*/"), key=lambda folder: folder.stat().st_mtime)

    def records(self) -> tuple[Record, ...]:
        """All records of the newest run, () before there is one."""
        return read_records(self.run_folder) if any(self.path.glob("reports/*/")) else ()

    def start(self, *args: str) -> "subprocess.Popen[bytes]":
        """Pytest in a process of its own that is still running; output goes to `self.output`."""
        with (self.path / "output").open("wb") as output:
            # A group of its own, as a shell would make, so that a test can press Ctrl-C on it.
            return subprocess.Popen(
                [sys.executable, "-m", "pytest", *args],
                cwd=self.path,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> list[str]:
        """The lines that a started run has printed."""
        return (self.path / "output").read_text().splitlines()


def first_worker(pid: int) -> psutil.Process:
    """The first of xdist's workers below a process."""
    return next(
        child
        for child in psutil.Process(pid).children()
        if any("execnet" in part or "exec(eval" in part for part in child.cmdline())
    )


def read_table(lines: Iterable[str], title: str = "reference-tools") -> dict[str, dict[str, str]]:
    """The table under `title`, plain or Markdown: by level, the cells by column name."""
    rest = iter(lines)
    for line in rest:
        if line.removeprefix("### ") == title:
            break
    next(rest)
    rows = []
    for line in rest:
        if not line:
            break
        rows.append(re.split(r"\s*\|\s*|\s{2,}", line.strip().strip("|").strip()))
    headers = rows[0]
    return {row[0]: dict(zip(headers, row, strict=True)) for row in rows[2:] if len(row) > 1}


def timeless(result: pytest.RunResult) -> dict[str, dict[str, str]]:
    """The table of the model `m`, without what differs from run to run."""
    table = read_table(result.outlines, "m-tools")
    return {level: {**row, "s/task": ""} for level, row in table.items()}


def wait_until(true: Callable[[], bool], within_s: float = LONGEST_S) -> None:
    """Return as soon as the condition holds, which another process brings about."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
