"""The runs in a reports folder, oldest first: what each found, and how a model's rate moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.load import run_results
from pytest_sema_bench.gate.task_results import Group
from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.records.reader import RUN_FILE, RunJson, read_run, record_files
from pytest_sema_bench.records.suite import hash_of_tasks

_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupEntry:
    """One model and configuration of a run."""

    name: str
    n_tasks: int
    n_graded: int
    n_pass: int
    cost_usd: float | None
    """None when a price is unknown."""

    @property
    def rate(self) -> float | None:
        """Pass rate in [0, 1]; None when nothing was graded."""
        return self.n_pass / self.n_graded if self.n_graded else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One run folder."""

    folder: str
    date: str | None
    """Start, ISO 8601."""
    commit: str | None
    suite: str | None
    """Hash of the tasks it set out to do and of its dialect; equal suites can be compared."""
    state: RunStatus | None
    gate: str | None
    """The verdict, if the run was judged."""
    models: tuple[SetupEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How a model's pass rate moved over the runs of one suite, oldest first."""

    name: str
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All runs of a folder."""

    runs: tuple[RunEntry, ...]
    damaged: tuple[str, ...]
    """What could not be read, each with its reason; those runs are skipped."""


def read_history(folder: Path) -> History:
    """The runs below a reports folder, by date. Raises BenchError if there is no such folder."""
    if not folder.is_dir():
        raise BenchError(f"there is no folder {folder}; runs are kept in `reports` by default")
    runs, damaged = [], []
    for path in sorted(path for path in folder.iterdir() if _is_run(path)):
        try:
            runs.append(_entry(path))
        except (BenchError, OSError) as error:
            text = str(error)
            damaged.append(text if str(path) in text else f"{path}: {text}")
    runs.sort(key=lambda run: (run.date or "", run.folder))
    return History(runs=tuple(runs), damaged=tuple(damaged))


def trends(runs: Sequence[RunEntry]) -> tuple[Trend, ...]:
    """A trend for each model, over the runs of the suite that it was last asked."""
    latest = {model.name: run.suite for run in runs for model in run.models}
    rates: dict[str, list[float]] = {name: [] for name in sorted(latest)}
    for run in runs:
        for model in run.models:
            if run.suite == latest[model.name] and model.rate is not None:
                rates[model.name].append(model.rate)
    return tuple(Trend(name=name, rates=tuple(values)) for name, values in rates.items())


def sparkline(rates: Sequence[float]) -> str:
    """One block for each rate in [0, 1], as high as the rate."""
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int(rate * len(_BLOCKS)))] for rate in rates)


def _is_run(path: Path) -> bool:
    return path.is_dir() and ((path / RUN_FILE).exists() or bool(record_files(path)))


def _entry(path: Path) -> RunEntry:
    run = read_run(path)
    return RunEntry(
        folder=str(path),
        date=run.manifest.start,
        commit=run.manifest.git_commit,
        suite=hash_of_tasks(_asked(run.manifest)),
        state=run.manifest.state,
        gate=run.manifest.gate,
        models=tuple(map(_model, run_results(run).groups)),
    )


def _model(group: Group) -> SetupEntry:
    return SetupEntry(
        name=group.name,
        n_tasks=len(group.tasks),
        n_graded=sum(len(task.graded) for task in group.tasks),
        n_pass=sum(task.n_pass for task in group.tasks),
        cost_usd=group.usage(task.task for task in group.tasks).cost_usd,
    )


def _asked(manifest: RunJson) -> dict[str, str]:
    """The tasks with their hashes, and the dialect, if they were asked in one."""
    dialect = manifest.content.get("dialect")
    return {**manifest.task_hashes, **({"dialect": str(dialect)} if dialect else {})}
