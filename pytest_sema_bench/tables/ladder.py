"""What primer, search and trying out each add: the arms of one model, compared in pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import nan

from pytest_sema_bench.catalog.arms import DOCS, EVAL, LADDER, Arm
from pytest_sema_bench.gate.compare import Comparison, compare_groups
from pytest_sema_bench.gate.stats.interval import wilson_interval
from pytest_sema_bench.gate.task_results import Group, group_records
from pytest_sema_bench.records.record import Record

_MIN_ARMS = 2
FACTORS = ("the primer", DOCS, EVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One arm of one model. Void items count in nothing."""

    arm: Arm
    n_graded: int
    n_pass: int
    rounds: float
    """Replies with tool calls, per item."""
    tokens_per_solved: float | None
    usd_per_solved: float | None
    """These two are over all graded items, right or wrong; None when nothing was solved, and
    when a price is unknown."""

    @property
    def rate(self) -> float | None:
        """Pass rate in [0, 1]; None when nothing was graded."""
        return self.n_pass / self.n_graded if self.n_graded else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate."""
        return wilson_interval(self.n_pass, self.n_graded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one factor adds while the others stay as they are, on the tasks both arms graded."""

    factor: str
    """One of `FACTORS`."""
    given: str
    """What the two arms have in common, such as `with docs_search`."""
    comparison: Comparison
    """The arm without the factor is the baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The arms of one model, and what each factor adds."""

    model: str
    rungs: tuple[Rung, ...]
    effects: tuple[Effect, ...]


def make_ladders(records: Sequence[Record]) -> tuple[Ladder, ...]:
    """A ladder for each model that was asked in two arms or more, in order of appearance."""
    arms = {arm.name: arm for arm in LADDER}
    by_model: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        if record.config in arms:
            by_model.setdefault(record.model, {}).setdefault(record.config, []).append(record)
    return tuple(
        Ladder(
            model=model,
            rungs=tuple(_rung(arm, found[name]) for name, arm in arms.items() if name in found),
            effects=tuple(_effects({name: group_records(of)[0] for name, of in found.items()})),
        )
        for model, found in by_model.items()
        if len(found) >= _MIN_ARMS
    )


def _rung(arm: Arm, records: Sequence[Record]) -> Rung:
    graded = [record for record in records if record.graded]
    n_pass = sum(record.passed for record in graded)
    costs = [record.cost_usd for record in graded]
    usd = None if None in costs else sum(cost for cost in costs if cost is not None)
    return Rung(
        arm=arm,
        n_graded=len(graded),
        n_pass=n_pass,
        rounds=sum(record.rounds for record in graded) / len(graded) if graded else nan,
        tokens_per_solved=sum(r.tokens.total for r in graded) / n_pass if n_pass else None,
        usd_per_solved=usd / n_pass if n_pass and usd is not None else None,
    )


def _effects(groups: dict[str, Group]) -> Iterable[Effect]:
    for factor, (without, with_it) in product(FACTORS, product(LADDER, LADDER)):
        if without.name in groups and with_it.name in groups and _adds(factor, without, with_it):
            yield Effect(
                factor=factor,
                given=_in_common(factor, without),
                comparison=compare_groups(groups[without.name], groups[with_it.name]),
            )


def _adds(factor: str, without: Arm, with_it: Arm) -> bool:
    """Whether the second arm is the first with that factor added, and nothing else."""
    return _has(with_it) - _has(without) == {factor} and _has(without) < _has(with_it)


def _has(arm: Arm) -> set[str]:
    return {*arm.tools, *(FACTORS[:1] if arm.primer else ())}


def _in_common(factor: str, arm: Arm) -> str:
    tools = " and ".join(arm.tools)
    if factor == FACTORS[0]:
        return f"with {tools}" if tools else "without tools"
    if arm.primer:
        return f"with the primer and {tools}" if tools else "with the primer"
    return f"without the primer, with {tools}" if tools else "without the primer"
