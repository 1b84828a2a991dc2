"""What run.json and items.json say of a run: what it set out to do, and what came of it."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.outcome import RunStatus, Void
from pytest_sema_bench.records.reader import RunData, read_items, read_manifest
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.plan import Plan
from pytest_sema_bench.run.provenance import git_commit, machine, versions
from pytest_sema_bench.sema.vm import VMInfo


class Manifest:
    """run.json and items.json of a run's folder."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self._plan = plan
        self._folder = folder

    def begin(self, items: Sequence[WorkItem], vm: VMInfo, started: float) -> None:
        """Write items.json and run.json; `started` is in seconds since the epoch."""
        # A question that changed replaces the one in its place.
        entries = {entry.item: entry for entry in read_items(self._folder.path)}
        entries |= {item.item: item.planned for item in items}
        self._folder.write_items(entries.values())
        begun = [*read_manifest(self._folder.path).begun, _moment(started)]
        suite = next((item.task.suite for item in items if item.task.suite), None)
        about = suite and {**suite.id.as_json(), "levels": suite.level_names}
        begun = list(dict.fromkeys(begun))
        self._write(RunStatus.RUNNING, vm=vm.label, suite=about, begun=begun)

    def end(self, run: RunData, exit_status: int) -> None:
        """Write run.json for the last time: `finished` if every item was tried."""
        n_missing = len(run.items) - len(run.records)
        untried = n_missing or any(record.reason is Void.BUDGET for record in run.records)
        self._write(
            RunStatus.INCOMPLETE if untried else RunStatus.FINISHED,
            end=_now(),
            exit_status=exit_status,
            n_missing=n_missing,
            n_void=sum(not record.graded for record in run.records),
        )

    def add(self, **more: object) -> None:
        """Add to what run.json says."""
        self._folder.write_run({**read_manifest(self._folder.path).content, **more})

    def _write(self, state: RunStatus, **more: object) -> None:
        plan, before = self._plan, read_manifest(self._folder.path)
        content: dict[str, Any] = {
            "run": self._folder.path.name,
            "state": state,
            "start": None,
            "begun": list(before.begun),
            "end": None,
            "exit_status": None,
            "n_missing": None,
            "n_void": None,
            "settings": asdict(plan.settings),
            "models": [asdict(model) for model in plan.models],
            "configs": [asdict(config) for config in plan.configs],
            "docs": {**asdict(plan.docs), "backend": plan.docs.backend.value},
            "questions": plan.questions,
            "vm": before.vm,
            "grader": GRADER_VERSION,
            "suite": before.content.get("suite"),
            "task_hashes": {
                entry.item.task: entry.task_hash for entry in read_items(self._folder.path)
            },
            "versions": versions(),
            "git_commit": git_commit(plan.root),
            "machine": machine(),
        }
        content |= more
        content["start"] = content["begun"][0] if content["begun"] else _now()
        self._folder.write_run(content)


def _now() -> str:
    return _moment(time.time())


def _moment(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds")
