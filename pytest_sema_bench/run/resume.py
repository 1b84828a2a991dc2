"""Taking up a run that did not end: which one, and what of it is kept.

A verdict is kept, whether right or wrong; what is void or missing is asked again. Questions are
told apart by their content hash, never by their place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.records.reader import RUN_FILE, read_manifest, read_run
from pytest_sema_bench.records.record import Record, content_key
from pytest_sema_bench.run.item import ask_content, asked_config
from pytest_sema_bench.settings import NEWEST, Config


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedRun:
    """A run that is taken up."""

    path: Path
    verdicts: Mapping[str, Record]
    """By key; void records are not among them."""
    n_sessions: int
    """How often it has been begun."""
    spent_usd: float
    """What its records say was spent, void ones too."""
    torn: tuple[str, ...]
    """Records files whose last line was half-written and is left out."""

    @property
    def note(self) -> str:
        """What the user is told."""
        text = f"takes up {self.path.name}: {len(self.verdicts)} verdicts are kept"
        if self.torn:
            text += f"; the half-written last line of {', '.join(self.torn)} is dropped"
        return text


def question_hashes(pairs: Iterable[tuple[Model, Config]]) -> dict[str, str]:
    """By `model-config`, a hash of all that is the same for every task."""
    return {
        Setup(model.name, config.name).name: content_key(
            **ask_content(model, asked_config(model, config))
        )
        for model, config in pairs
    }


def find_resumed(
    name: str, report_dir: Path, questions: Mapping[str, str], tasks: Mapping[str, str | None]
) -> ResumedRun | None:
    """The run called `name`, or the newest unfinished one that asks any of the same questions.

    `tasks` are the settings that say which tasks are asked.

    None if there is no such newest one. Raises SettingsError for a name without a run, BenchError
    if its records cannot be read.
    """
    if name != NEWEST:
        path = Path(name) if Path(name).is_dir() else report_dir / name
        if not (path / RUN_FILE).is_file():
            raise SettingsError(f"--sema-resume: there is no run {name!r} in {report_dir}")
        return read_resumed(path.resolve())
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
        unfinished = manifest.state is not RunStatus.FINISHED or manifest.n_void
        if unfinished and same and same_tasks and _is_free(path.parent):
            return read_resumed(path.parent)
    return None


def _is_free(path: Path) -> bool:
    folder = RunFolder(path)
    try:
        folder.take()
    except SettingsError:
        return False
    folder.close()
    return True


def read_resumed(path: Path) -> ResumedRun:
    """What there is in a run's folder so far. Raises BenchError if a record cannot be read."""
    run = read_run(path, may_be_empty=True)
    return ResumedRun(
        path=path,
        # By question, so that one which is asked again after another version of its task, and so
        # is no item of the run yet, has its verdict too; the first of them, as everywhere.
        verdicts={record.key: record for record in reversed(run.written) if record.graded},
        n_sessions=len(run.manifest.begun),
        spent_usd=sum(record.cost_usd or 0.0 for record in run.written),
        torn=run.torn,
    )
