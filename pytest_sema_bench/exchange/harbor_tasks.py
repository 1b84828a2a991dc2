"""A suite as task folders of Harbor, graded there by the benchmark's own grader.

The verifier's image installs this package and runs this module. The agent's must not: the package
holds the answers.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_sema_bench import __version__
from pytest_sema_bench.dataset.harbor import folder_files, write_task
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading.scoring import Scorer
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.suite.task import Task, load_task

_ANSWER = "/app/answer.md"
_HOW = f"""Sema's VM is there as the npm package `@sema-lang/sema-wasm`, in `/app/node_modules`.
Write your final answer to `{_ANSWER}`, as you would give it in a chat.
"""
_IMAGE = f"""FROM python:3.13-slim
RUN pip install --no-cache-dir "pytest-sema-bench[node]=={__version__}" && sema-bench vm info
COPY . /tests/
"""
_TEST = f"""#!/bin/sh
# No reward is written unless the VM answered: its fault is not the answer's.
set -eu
reward=$(python -m {__name__} "$(dirname "$0")/task.yaml" "${{1:-{_ANSWER}}}")
logs=${{2:-/logs/verifier}}
mkdir -p "$logs"
printf '%s\\n' "$reward" > "$logs/reward.txt"
"""


def write_harbor_tasks(folder: Path, tasks: Sequence[Task]) -> None:
    """Write a folder for each task. Raises BenchError if something is in `folder` already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BenchError(f"{folder} is there already; name another folder with -o")
    for task in tasks:
        tests = {"Dockerfile": _IMAGE, "test.sh": _TEST, "task.yaml": task.path.read_text("utf-8")}
        content = folder_files(
            task.id,
            f"{task.full_prompt}\n\n{_HOW}",
            solution=as_answer(task.kind, task.reference) if task.reference is not None else None,
            answer=_ANSWER,
            tests=tests,
        )
        write_task(folder / task.id, content)


def reward(task_file: Path, answer: Path) -> int:
    """1 for a right answer, else 0. Raises BenchError where the VM fails."""
    said = answer.read_text("utf-8", "replace") if answer.is_file() else ""
    with Scorer(task_file) as scorer:
        graded = scorer.grade(load_task(task_file).id, said)
    if graded.outcome is Outcome.VOID:
        raise BenchError(f"no reward: {graded.detail}")
    return int(graded.outcome is Outcome.PASS)


if __name__ == "__main__":
    print(reward(*map(Path, sys.argv[1:])))
