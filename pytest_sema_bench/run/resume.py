"""Taking up a run that did not end: which one, and what of it is kept.

A verdict is kept, whether right or wrong; what is void or missing is asked again. Questions are
told apart by their content hash, never by their place.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.folder import RunFolder, read_records, settled, torn_lines
from pytest_sema_bench.records.outcome import RunState
from pytest_sema_bench.records.record import Record, content_key
from pytest_sema_bench.run.item import ask_content, asked_config
from pytest_sema_bench.settings import NEWEST, Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
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
        f"{model.name}-{config.name}": content_key(
            **ask_content(model, asked_config(model, config))
        )
        for model, config in pairs
    }


def find_earlier(
    name: str, report_dir: Path, questions: Mapping[str, str], tasks: str | None
) -> Earlier | None:
    """The run called `name`, or the newest unfinished one that asks any of the same questions.

    None if there is no such newest one. Raises SettingsError for a name without a run, BenchError
    if its records cannot be read.
    """
    if name != NEWEST:
        path = Path(name) if Path(name).is_dir() else report_dir / name
        if not (path / "run.json").is_file():
            raise SettingsError(f"--sema-resume: there is no run {name!r} in {report_dir}")
        _run_json(path)
        return read_earlier(path.resolve())
    # A run's name begins with its time.
    for path in sorted(report_dir.glob("*/run.json"), reverse=True):
        try:
            content = _run_json(path.parent)
        except BenchError:
            continue
        same = set(content.get("questions", {}).items()) & set(questions.items())
        same_tasks = content.get("settings", {}).get("tasks") == tasks
        if content.get("grader") not in (None, GRADER_VERSION):
            continue  # its verdicts are those of another grader
        unfinished = content.get("state") != RunState.FINISHED or content.get("n_void")
        if unfinished and same and same_tasks and _is_free(path.parent):
            return read_earlier(path.parent)
    return None


def _run_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((path / "run.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path / 'run.json'} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path / 'run.json'} cannot be read: it holds no object")
    return content


def _is_free(path: Path) -> bool:
    folder = RunFolder(path)
    try:
        folder.take()
    except SettingsError:
        return False
    folder.close()
    return True


def read_earlier(path: Path) -> Earlier:
    """What there is in a run's folder so far. Raises BenchError if a record cannot be read."""
    records = read_records(path)
    return Earlier(
        path=path,
        verdicts={key: r for key, r in settled(records).items() if r.graded},
        n_sessions=len(RunFolder(path).read_run().get("begun", [])),
        spent_usd=sum(record.cost_usd or 0.0 for record in records),
        torn=torn_lines(path),
    )
