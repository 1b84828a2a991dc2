"""What run.json and items.json say of a run: what it set out to do, and what came of it."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import RunStatus, Void
from pytest_sema_bench.records.reader import RunData, RunJson, read_items, read_manifest
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.plan import Plan
from pytest_sema_bench.run.provenance import git_commit, machine, versions
from pytest_sema_bench.sema.vm import VMInfo

_OF_A_MACHINE = frozenset(
    {
        *("shard", "vm", "suite", "tasks", "report_dir", "record", "replay", "resume", "estimate"),
        *("concurrency", "timeout_s", "max_cost_usd", "base_url", "api_key_env", "ledger", "run"),
        *("baseline", "baseline_new", "across", "gate", "must_pass", "fail_under", "confirm"),
    }
)
"""Settings that may differ between machines: VM, suite and tasks are compared by what they are."""


class Manifest:
    """run.json and items.json of a run's folder."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self._plan = plan
        self._folder = folder

    def begin(self, items: Sequence[WorkItem], vm: VMInfo, started: float) -> None:
        """Write items.json and run.json; `started` is in seconds since the epoch."""
        content = self.content(items, vm, started)
        self._folder.write_items(self._entries(items).values())
        self._folder.write_run(content)

    def content(self, items: Sequence[WorkItem], vm: VMInfo, started: float) -> dict[str, Any]:
        """What run.json says as the run begins."""
        plan, folder, entries = self._plan, self._folder, self._entries(items)
        begun = list(dict.fromkeys([*read_manifest(folder.path).begun, _moment(started)]))
        suite = next((item.task.suite for item in items if item.task.suite), None)
        return {
            "run": folder.path.name,
            "state": RunStatus.RUNNING,
            "start": begun[0],
            "begun": begun,
            "end": None,
            "exit_status": None,
            "n_missing": None,
            "n_void": None,
            "settings": asdict(plan.settings),
            "models": [asdict(model) for model in plan.models],
            "configs": [asdict(config) for config in plan.configs],
            "docs": {**asdict(plan.docs), "backend": plan.docs.backend.value},
            "questions": plan.questions,
            "asked": plan.asked,
            "vm": vm.label,
            "dialect": plan.dialect and plan.dialect.label,
            "grader": GRADER_VERSION,
            "suite": suite and {**suite.id.as_json(), "levels": suite.level_names},
            "task_hashes": {item.task: entry.task_hash for item, entry in entries.items()},
            "versions": versions(),
            "git_commit": git_commit(plan.root),
            "machine": machine(),
        }

    def _entries(self, items: Sequence[WorkItem]) -> dict[ItemKey, PlannedItem]:
        # A question that changed replaces the one in its place.
        entries = {entry.item: entry for entry in read_items(self._folder.path)}
        return entries | {item.item: item.planned for item in items}

    def end(self, run: RunData, exit_status: int) -> RunData:
        """Write how the run ended, `finished` if every item was tried; the run as it is then."""
        ended = {"end": _moment(time.time()), "exit_status": exit_status}
        return self.add(run, **ended, **how_it_ended(run))

    def add(self, run: RunData, **more: object) -> RunData:
        """Add to what run.json says; the run as it is then."""
        content = {**run.manifest.content, **more}
        self._folder.write_run(content)
        return replace(run, manifest=RunJson.from_json(content))


def facets(manifest: RunJson) -> dict[str, object]:
    """What has to be the same on all machines of a run, by what it is called."""
    settings = {
        name: value for name, value in manifest.settings.items() if name not in _OF_A_MACHINE
    }
    suite = manifest.content.get("suite") or {}
    return {
        "the suite": " ".join(str(suite.get(name)) for name in ("name", "version", "hash")),
        "the VM": manifest.content.get("vm"),
        "the grader": manifest.grader,
        **{f"the setting {name}": value for name, value in settings.items()},
        **{f"what {name} is asked": value for name, value in manifest.questions.items()},
    }


def how_it_ended(run: RunData) -> dict[str, object]:
    """What run.json says of how far a run has come."""
    n_missing = len(run.items) - len(run.records)
    untried = n_missing or any(record.reason is Void.BUDGET for record in run.records)
    return {
        "state": RunStatus.INCOMPLETE if untried else RunStatus.FINISHED,
        "n_missing": n_missing,
        "n_void": sum(not record.graded for record in run.records),
    }


def _moment(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds")
