"""The baseline file: how each task went when it was saved, small enough to review in git.

One JSON object with a line for each model and configuration and a line for each task, sorted,
so that a changed baseline is a diff that people can read.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pytest_sema_bench.errors import BenchError, DamagedFile
from pytest_sema_bench.gate.task_results import Group, Results, Sample, TaskResult, Usage
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.outcome import Outcome, Reason, read_reason
from pytest_sema_bench.records.suite import SuiteId, level_name
from pytest_sema_bench.records.whole_file import whole_file

# In ASCII: a model chooses the names of tools, and marks that hide text stay visible.
_json = json.dumps
FORMAT = 2
"""Raised whenever a field changes its meaning."""
_MARK = "sema-bench baseline"


def write_baseline(path: Path, results: Results) -> None:
    """Write the file, whole or not at all.

    Raises BenchError if the results could not be compared with later: nothing graded, or one
    model's tasks graded by different VMs or graders.
    """
    text = baseline_text(results)
    with whole_file(path) as file:
        file.write(text)


def baseline_text(results: Results) -> str:
    """What the file holds. Raises BenchError as `write_baseline` does."""
    names = [group.name for group in results.groups]
    if len(set(names)) < len(names):
        raise BenchError(f"{results.source}: two models are shown by one name: {sorted(names)}")
    for group in results.groups:
        _check_alike(group, results.source)
    if not results.is_graded:
        raise BenchError(f"{results.source}: nothing was graded, so there is nothing to keep")
    tasks = _tasks(results)
    header = {
        _MARK: FORMAT,
        "run": results.run,
        "date": results.date,
        "suite": results.suite and {**results.suite.as_json(), "levels": results.levels},
        "n_tasks": len(tasks),
    }
    lines = [f" {_json(name)}: {_json(value)}" for name, value in header.items()]
    groups = ",\n".join(f"  {_json(_group_entry(group))}" for group in results.groups)
    entries = ",\n".join(f"  {_json(name)}: {_json(entry)}" for name, entry in tasks.items())
    lines.append(f' "models": [\n{groups}\n ]')
    lines.append(f' "tasks": {{\n{entries}\n }}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_baseline(path: Path) -> Results:
    """The results that a baseline file holds. Raises BenchError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, object_pairs_hook=_no_key_twice)
    except json.JSONDecodeError as error:
        hint = " (a merge left its marks?)" if "<<<<<<<" in text else ""
        raise DamagedFile(path, error.lineno, f"not JSON: {error.msg}{hint}") from error
    except (OSError, ValueError) as error:
        raise DamagedFile(path, 1, f"not a baseline: {error}") from error
    return _BaselineReader(path, text).read(data)


class _BaselineReader:
    """Reads one file's data and knows the lines of what is wrong with it."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def read(self, data: Any) -> Results:
        """The results, or BenchError."""
        if not isinstance(data, dict) or _MARK not in data:
            self._refuse(
                "", f'no baseline: it has no "{_MARK}"; sema-bench baseline save makes one'
            )
        if data[_MARK] not in range(1, FORMAT + 1):
            self._refuse(_MARK, f"format {data[_MARK]!r}; this version reads 1 to {FORMAT}")
        tasks, models = data.get("tasks"), data.get("models")
        if not isinstance(tasks, dict) or not isinstance(models, list):
            self._refuse("", 'expected "models", a list, and "tasks", an object')
        for task, entry in tasks.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("results"), dict):
                self._refuse(task, 'not a task\'s entry: expected "results", an object')
        groups = tuple(self._group(entry, tasks) for entry in models)
        self._check_names(groups, tasks)
        suite, levels = self._suite(data.get("suite"))
        return Results(
            source=str(self._path),
            run=data.get("run"),
            date=data.get("date"),
            suite=suite,
            levels=levels,
            groups=groups,
        )

    def _suite(self, data: Any) -> tuple[SuiteId | None, tuple[str, ...]]:
        """The suite and its levels in order; format 1 had only a hash of the tasks there."""
        if data is None or isinstance(data, str):
            return None, ()
        try:
            return SuiteId.from_json(data), tuple(map(str, data["levels"]))
        except (KeyError, TypeError, ValueError) as error:
            self._refuse("suite", f"not a suite: {error!r}")

    def _group(self, entry: Any, tasks: dict[str, Any]) -> Group:
        try:
            setup, usage = Setup(entry["model"], entry["config"]), entry["usage"]
            results = [
                self._task(task, data, data["results"][setup.name], entry)
                for task, data in tasks.items()
                if setup.name in data["results"]
            ]
            return Group(
                setup=setup,
                tasks=tuple(sorted(results, key=lambda result: result.task)),
                kept_usage=_read_usage(usage),
                asked={name: str(label) for name, label in entry.get("asked", {}).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._refuse("models", f"not a model's entry: {error!r} in {str(entry)[:80]}")

    def _task(self, task: str, data: Any, samples: Any, group: Any) -> TaskResult:
        try:
            if not samples:
                raise ValueError("no samples")
            return TaskResult(
                task=task,
                level=level_name(data["level"]),
                category=data["category"],
                task_hash=data["hash"],
                vm=group["vm"],
                grader=group["grader"],
                dialect=group.get("dialect"),
                samples=tuple(_read_sample(n, text) for n, text in enumerate(samples, start=1)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._refuse(task, f"not a task's entry: {error!r}")

    def _check_names(self, groups: Sequence[Group], tasks: dict[str, Any]) -> None:
        names = [group.name for group in groups]
        for task, data in tasks.items():
            unknown = sorted(set(data["results"]) - set(names))
            if unknown:
                self._refuse(task, f"{unknown[0]!r} is not among the models {', '.join(names)}")

    def _refuse(self, name: str, message: str) -> NoReturn:
        found = (n for n, line in enumerate(self._lines, 1) if name and f'"{name}"' in line)
        raise DamagedFile(self._path, next(found, 1), message)


def _check_alike(group: Group, source: str) -> None:
    graded = [task for task in group.tasks if task.graded]
    for what, values in (
        ("VMs", {task.vm for task in graded}),
        ("dialects", {task.dialect for task in graded}),
        ("versions of the grader", {task.grader for task in graded}),
    ):
        if len(values) > 1:
            raise BenchError(
                f"{source}: {group.name} was graded by different {what} "
                f"({', '.join(sorted(map(str, values)))}); sema-bench regrade {source} mends that"
            )


def _tasks(results: Results) -> dict[str, dict[str, Any]]:
    tasks: dict[str, dict[str, Any]] = {}
    for group in results.groups:
        for task in group.tasks:
            entry = tasks.setdefault(
                task.task,
                {
                    "level": task.level,
                    "category": task.category,
                    "hash": task.task_hash,
                    "results": {},
                },
            )
            entry["hash"] = entry["hash"] or task.task_hash
            if task.task_hash not in (None, entry["hash"]):
                raise BenchError(
                    f"{results.source}: the models were asked different versions of {task.task}; "
                    f"sema-bench regrade {results.source} mends that"
                )
            entry["results"][group.name] = [_sample_text(sample) for sample in task.samples]
    return {name: tasks[name] for name in sorted(tasks)}


def _group_entry(group: Group) -> dict[str, Any]:
    graded = [task for task in group.tasks if task.graded]
    usage = group.usage(task.task for task in graded)
    return {
        "model": group.setup.model,
        "config": group.setup.config,
        "vm": graded[0].vm if graded else None,
        **({"dialect": graded[0].dialect} if graded and graded[0].dialect else {}),
        "grader": graded[0].grader if graded else None,
        **({"asked": dict(group.asked)} if group.asked else {}),
        "n_samples": group.n_samples,
        "usage": {
            **usage.as_json(),
            "cost_usd": None if usage.cost_usd is None else round(usage.cost_usd, 6),
        },
    }


def _sample_text(sample: Sample) -> str:
    outcome = sample.outcome
    return outcome if outcome is Outcome.PASS else f"{outcome}: {sample.reason}"


def _read_usage(data: dict[str, Any]) -> Usage:
    calls, errors = dict(data["tool_calls"]), dict(data["vm_errors"])
    known = [data[name] for name in ("cost_usd", "n_tokens") if data[name] is not None]
    for value in (data["n_items"], *known, *calls.values(), *errors.values()):
        if not isinstance(value, int | float):
            raise ValueError(f"{value!r} is no number")
    return Usage(
        n_items=data["n_items"],
        cost_usd=data["cost_usd"],
        n_tokens=data["n_tokens"],
        tool_calls=tuple(calls.items()),
        vm_errors=tuple(errors.items()),
    )


def _read_sample(number: int, text: str) -> Sample:
    name, _, reason = text.partition(": ")
    outcome = Outcome(name)
    known = Reason.RIGHT if outcome is Outcome.PASS else read_reason(outcome, reason)
    return Sample(number=number, outcome=outcome, reason=known)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return data
