"""Task folders as Harbor reads them (harborframework.com/docs/tasks; read in harbor 0.25.0).

The verifier has a container of its own, made from `tests/`, into which only the answer is copied:
what the agent wrote elsewhere, such as a reward, is not there. It runs the answer on the VM that
the data set was proven on, and writes no reward if the VM fails.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_sema_bench.records.whole_file import whole_file

_ANSWER = "/app/answer.sema"
_END = "END-OF-ANSWER"


def task_files(record: dict[str, Any]) -> dict[str, str]:
    """The files of a record's folder, by their paths in it."""
    ask = f"{record['instruction'].strip()}\n\nWrite the program to `{_ANSWER}`.\n"
    package, version = pinned_vm()
    setup = f"FROM node:22-slim\nWORKDIR /app\nRUN npm install {package}@{version}\n"
    vm, verifier = files("pytest_sema_bench.sema.vm"), files("pytest_sema_bench.dataset")
    answer = record["solution"].strip()
    return {
        "instruction.md": ask,
        "task.toml": _toml(record),
        "environment/Dockerfile": setup,
        "solution/solve.sh": f"#!/bin/sh\ncat > {_ANSWER} <<'{_END}'\n{answer}\n{_END}\n",
        "tests/Dockerfile": setup.replace("/app", "/tests") + "COPY . /tests/\n",
        "tests/truth.json": json.dumps(record["truth"], ensure_ascii=False, indent=1) + "\n",
        "tests/host.mjs": (vm / "host.mjs").read_text("utf-8"),
        **{
            f"tests/{name}": (verifier / "harbor_verifier" / name).read_text("utf-8")
            for name in ("test.sh", "grade.mjs")
        },
    }


def pinned_vm() -> tuple[str, str]:
    """The npm package of the VM that the verifier installs, and its version."""
    lock = json.loads((files("pytest_sema_bench.sema.vm") / "package.json").read_text("utf-8"))
    [(package, version)] = lock["dependencies"].items()
    return package, version


def write_task(folder: Path, record: dict[str, Any]) -> None:
    """Write a task's folder."""
    for name, text in task_files(record).items():
        with whole_file(folder / name) as file:
            file.write(text)
        if name.endswith(".sh"):
            (folder / name).chmod(0o755)


def _toml(record: dict[str, Any]) -> str:
    return f"""schema_version = "1.4"
artifacts = ["{_ANSWER}"]

[task]
name = "sema-bench/{record["id"]}"
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
