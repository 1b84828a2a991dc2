"""Where results are read from: a run folder, a file of records, or a baseline file."""

from pathlib import Path

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.baseline import read_baseline
from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.records.reader import RunData, read_records_file, read_run, settled


def load_results(path: Path) -> Results:
    """The results at a path. Raises BenchError, with file and line, if there are none to read."""
    if path.is_dir():
        return run_results(read_run(path))
    if not path.is_file():
        raise BenchError(f"there is no run folder and no file {path}")
    if path.suffix == ".jsonl":
        records = settled(read_records_file(path))
        suite = next((record.suite for record in records if record.suite), None)
        return Results(source=str(path), suite=suite, groups=group_records(records))
    return read_baseline(path)


def run_results(run: RunData) -> Results:
    """The results of a run that has been read."""
    state = run.manifest.unfinished
    return Results(
        source=str(run.path),
        run=run.manifest.run,
        date=run.manifest.start,
        suite=run.suite,
        levels=run.manifest.levels,
        groups=group_records(run.records, run.items, run.manifest.asked),
        incomplete=f"the run's state is '{state}'" if state else None,
    )
