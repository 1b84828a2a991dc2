"""A run as a whole: what it set out to do, what came of it, and what its run.json says."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.docsearch.settings import DocsSettings
from pytest_sema_bench.gate.policy import Judge
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder, read_records, settled
from pytest_sema_bench.records.outcome import RunState, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.provenance import git_commit, machine, versions
from pytest_sema_bench.run.resume import (
    Earlier,
    find_earlier,
    question_hashes,
    read_earlier,
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

    def earlier(self, report_dir: Path) -> Earlier | None:
        """The run to take up, if that is asked for and there is one. Raises BenchError."""
        if self.settings.resume is None:
            return None
        tasks = None if self.settings.tasks is None else str(self.settings.tasks)
        return find_earlier(self.settings.resume, report_dir, self.questions, tasks)


def item_entries(items: Iterable[WorkItem], earlier: Sequence[dict[str, Any]]) -> list[Any]:
    """What items.json holds: the run's items, after those of a run that is taken up."""
    entries = {_place(entry): entry for entry in earlier}
    for item in items:
        entry = {
            "key": item.key,
            "task": item.task.id,
            "level": item.task.level,
            "model": item.model.name,
            "config": item.config.name,
            "sample": item.sample,
            "task_hash": item.task.task_hash,
        }
        entries[_place(entry)] = entry
    return list(entries.values())


def _place(entry: Mapping[str, Any]) -> tuple[object, ...]:
    return entry["task"], entry["model"], entry["config"], entry["sample"]


def run_records(path: Path, entries: Iterable[Mapping[str, Any]]) -> list[Record]:
    """One record for each item that has one; those of questions that changed are left out."""
    keys = {entry["key"] for entry in entries}
    records = settled(read_records(path))
    return [record for key, record in records.items() if key in keys or not keys]


class Run:
    """A run's plan and folder, and what an earlier run left in it."""

    def __init__(self, plan: Plan, folder: RunFolder, earlier: Earlier | None) -> None:
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
        self._earlier = read_earlier(self.folder.path)

    def begin(self, items: Iterable[WorkItem], vm: VMInfo, started: float) -> None:
        """Write items.json and run.json; `started` is in seconds since the epoch."""
        self.folder.write_items(item_entries(items, self.folder.read_items()))
        begun = [*self.folder.read_run().get("begun", []), _moment(started)]
        self._write(RunState.RUNNING, vm=vm.label, begun=list(dict.fromkeys(begun)))

    def end(self, records: Sequence[Record], exit_status: int) -> None:
        """Write run.json for the last time: `finished` if every item was tried."""
        n_missing = len(self.folder.read_items()) - len(records)
        untried = n_missing or any(record.reason is Void.BUDGET for record in records)
        self._write(
            RunState.INCOMPLETE if untried else RunState.FINISHED,
            end=_now(),
            exit_status=exit_status,
            n_missing=n_missing,
            n_void=sum(not record.graded for record in records),
        )

    def add(self, **more: object) -> None:
        """Add to what run.json says."""
        self.folder.write_run(self.folder.read_run() | more)

    def records(self) -> list[Record]:
        """One record for each item that has one. Raises BenchError if one cannot be read."""
        return run_records(self.folder.path, self.folder.read_items())

    def _write(self, state: RunState, **more: object) -> None:
        plan, before = self.plan, self.folder.read_run()
        content = {
            "run": self.folder.path.name,
            "state": state,
            "start": None,
            "begun": before.get("begun", []),
            "end": None,
            "exit_status": None,
            "n_missing": None,
            "n_void": None,
            "settings": asdict(plan.settings),
            "models": [asdict(model) for model in plan.models],
            "configs": [asdict(config) for config in plan.configs],
            "docs": {**asdict(plan.docs), "backend": plan.docs.backend.value},
            "questions": plan.questions,
            "vm": before.get("vm"),
            "grader": GRADER_VERSION,
            "task_hashes": {e["task"]: e["task_hash"] for e in self.folder.read_items()},
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
