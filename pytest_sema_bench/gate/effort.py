"""What tasks took on both sides: success has a ceiling, effort has none.

An unsolved item counts as the most that any compared item took, since giving up early is no thrift.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import exp, log
from statistics import fmean, median
from typing import TYPE_CHECKING

from pytest_sema_bench.gate.task_results import Sample, TaskResult
from pytest_sema_bench.records.outcome import Outcome

if TYPE_CHECKING:
    from pytest_sema_bench.gate.stats.signed_rank import SignedRank


class Measure(Enum):
    """What effort is counted in."""

    ROUNDS = "rounds"
    """Replies with tool calls."""
    CALLS = "tool calls"
    TOKENS = "tokens"
    """Of prompts and replies together."""
    USD = "$"

    @property
    def is_relative(self) -> bool:
        """Whether a change is told as a share of what it was."""
        return self in (Measure.TOKENS, Measure.USD)

    def of(self, sample: Sample) -> float | None:
        """What a sample took; None where that is not known."""
        return _OF[self](sample)


_OF: dict[Measure, Callable[[Sample], float | None]] = {
    Measure.ROUNDS: lambda sample: sample.rounds,
    # A baseline file keeps neither, and no calls at all look like none that were kept.
    Measure.CALLS: lambda sample: (
        None if sample.rounds is None else sum(n for _, n in sample.tool_calls)
    ),
    Measure.TOKENS: lambda sample: sample.n_tokens,
    Measure.USD: lambda sample: sample.cost_usd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortChange:
    """One measure on the tasks that both sides graded."""

    measure: Measure
    base: float
    """Median over tasks, unsolved items at the cap."""
    run: float
    cap: float
    """What an unsolved item counts as."""
    shift: "SignedRank"
    """Run less baseline; of a relative measure the change as a share, 0.2 for a fifth more."""


def effort_changes(
    pairs: Sequence[tuple[TaskResult, TaskResult]],
) -> tuple[EffortChange, ...]:
    """The change in each measure that is known of every sample of all pairs."""
    found = (_change(measure, pairs) for measure in Measure)
    return tuple(change for change in found if change is not None)


def _change(
    measure: Measure, pairs: Sequence[tuple[TaskResult, TaskResult]]
) -> EffortChange | None:
    values = [measure.of(sample) for pair in pairs for task in pair for sample in task.graded]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    cap = max(known)
    sides = [tuple(_mean(task, measure, cap) for task in pair) for pair in pairs]
    if measure.is_relative and min(map(min, sides)) <= 0:
        return None  # nobody counted, or it is free
    differences = [log(run / base) if measure.is_relative else run - base for base, run in sides]
    # NumPy is slow to import, and most runs compare nothing.
    from pytest_sema_bench.gate.stats.signed_rank import signed_rank

    shift = signed_rank(differences)
    assert shift is not None
    return EffortChange(
        measure=measure,
        base=median(base for base, _ in sides),
        run=median(run for _, run in sides),
        cap=cap,
        shift=_as_share(shift) if measure.is_relative else shift,
    )


def _mean(task: TaskResult, measure: Measure, cap: float) -> float:
    return fmean(
        (measure.of(sample) or 0.0) if sample.outcome is Outcome.PASS else cap
        for sample in task.graded
    )


def _as_share(shift: "SignedRank") -> "SignedRank":
    """The same with logarithms of ratios as shares."""
    low, high = (exp(end) - 1 for end in shift.interval)
    return replace(shift, estimate=exp(shift.estimate) - 1, interval=(low, high))
