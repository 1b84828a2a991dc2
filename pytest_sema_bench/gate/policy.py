"""What a pytest run is held to: a baseline, must-pass tasks, a floor; and its verdict.

The rules are read and checked before anything is asked. `gate` has the rules themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.errors import BenchError, SettingsError, TaskError
from pytest_sema_bench.gate.across import Across, read_across
from pytest_sema_bench.gate.compare import Compared, compare
from pytest_sema_bench.gate.load import load_results, run_results
from pytest_sema_bench.gate.task_results import Results, TaskResult
from pytest_sema_bench.gate.verdict import (
    Confirmation,
    GateRules,
    GateVerdict,
    decide,
    tasks_to_confirm,
)
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import one_suite
from pytest_sema_bench.settings import Settings
from pytest_sema_bench.suite.folder import suite_of
from pytest_sema_bench.suite.selection import Selection, names_of
from pytest_sema_bench.suite.task import load_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on a run and what it rests on."""

    verdict: GateVerdict
    compared: Compared | None
    run: Results
    doubtful: tuple[TaskKey, ...]
    """What is worth running again before it counts as broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The rules of a run, ready to be applied to it."""

    rules: GateRules
    baseline_path: Path | None
    baseline: Results | None
    """None if no baseline is asked for, or there is no such file yet."""
    across: frozenset[Across] = frozenset()
    """The differences from the baseline that are meant."""
    decides: bool = True
    """Whether the exit status is the gate's, or the verdict is only shown."""
    alone: bool = True
    """Whether one model in one configuration is asked: any single one may be its baseline."""

    @classmethod
    def of(
        cls, settings: Settings, tasks_root: Path, *, subset: bool, alone: bool
    ) -> "Judge | None":
        """The judge that the settings ask for, None if they ask for none.

        `subset` says that the run is limited on purpose, `alone` that it asks one model in one
        configuration. Raises SettingsError for a rule or a baseline that cannot be used.
        """
        across = _across(settings)
        asked = (settings.baseline, settings.must_pass, settings.fail_under)
        if all(rule is None for rule in asked):
            return None
        must_pass = None
        if settings.must_pass is not None:
            must_pass = Selection.parse(settings.must_pass)
            _check_names(must_pass, tasks_root)
        baseline = _load(settings.baseline, may_be_missing=settings.baseline_new)
        if baseline is not None and (suite := suite_of(tasks_root)):
            one_suite(
                [("the run", suite.id), (f"--sema-baseline={baseline.source}", baseline.suite)]
            )
        return cls(
            rules=GateRules(must_pass=must_pass, fail_under=settings.fail_under, subset=subset),
            baseline_path=settings.baseline,
            baseline=baseline,
            across=across,
            decides=settings.gate,
            alone=alone,
        )

    def failed_before(self, task: TaskKey, task_hash: str) -> bool | None:
        """Whether the baseline has the very same task as failed; None if nobody knows."""
        result = self._before(task) if self.decides else None
        if result is None or not result.graded or result.task_hash != task_hash:
            return None
        # Of several samples more than half: what fails now and then is no known failure.
        return result.n_pass * 2 < len(result.graded)

    def judge(self, run: RunData, confirmations: Sequence[Confirmation] = ()) -> Judgement:
        """The verdict on a run."""
        results = run_results(run)
        compared = compare(self.baseline, results, across=self.across) if self.baseline else None
        verdict = decide(results, self.rules, compared, confirmations=confirmations)
        doubtful = tasks_to_confirm(compared, verdict)
        return Judgement(verdict=verdict, compared=compared, run=results, doubtful=doubtful)

    def _before(self, task: TaskKey) -> TaskResult | None:
        groups = self.baseline.groups if self.baseline else ()
        group = next((group for group in groups if group.setup == task.setup), None)
        if group is None and len(groups) == 1 and self.alone:
            group = groups[0]
        return group.by_task().get(task.task) if group else None


def confirmations(records: Iterable[Record]) -> tuple[Confirmation, ...]:
    """What further runs of tasks came to."""
    groups: dict[TaskKey, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.item.task_key].append(record)
    return tuple(
        Confirmation(
            task=task,
            n_pass=sum(record.passed for record in members),
            n_graded=sum(record.graded for record in members),
        )
        for task, members in groups.items()
    )


def _across(settings: Settings) -> frozenset[Across]:
    if settings.across is None:
        return frozenset()
    if settings.baseline is None:
        raise SettingsError("--sema-across goes with --sema-baseline, which is missing")
    return read_across(settings.across, "--sema-across")


def _check_names(must_pass: Selection, tasks_root: Path) -> None:
    try:
        tasks = load_tasks(tasks_root)
    except TaskError:
        return  # collection says so, with file and line
    must_pass.check(names_of(task.id, task.level, task.category) for task in tasks)


def _load(path: Path | None, *, may_be_missing: bool) -> Results | None:
    if path is None or (may_be_missing and not path.exists()):
        return None
    if not path.exists():
        raise SettingsError(
            f"--sema-baseline: there is no file or run folder {path}; `sema-bench baseline save "
            f"RUN -o {path}` makes one, and a run before there is one needs --sema-baseline-new"
        )
    try:
        return load_results(path)
    except BenchError as error:
        raise SettingsError(f"--sema-baseline: {error}") from error
