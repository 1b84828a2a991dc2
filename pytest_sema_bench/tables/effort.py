"""What it takes a model to get tasks right: rounds, tool calls, tokens and dollars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_sema_bench.gate.effort import Measure
from pytest_sema_bench.gate.task_results import Sample, sample_of
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.records.record import Record, by_setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """One measure. None where it is not known of all items, or nothing was solved."""

    median_solved: float | None
    total_solved: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortTable:
    """The effort of one model in one configuration. Void items count in nothing."""

    setup: Setup
    n_solved: int
    n_graded: int
    by_measure: dict[Measure, Effort]


def make_effort_tables(records: Iterable[Record]) -> tuple[EffortTable, ...]:
    """A table for each model and configuration, in order of appearance."""
    graded = [record for record in records if record.graded]
    return tuple(_table(setup, members) for setup, members in by_setup(graded).items())


def _table(setup: Setup, graded: Sequence[Record]) -> EffortTable:
    samples = [sample_of(record) for record in graded]
    return EffortTable(
        setup=setup,
        n_solved=sum(record.passed for record in graded),
        n_graded=len(graded),
        by_measure={measure: _effort(samples, measure) for measure in Measure},
    )


def _effort(samples: Sequence[Sample], measure: Measure) -> Effort:
    values = [(measure.of(sample), sample.outcome is Outcome.PASS) for sample in samples]
    if any(value is None for value, _ in values):
        return Effort(median_solved=None, total_solved=None)
    solved = [value or 0.0 for value, passed in values if passed]
    return Effort(
        median_solved=median(solved) if solved else None,
        total_solved=sum(solved) if solved else None,
    )
