"""`sema-bench grade` as a person uses it."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from tests.conftest import Capture
from tests.samples.double_task import DOUBLE, RIGHT, WRONG, write_double_task

pytestmark = pytest.mark.vm


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with one small task."""
    return write_double_task(tmp_path / "tasks")


def answers(folder: Path, *lines: str) -> Path:
    """A file of these lines."""
    path = folder / "answers.jsonl"
    path.write_text("".join(text + "\n" for text in lines))
    return path


def line(answer: str) -> str:
    """A line with an answer to the task and a field of its own."""
    return json.dumps({"task": "double", "answer": answer, "model": "ours"})


def test_each_line_comes_out_with_its_grade(tmp_path: Path, tasks: Path, capsys: Capture) -> None:
    """The line's own fields are there too, and the status is 0."""
    path = answers(tmp_path, line(RIGHT), line(WRONG))
    assert main(["grade", "--tasks", str(tasks), str(path)]) == 0
    printed = capsys.readouterr()
    graded = [json.loads(text) for text in printed.out.splitlines()]
    assert [(g["model"], g["outcome"], g["score"]) for g in graded] == [
        ("ours", "pass", 1.0),
        ("ours", "fail", 0.3),
    ]
    assert graded[0]["extracted"] == ["(define (double n) (* 2 n))"]
    assert "2 answers graded, 1 right, 0 lines skipped" in printed.err


def test_a_malformed_line_is_skipped_and_the_status_says_so(
    tmp_path: Path, tasks: Path, capsys: Capture
) -> None:
    """File and line are printed, the rest is graded, and the status is 1 at the end."""
    path = answers(tmp_path, line(RIGHT), "oops", line(RIGHT))
    assert main(["grade", "--tasks", str(tasks), str(path)]) == 1
    printed = capsys.readouterr()
    assert f"{path}:2: not JSON" in printed.err
    assert len(printed.out.splitlines()) == 2


def test_standard_input_and_an_output_file_work(
    tmp_path: Path, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` reads standard input, `-o` writes a file."""
    monkeypatch.setattr("sys.stdin", io.StringIO(line(RIGHT) + "\n"))
    output = tmp_path / "graded.jsonl"
    assert main(["grade", "--tasks", str(tasks), "-", "-o", str(output)]) == 0
    assert json.loads(output.read_text())["outcome"] == "pass"


def test_the_ids_can_be_listed(tasks: Path, capsys: Capture) -> None:
    """`--list-tasks` needs no answers."""
    assert main(["grade", "--tasks", str(tasks), "--list-tasks"]) == 0
    assert capsys.readouterr().out.split() == ["double"]


def test_a_file_that_is_missing_is_named(tmp_path: Path, tasks: Path, capsys: Capture) -> None:
    """The status is 3, as of every command that reads a file."""
    assert main(["grade", "--tasks", str(tasks), str(tmp_path / "none.jsonl")]) == 3
    assert "none.jsonl: No such file or directory" in capsys.readouterr().err


def test_a_broken_task_file_is_named(tmp_path: Path, tasks: Path, capsys: Capture) -> None:
    """Nothing is graded with a suite that cannot be read."""
    (tasks / "bad.yaml").write_text("id: bad\nprompt: x\n")
    path = answers(tmp_path, line(RIGHT))
    assert main(["grade", "--tasks", str(tasks), str(path)]) == 3
    assert "bad.yaml:1:" in capsys.readouterr().err


def test_tasks_that_cannot_be_evaluated_are_told_without_a_traceback(tmp_path: Path) -> None:
    """The first is told with file, line and reason; what others waited for is nobody's news."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    for n in range(5):
        broken = DOUBLE.replace('"4"', '"(car 5)"').replace("id: double", f"id: double-{n}")
        (folder / f"double-{n}.yaml").write_text(broken)
    path = answers(
        tmp_path, *[json.dumps({"task": f"double-{n}", "answer": RIGHT}) for n in range(5)]
    )
    command = [sys.executable, "-m", "pytest_sema_bench.cli", "grade", "--tasks", str(folder)]
    kept = tmp_path / "graded.jsonl"
    kept.write_text("of before")
    command += [str(path), "-o", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert kept.read_text() == "of before"
    assert (done.returncode, done.stdout) == (3, "")
    assert re.match(r"sema-bench: .*double-\d\.yaml:\d+: .*cannot be evaluated", done.stderr)
    assert "Traceback" not in done.stderr
    assert "never retrieved" not in done.stderr
