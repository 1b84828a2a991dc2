"""Taking up a run: which one, and what of it is kept.

A verdict is kept, whether right or wrong; what is void or missing is asked again. Questions are
told apart by their content hash, never by their place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.reader import RUN_FILE, RunData, read_items, read_manifest, read_run
from pytest_sema_bench.records.record import Record, content_key
from pytest_sema_bench.run.item import ask_content, asked_config
from pytest_sema_bench.settings import NEWEST, Config


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedRun:
    """A run that is taken up."""

    data: RunData
    """What its folder holds."""
    verdicts: Mapping[str, Record]
    """By key; void records are not among them."""
    planned: frozenset[str | None]
    """The keys of all its items."""

    @property
    def spent_usd(self) -> float:
        """What its records say was spent, void ones too."""
        return sum(record.cost_usd or 0.0 for record in self.data.written)

    @property
    def note(self) -> str:
        """What the user is told."""
        name, n_verdicts, torn = self.data.path.name, len(self.verdicts), self.data.torn
        if self.data.manifest.is_done:
            return f"{name} is finished: its {n_verdicts} verdicts are shown again"
        text = f"takes up {name}: {n_verdicts} verdicts are kept"
        if torn:
            text += f"; the half-written last line of {', '.join(torn)} is dropped"
        return text

    def holds(self, other: Path) -> bool:
        """Whether all items of the run in another folder are among its own."""
        return {entry.key for entry in read_items(other)} <= self.planned


def question_hashes(
    pairs: Iterable[tuple[Model, Config]], dialect: Dialect | None = None
) -> dict[str, str]:
    """By `model-config`, a hash of all that is the same for every task."""
    return {
        Setup(model.name, config.name).name: content_key(
            **ask_content(model, asked_config(model, config), dialect)
        )
        for model, config in pairs
    }


def find_resumed(
    name: str, report_dir: Path, questions: Mapping[str, str], tasks: Mapping[str, object]
) -> ResumedRun | None:
    """The run called `name`, or the newest one that asks any of the same questions.

    One that is unfinished goes before those that are finished, unless a newer of these holds all
    of it. `tasks` are the settings that say which tasks are asked.

    None if there is no such newest one. Raises SettingsError for a name without a run and for a run
    that is still under way, BenchError if its records cannot be read.
    """
    if name != NEWEST:
        path = Path(name) if Path(name).is_dir() else report_dir / name
        if not (path / RUN_FILE).is_file():
            raise SettingsError(f"--sema-resume: there is no run {name!r} in {report_dir}")
        return _free(path.resolve())
    finished: ResumedRun | None = None
    # A run's name begins with its time.
    for path in sorted(report_dir.glob(f"*/{RUN_FILE}"), reverse=True):
        try:
            manifest = read_manifest(path.parent)
        except BenchError:
            continue
        same = manifest.questions.items() & questions.items()
        same_tasks = all(manifest.settings.get(name) == value for name, value in tasks.items())
        if manifest.grader not in (None, GRADER_VERSION):
            continue  # its verdicts are those of another grader
        if not (same and same_tasks):
            continue
        if manifest.is_done:
            finished = finished or _free(path.parent)
        elif finished is None or not finished.holds(path.parent):
            return _free(path.parent)
    return finished


def _free(path: Path) -> ResumedRun:
    """The run in a folder, if no other process writes to it. Raises SettingsError."""
    try:
        RunFolder(path).check_free()
    except SettingsError as error:
        raise SettingsError(
            f"--sema-resume: {error}; wait for its end, or begin another without --sema-resume"
        ) from error
    return read_resumed(path)


def read_resumed(path: Path) -> ResumedRun:
    """What there is in a run's folder so far. Raises BenchError if a record cannot be read."""
    data = read_run(path, may_be_empty=True)
    return ResumedRun(
        data=data,
        # By question, so that one which is asked again after another version of its task, and so
        # is no item of the run yet, has its verdict too; the first of them, as everywhere.
        verdicts={record.key: record for record in reversed(data.written) if record.graded},
        planned=frozenset(entry.key for entry in data.items),
    )
