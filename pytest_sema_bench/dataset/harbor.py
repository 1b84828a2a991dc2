"""Task folders as Harbor reads them (harborframework.com/docs/tasks; read in harbor 0.26.0).

The verifier has a container of its own, made from `tests/`, into which only the answer is copied:
what the agent wrote elsewhere, such as a reward, is not there. For a row it runs the answer on the
VM that the data set was proven on, and writes no reward if the VM fails.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_sema_bench.records.whole_file import whole_file

_ANSWER = "/app/answer.sema"
_END = "END-OF-ANSWER"


def task_files(record: dict[str, Any]) -> dict[str, str]:
    """The files of a record's folder, by their paths in it."""
    vm, verifier = files("pytest_sema_bench.sema.vm"), files("pytest_sema_bench.dataset")
    return folder_files(
        record["id"],
        f"{record['instruction'].strip()}\n\nWrite the program to `{_ANSWER}`.\n",
        solution=record["solution"],
        answer=_ANSWER,
        tests={
            "Dockerfile": vm_image("/tests") + "COPY . /tests/\n",
            "truth.json": json.dumps(record["truth"], ensure_ascii=False, indent=1) + "\n",
            "host.mjs": (vm / "host.mjs").read_text("utf-8"),
            **{
                name: (verifier / "harbor_verifier" / name).read_text("utf-8")
                for name in ("test.sh", "grade.mjs")
            },
        },
    )


def folder_files(
    task_id: str, instruction: str, *, solution: str | None, answer: str, tests: Mapping[str, str]
) -> dict[str, str]:
    """The files of any task's folder: an agent that has the VM is to write `answer`.

    `solution` is what that file may hold, where a right answer is known.
    """
    made = {
        "instruction.md": instruction,
        "task.toml": _toml(task_id, answer),
        "environment/Dockerfile": vm_image("/app"),
        **{f"tests/{name}": text for name, text in tests.items()},
    }
    if solution is not None:
        script = f"#!/bin/sh\ncat > {answer} <<'{_END}'\n{solution.strip()}\n{_END}\n"
        made["solution/solve.sh"] = script
    return made


def vm_image(folder: str) -> str:
    """The Dockerfile of an image with the VM's package in a folder."""
    package, version = pinned_vm()
    return f"FROM node:22-slim\nWORKDIR {folder}\nRUN npm install {package}@{version}\n"


def pinned_vm() -> tuple[str, str]:
    """The npm package of the VM that the verifier installs, and its version."""
    lock = json.loads((files("pytest_sema_bench.sema.vm") / "package.json").read_text("utf-8"))
    [(package, version)] = lock["dependencies"].items()
    return package, version


def write_task(folder: Path, content: Mapping[str, str]) -> None:
    """Write a task's folder."""
    for name, text in content.items():
        with whole_file(folder / name) as file:
            file.write(text)
        if name.endswith(".sh"):
            (folder / name).chmod(0o755)


def _toml(task_id: str, answer: str) -> str:
    return f"""schema_version = "1.4"
artifacts = ["{answer}"]

[task]
name = "sema-bench/{task_id}"
keywords = ["sema", "lisp"]

[metadata]
category = "programming"

[agent]
timeout_sec = 600.0

[verifier]
timeout_sec = 120.0
environment_mode = "separate"

[verifier.environment]
network_mode = "no-network"

[environment]
workdir = "/app"
"""
