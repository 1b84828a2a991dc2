"""`sema-bench export --format harbor`: a suite's task folders, run as Harbor's verifier runs them.

Harbor's own loader reads them where it is installed (`pip install harbor`, Python 3.12).
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks

TASKS = {task.id: task for task in load_tasks(suite_folder("core"))}
ANSWER = "/app/answer.md"


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """The suite `core` as task folders."""
    folder = tmp_path / "tasks"
    assert main(["export", "core", "--format", "harbor", "-o", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == set(TASKS)
    return folder


def verified(task: Path, answer: Path, **environment: str) -> tuple[int, str | None]:
    """The verifier's exit status, and the reward that it wrote."""
    logs = answer.parent / "logs"
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["sh", str(task / "tests" / "test.sh"), str(answer), str(logs)]
    (logs / "reward.txt").unlink(missing_ok=True)
    done = subprocess.run(
        command, env={**os.environ, "PATH": python, **environment}, capture_output=True, check=False
    )
    written = logs / "reward.txt"
    return done.returncode, written.read_text() if written.is_file() else None


@pytest.mark.vm
@pytest.mark.parametrize("task_id", ["L1-01-arithmetic-exact", "L2-05-palindrome"])
def test_the_solution_earns_the_reward_and_a_wrong_answer_none(
    exported: Path, task_id: str, tmp_path: Path
) -> None:
    """Values and programs are graded by all cases; a VM that fails writes no reward."""
    folder, answer = exported / task_id, tmp_path / "answer.md"
    solve = (folder / "solution" / "solve.sh").read_text().replace(ANSWER, str(answer))
    assert verified(folder, answer) == (0, "0\n")
    subprocess.run(["sh", "-c", solve], check=True)
    assert verified(folder, answer) == (0, "1\n")
    no_cache = tmp_path / "no folder"
    no_cache.write_text("")
    status, written = verified(folder, answer, SEMA_BENCH_CACHE=str(no_cache))
    assert (status != 0, written) == (True, None)
    answer.write_text(TASKS[task_id].wrong[0].code)
    assert verified(folder, answer) == (0, "0\n")


def test_harbor_loads_each_task(exported: Path) -> None:
    """Name, question, the answer that is kept, and a verifier of its own."""
    harbor: Any = pytest.importorskip("harbor.models.task.task")
    for task_id, task in TASKS.items():
        assert harbor.Task.is_valid_dir(exported / task_id)
        read = harbor.Task(exported / task_id)
        assert read.name == f"sema-bench/{task_id}"
        assert read.instruction.startswith(task.full_prompt)
        assert [str(artifact) for artifact in read.config.artifacts] == [ANSWER]
        assert read.config.verifier.environment_mode == "separate"
        assert read.paths.discovered_solve_path is not None


def test_what_is_there_is_not_overwritten(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second export into the folder is refused, and a run is no suite."""
    assert main(["export", "core", "--format", "harbor", "-o", str(exported)]) == 3
    assert f"{exported} is there already" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["export", "reports/run", "--format", "harbor", "-o", str(exported / "x")])
    assert "neither a bundled suite" in capsys.readouterr().err
