"""Acceptance bars: what must have become better, or not much worse, and whether one may say so.

A bar is held against the interval of the paired difference: met if all of the interval is on its
side, missed if none of it is, else nobody can tell.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import fmean

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.compare import Compared, Comparison, Pair
from pytest_sema_bench.gate.effort import Measure, effort_changes
from pytest_sema_bench.gate.stats.interval import difference_interval
from pytest_sema_bench.gate.task_results import TaskResult
from pytest_sema_bench.gate.verdict import MIN_COVERAGE, GateOutcome
from pytest_sema_bench.records.outcome import Outcome

_MIN_TASKS = 6
"""With fewer the signed-rank test has no interval of 95 %."""
# `repair_rate[L3, tools] >= -5`: metric, where, which side, and the difference, maybe in per cent.
_BAR = re.compile(r"(\w+)\s*(?:\[([^\[\]]*)\])?\s*(>=|<=)\s*([-+]?\d+(?:\.\d+)?)\s*(%?)")


class Metric(Enum):
    """What a bar may be about."""

    PASS = "pass"  # noqa: S105 - a metric, no password
    REPAIR = "repair_rate"
    """Of the items that saw an error of the VM in a tool call, the share that were right."""
    ROUNDS = "rounds"
    CALLS = "tool_calls"
    TOKENS = "tokens"
    COST = "cost"

    @property
    def measure(self) -> Measure | None:
        """The effort that it is; None for a rate."""
        return _MEASURES.get(self)

    @property
    def unit(self) -> str:
        """In what differences are given."""
        if self.measure is None:
            return "points"
        return "%" if self.measure.is_relative else "an item"


_MEASURES = {
    Metric.ROUNDS: Measure.ROUNDS,
    Metric.CALLS: Measure.CALLS,
    Metric.TOKENS: Measure.TOKENS,
    Metric.COST: Measure.USD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One requirement."""

    metric: Metric
    at_least: bool
    """Whether the difference must not be smaller than the bound; else not larger."""
    bound: float
    """In the metric's unit: points, a number an item, or per cent of what it was."""
    where: tuple[str, ...] = ()
    """Levels, and models or configurations; () for all."""

    def __str__(self) -> str:
        where = f"[{', '.join(self.where)}]" if self.where else ""
        sign = ">=" if self.at_least else "<="
        return f"{self.metric.value}{where} {sign} {self.bound:+g}"


class BarOutcome(Enum):
    """Whether a bar is met."""

    MISSED = "missed"
    CANNOT_TELL = "cannot tell"
    MET = "met"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarVerdict:
    """What one bar came to for one model and configuration."""

    bar: Bar
    name: str
    outcome: BarOutcome
    n_tasks: int = 0
    difference: float | None = None
    interval: tuple[float, float] | None = None
    """95 %, in the metric's unit, as the difference."""
    why: str | None = None
    """What keeps one from telling, beside the interval."""


def read_bar(text: str) -> Bar:
    """The bar that `--require` means. Raises SettingsError for what is none."""
    found = _BAR.fullmatch(text.strip())
    known = {metric.value: metric for metric in Metric}
    if found is None or found[1] not in known:
        raise SettingsError(
            f"--require: found {text!r}, expected such as 'pass >= +10' or 'tokens[L3] <= +20'; "
            f"there is {', '.join(known)}"
        )
    metric = known[found[1]]
    if found[5] and metric.unit != "%":
        raise SettingsError(f"--require: {text!r}: {metric.value} is in {metric.unit}, not in %")
    where = tuple(name.strip() for name in (found[2] or "").split(",") if name.strip())
    return Bar(metric=metric, at_least=found[3] == ">=", bound=float(found[4]), where=where)


def judge_bars(
    compared: Compared, bars: Sequence[Bar], *, subset: bool = False
) -> tuple[BarVerdict, ...]:
    """What each bar comes to for each model and configuration that it is about.

    `subset` as in `Comparison.coverage`. Raises SettingsError if a bar names what is not compared.
    """
    return tuple(verdict for bar in bars for verdict in _judge(compared, bar, subset=subset))


def bars_outcome(verdicts: Iterable[BarVerdict], incomplete: str | None) -> GateOutcome:
    """What all bars come to, in the words of the gate, whose exit status it has."""
    found = {verdict.outcome for verdict in verdicts}
    if BarOutcome.MISSED in found:
        return GateOutcome.REGRESSED
    if incomplete:
        return GateOutcome.INCOMPLETE
    return GateOutcome.NO_EVIDENCE if found == {BarOutcome.MET} else GateOutcome.CANNOT_TELL


def _judge(compared: Compared, bar: Bar, *, subset: bool) -> Iterator[BarVerdict]:
    comparisons = compared.comparisons
    levels = {pair.run.level for c in comparisons for pair in c.pairs if pair.run.level}
    known = [*sorted(levels), *dict.fromkeys(name for c in comparisons for name in _names(c))]
    for name in bar.where if comparisons else ():
        if name not in known:
            raise SettingsError(
                f"--require: {bar}: {name!r} is not compared; there is {', '.join(known)}"
            )
    wanted_levels = levels.intersection(bar.where)
    wanted_names = set(bar.where) - levels
    for comparison in comparisons:
        if wanted_names and not wanted_names & _names(comparison):
            continue
        pairs = [p for p in comparison.pairs if not wanted_levels or p.run.level in wanted_levels]
        verdict = _held(bar, comparison.name, pairs)
        coverage = comparison.coverage(subset=subset)
        if coverage < MIN_COVERAGE and verdict.interval is not None:
            why = f"{coverage:.0%} of the baseline is compared, less than {MIN_COVERAGE:.0%}"
            verdict = replace(verdict, outcome=BarOutcome.CANNOT_TELL, why=why)
        yield verdict
    if not comparisons:
        yield BarVerdict(
            bar=bar, name="all", outcome=BarOutcome.CANNOT_TELL, why="nothing can be compared"
        )


def _names(comparison: Comparison) -> set[str]:
    setup = comparison.run.setup
    return {setup.model, setup.config, setup.name}


def _held(bar: Bar, name: str, pairs: Sequence[Pair]) -> BarVerdict:
    found = _change(bar.metric, pairs)
    if isinstance(found, str):
        return BarVerdict(bar=bar, name=name, outcome=BarOutcome.CANNOT_TELL, why=found)
    n_tasks, difference, (low, high) = found
    is_met = low >= bar.bound if bar.at_least else high <= bar.bound
    is_missed = high < bar.bound if bar.at_least else low > bar.bound
    outcome = BarOutcome.MISSED if is_missed else BarOutcome.CANNOT_TELL
    return BarVerdict(
        bar=bar,
        name=name,
        outcome=BarOutcome.MET if is_met else outcome,
        n_tasks=n_tasks,
        difference=difference,
        interval=(low, high),
    )


Change = tuple[int, float, tuple[float, float]]
"""Of how many tasks, by how much, and the interval of that."""


def _change(metric: Metric, pairs: Sequence[Pair]) -> Change | str:
    """How a metric has changed, in its unit; or why that is not known."""
    if not pairs:
        return "no task is comparable"
    if metric.measure is None:
        return _rate_change(metric, pairs)
    efforts = effort_changes([(pair.base, pair.run) for pair in pairs])
    change = next((change for change in efforts if change.measure is metric.measure), None)
    if change is None:
        return f"{metric.value} is not known of every item on both sides"
    if change.shift.n < _MIN_TASKS:
        return f"{change.shift.n} tasks are too few for an interval; {_MIN_TASKS} are not"
    scale = 100.0 if metric.measure.is_relative else 1.0
    low, high = change.shift.interval
    return change.shift.n, scale * change.shift.estimate, (scale * low, scale * high)


def _rate_change(metric: Metric, pairs: Sequence[Pair]) -> Change | str:
    sides = [(_yes_or_no(metric, pair.base), _yes_or_no(metric, pair.run)) for pair in pairs]
    both = [(base, run) for base, run in sides if base and run]
    if not both:
        return "no task has an item on both sides that saw an error of the VM in a tool call"
    base, run = ([fmean(answers) for answers in side] for side in zip(*both, strict=True))
    n_base, n_run = ([len(answers) for answers in side] for side in zip(*both, strict=True))
    low, high = difference_interval(base, run, n_base, n_run)
    return len(both), 100 * (fmean(run) - fmean(base)), (100 * low, 100 * high)


def _yes_or_no(metric: Metric, task: TaskResult) -> list[bool]:
    """Of each graded sample whether it is one of those that the rate counts, if it is asked."""
    if metric is Metric.PASS:
        return [sample.outcome is Outcome.PASS for sample in task.graded]
    return [sample.repaired for sample in task.graded if sample.repaired is not None]
