"""A project of eight small sums for the gate's tests: runs and baselines written as letters.

`ppfvh` is a suite of which the first two tasks pass, the third fails, the fourth is void, and the
fifth gets no answer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.gate.baseline import write_baseline
from pytest_sema_bench.gate.task_results import Group, Results, TaskResult
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.suite.task import load_tasks
from tests.chat_server import HANG, ChatServer, Request, Step, refuse, say
from tests.plugin.bench_dir import BenchDir
from tests.samples.many_tasks import write_sums
from tests.samples.outcomes import group_of

N_TASKS = 8
ALL_PASS = "p" * N_TASKS
FIVE_BROKEN = "fffff" + "p" * 3
"""The least that the sign test takes for a regression when everything passed before."""
FOUR_BROKEN = "ffff" + "p" * 4
BASELINE = "--sema-baseline=base.json"


class GatedDir:
    """The project; the plain test of `BenchDir` lies beside the sums and is not collected."""

    def __init__(self, bench_dir: BenchDir, server: ChatServer) -> None:
        self.path = bench_dir.path
        self.bench_dir = bench_dir
        self.server = server
        bench_dir.tasks = load_tasks(write_sums(self.path / "sums", N_TASKS))
        pyproject = self.path / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace('tasks = "tasks"', 'tasks = "sums"'))

    def save_baseline(self, letters: str, **changes: Any) -> Path:
        """base.json, in which the tasks went so; `changes` go into each task's entry."""
        return self.save_groups(self.group(letters, **changes))

    def save_groups(self, *groups: Group) -> Path:
        """base.json with these models."""
        path = self.path / "base.json"
        write_baseline(path, Results(source="made up", groups=groups))
        return path

    def group(self, letters: str, *, model: str = "m", **changes: Any) -> Group:
        """What a baseline says of one model; words such as `pf` are tasks with samples."""
        words = letters.split() if " " in letters else list(letters)
        tasks = [task.id for task in self.bench_dir.tasks]
        made_up = group_of(dict(zip(tasks, words, strict=False)), model=model)
        return replace(made_up, tasks=tuple(self._as_asked(t, changes) for t in made_up.tasks))

    def _as_asked(self, result: TaskResult, changes: dict[str, Any]) -> TaskResult:
        task = next(task for task in self.bench_dir.tasks if task.id == result.task)
        known: dict[str, Any] = {
            "task_hash": task.task_hash,
            "vm": vm_label(),
            "grader": GRADER_VERSION,
        }
        return replace(result, **(known | changes))

    def play(self, letters: str) -> None:
        """Let the model `m` answer so from now on."""
        self.server.play(self.script(letters))

    def script(self, letters: str) -> Callable[[Request], Step]:
        """Answers that come out so."""

        def play(request: Request) -> Step:
            number = int(self.bench_dir.slug(request).rpartition("-")[2])
            right = say(f"Value: {number + 1000}")
            steps = {"p": right, "f": say("Value: 0"), "v": refuse(400), "h": HANG}
            return steps[letters[number - 1]]

        return play

    def run(self, letters: str, *args: str) -> pytest.RunResult:
        """How pytest ends when the model answers so."""
        self.play(letters)
        return self.bench_dir.ask(self.server, *args)

    def refused(self, *args: str) -> str:
        """The one line with which pytest refuses these arguments, before anything is asked."""
        result = self.bench_dir.run_here(*self.bench_dir.asking(self.server), *args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert self.server.n_connections == 0
        assert not (self.path / "reports").exists()
        line, *rest = [line for line in result.errlines if line]
        assert not rest
        return line.removeprefix("ERROR: ")

    def add_test(self, text: str) -> str:
        """The name of a test file of the user's own, with this in it."""
        (self.path / "tests" / "test_own.py").write_text(text)
        return "tests/test_own.py"

    def records(self) -> tuple[Record, ...]:
        """All records of the newest run."""
        return self.bench_dir.records()


@cache
def vm_label() -> str:
    """What records say of the VM that is installed."""

    async def ask() -> str:
        vm = create_vm("wasm", n_hosts=1)
        try:
            return (await vm.info()).label
        finally:
            await vm.close()

    return asyncio.run(ask())
