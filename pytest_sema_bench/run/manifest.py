"""A run as a whole: what it set out to do, what came of it, and what its run.json says."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.docsearch.settings import DocsSettings
from pytest_sema_bench.gate.policy import Judge
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.outcome import RunStatus, Void
from pytest_sema_bench.records.reader import RunData, read_items, read_manifest
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.provenance import git_commit, machine, versions
from pytest_sema_bench.run.resume import (
    ResumedRun,
    find_resumed,
    question_hashes,
    read_resumed,
)
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.settings import Config, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is asked to do."""

    settings: Settings
    models: tuple[Model, ...]
    configs: tuple[Config, ...]
    root: Path
    """The project's root folder."""
    docs: DocsSettings = field(default_factory=DocsSettings)
    judge: Judge | None = None
    """None if the run is not judged."""

    @property
    def questions(self) -> dict[str, str]:
        """By `model-config`, a hash of all that is the same for every task."""
        return question_hashes((m, c) for m in self.models for c in self.configs)

    def earlier(self, report_dir: Path) -> ResumedRun | None:
        """The run to take up, if that is asked for and there is one. Raises BenchError."""
        if self.settings.resume is None:
            return None
        path = self.settings.tasks
        tasks = {"suite": self.settings.suite, "tasks": None if path is None else str(path)}
        return find_resumed(self.settings.resume, report_dir, self.questions, tasks)


class Run:
    """A run's plan and folder, and what an earlier run left in it."""

    def __init__(self, plan: Plan, folder: RunFolder, earlier: ResumedRun | None) -> None:
        self.plan = plan
        self.folder = folder
        self._earlier = earlier
        if earlier is not None:
            folder.take()

    @property
    def spent_usd(self) -> float:
        """What was spent on it before."""
        return self._earlier.spent_usd if self._earlier else 0.0

    @property
    def n_kept(self) -> int:
        """How many verdicts it has from before."""
        return len(self._earlier.verdicts) if self._earlier else 0

    @property
    def note(self) -> str:
        """What is taken up, for the user."""
        if self._earlier is None:
            return "there is no unfinished run of these models to take up; a new one begins"
        return self._earlier.note

    def kept(self, item: WorkItem) -> Record | None:
        """The item's verdict from before, None if it is still to be asked."""
        return self._earlier.verdicts.get(item.key) if self._earlier else None

    def look_again(self) -> None:
        """Take in what other processes have finished: an earlier run, or a worker that died."""
        self._earlier = read_resumed(self.folder.path)

    def begin(self, items: Sequence[WorkItem], vm: VMInfo, started: float) -> None:
        """Write items.json and run.json; `started` is in seconds since the epoch."""
        # A question that changed replaces the one in its place.
        entries = {entry.item: entry for entry in read_items(self.folder.path)}
        entries |= {item.item: item.planned for item in items}
        self.folder.write_items(entries.values())
        begun = [*read_manifest(self.folder.path).begun, _moment(started)]
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
        self.folder.write_run({**read_manifest(self.folder.path).content, **more})

    def _write(self, state: RunStatus, **more: object) -> None:
        plan, before = self.plan, read_manifest(self.folder.path)
        content: dict[str, Any] = {
            "run": self.folder.path.name,
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
                entry.item.task: entry.task_hash for entry in read_items(self.folder.path)
            },
            "versions": versions(),
            "git_commit": git_commit(plan.root),
            "machine": machine(),
        }
        content |= more
        content["start"] = content["begun"][0] if content["begun"] else _now()
        self.folder.write_run(content)


def _now() -> str:
    return _moment(time.time())


def _moment(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds")
