"""Where results are read from: a run folder, a file of records, or a baseline file."""

import json
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.baseline import read_baseline
from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.records.expected import Expected, expected_items
from pytest_sema_bench.records.folder import record_files, whole_lines
from pytest_sema_bench.records.outcome import RunState
from pytest_sema_bench.records.record import Record

_RECORDS = "records*.jsonl"


def load_results(path: Path) -> Results:
    """The results at a path. Raises BenchError, with file and line, if there are none to read."""
    if path.is_dir():
        return _read_run(path)
    if not path.is_file():
        raise BenchError(f"there is no run folder and no file {path}")
    if path.suffix == ".jsonl":
        return Results(source=str(path), groups=group_records(_read_records(path)))
    return read_baseline(path)


def read_run_json(folder: Path) -> dict[str, Any]:
    """What run.json says; {} where there is none. Raises BenchError with file and line."""
    path = folder / "run.json"
    if not path.is_file():
        return {}
    content = _read_json(path)
    if not isinstance(content, dict):
        raise BenchError(f"{path}:1: expected an object, found {type(content).__name__}")
    return content


def _read_run(folder: Path) -> Results:
    files = record_files(folder)
    if not files:
        raise BenchError(f"{folder}: no run folder: it holds no {_RECORDS}")
    run = read_run_json(folder)
    expected, keys = _read_items(folder / "items.json")
    records = [record for path in files for record in _read_records(path)]
    # Of a run that was taken up, answers to questions that have changed since are no results.
    records = [record for record in records if record.key in keys or not keys]
    state = run.get("state")
    return Results(
        source=str(folder),
        run=run.get("run"),
        date=run.get("start"),
        groups=group_records(records, expected),
        incomplete=None if state in (None, RunState.FINISHED) else f"the run's state is {state!r}",
    )


def _read_records(path: Path) -> list[Record]:
    """All whole records; a last line without its end is what a killed process leaves behind."""
    records = []
    for number, line in enumerate(whole_lines(path), start=1):
        if line:
            try:
                records.append(Record.from_json(line))
            except BenchError as error:
                raise BenchError(f"{path}:{number}: {error}") from error
    return records


def _read_items(path: Path) -> tuple[list[Expected], frozenset[str]]:
    """The items that the run set out to do, and their keys."""
    if not path.is_file():
        return [], frozenset()
    try:
        items = _read_json(path)
        return expected_items(items), frozenset(item["key"] for item in items if "key" in item)
    except (TypeError, KeyError) as error:
        raise BenchError(f"{path}: not a list of items: {error!r}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise BenchError(f"{path}:{line}: not JSON: {error}") from error
