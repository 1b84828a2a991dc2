"""Two runs side by side, task by task: what broke, what was solved, how sure one can be.

Only tasks of the same version, graded by the same VM and grader on both sides, are compared.
What is left out is named. Nothing is decided here: that is the gate's.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from pytest_sema_bench.gate.across import PLAIN, Across, asked_otherwise, told
from pytest_sema_bench.gate.effort import EffortChange, effort_changes
from pytest_sema_bench.gate.stats.interval import clustered_interval, difference_interval
from pytest_sema_bench.gate.stats.paired import PairedCounts, PairedTest, paired_test
from pytest_sema_bench.gate.task_results import Group, Results, TaskResult, Usage
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.suite import OTHER, in_order, one_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A task as both sides graded it."""

    base: TaskResult
    run: TaskResult

    @property
    def task(self) -> str:
        """The task's id."""
        return self.run.task

    @property
    def counts(self) -> PairedCounts:
        """What the test needs to know."""
        return PairedCounts(
            base_pass=self.base.n_pass,
            n_base=len(self.base.graded),
            run_pass=self.run.n_pass,
            n_run=len(self.run.graded),
        )

    @property
    def difference(self) -> float:
        """Pass rate of the run less that of the baseline, in [-1, 1]."""
        return float(self.counts.difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A task that is not compared."""

    task: str
    why: str
    run_lacks_it: bool = False
    """The run did not set out to do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Mean pass rates of some tasks on both sides, in [0, 1], with 95 % intervals."""

    label: str
    n_tasks: int
    n_worse: int
    n_better: int
    base: float
    run: float
    base_interval: tuple[float, float]
    run_interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """Run less baseline."""
        return self.run - self.base


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One model and configuration on both sides. Without slots: it caches what it computes."""

    base: Group
    run: Group
    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]
    """Tasks of the baseline that are not compared."""
    added: tuple[str, ...]
    """Tasks that only the run has."""
    level_order: tuple[str, ...] = ()
    """The levels of the suite, in order; () if that is not known."""
    differs: tuple[str, ...] = ()
    """What else than the model differs, where nothing is said of what is meant."""

    @property
    def name(self) -> str:
        """The run's model and configuration."""
        return self.run.name

    @property
    def note(self) -> str | None:
        """What is unusual about the pairing."""
        if self.base.name == self.run.name:
            return None
        return f"{self.run.name} is compared with {self.base.name}, its only counterpart"

    @cached_property
    def test(self) -> PairedTest | None:
        """The paired test; None when no task is comparable."""
        return paired_test([pair.counts for pair in self.pairs]) if self.pairs else None

    @property
    def worse(self) -> tuple[Pair, ...]:
        """Newly broken tasks, or with several samples those that pass less often."""
        return tuple(pair for pair in self.pairs if pair.difference < 0)

    @property
    def better(self) -> tuple[Pair, ...]:
        """Newly solved tasks, or with several samples those that pass more often."""
        return tuple(pair for pair in self.pairs if pair.difference > 0)

    @property
    def single(self) -> bool:
        """Whether no task has more than one sample on either side."""
        return all(pair.counts.n_base == pair.counts.n_run == 1 for pair in self.pairs)

    @cached_property
    def total(self) -> Rates | None:
        """The rates over all pairs; None without any."""
        return _rates("all", self.pairs) if self.pairs else None

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the paired difference; None without any pair."""
        if not self.pairs:
            return None
        counts = [pair.counts for pair in self.pairs]
        return difference_interval(
            [count.base_pass / count.n_base for count in counts],
            [count.run_pass / count.n_run for count in counts],
            [count.n_base for count in counts],
            [count.n_run for count in counts],
        )

    @cached_property
    def levels(self) -> tuple[Rates, ...]:
        """By level; they describe, they never gate."""
        return _cut(self.pairs, lambda pair: pair.run.level or OTHER, self.level_order)

    @cached_property
    def categories(self) -> tuple[Rates, ...]:
        """By category; they describe, they never gate."""
        return _cut(self.pairs, lambda pair: pair.run.category or "none")

    @cached_property
    def usage(self) -> tuple[Usage, Usage]:
        """What the compared tasks took in the baseline and in the run."""
        tasks = [pair.task for pair in self.pairs]
        return self.base.usage(tasks), self.run.usage(tasks)

    @cached_property
    def effort(self) -> tuple[EffortChange, ...]:
        """How what the compared tasks took has changed, as far as both sides say."""
        return effort_changes([(pair.base, pair.run) for pair in self.pairs])

    def shares(self, field: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of a yes or no of the compared samples: how many yes of how many known, on both sides."""
        sides = ([pair.base for pair in self.pairs], [pair.run for pair in self.pairs])
        known = [
            [value for t in side for s in t.graded if (value := getattr(s, field)) is not None]
            for side in sides
        ]
        (base, run) = ((sum(values), len(values)) for values in known)
        return base, run

    def coverage(self, *, subset: bool = False) -> float:
        """Share in [0, 1] of the baseline's tasks, times the run's samples, that is compared.

        With `subset` tasks that the run did not set out to do (`-k`, `-m`) do not count.
        """
        n_absent = sum(entry.run_lacks_it for entry in self.left_out)
        runs = self.run.by_task()
        n_out = sum(len(runs[e.task].samples) for e in self.left_out if not e.run_lacks_it)
        n_out += 0 if subset else n_absent * self.run.n_samples
        covered = sum(len(pair.run.graded) for pair in self.pairs)
        n = n_out + sum(len(pair.run.samples) for pair in self.pairs)
        return covered / n if n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """All that two results have in common."""

    base: Results
    run: Results
    comparisons: tuple[Comparison, ...]
    only_in_base: tuple[str, ...]
    """Models and configurations that the run lacks."""
    only_in_run: tuple[str, ...]
    """Models and configurations that the baseline lacks."""
    across: frozenset[Across] = frozenset()
    """The differences that are meant; all else must be the same."""

    @property
    def meant(self) -> str | None:
        """`vm: native 2.0.0 (…) against wasm 1.36.0 (…)`; None if no difference is meant."""
        return "; ".join(told(a, self.base, self.run) for a in Across if a in self.across) or None


def compare(base: Results, run: Results, *, across: Collection[Across] = frozenset()) -> Compared:
    """Both results side by side, paired by model and configuration.

    One model on each side makes a pair even if the names differ: an old model and a new one, or
    one model with another prompt. What differs in `across` is compared all the same; once it
    names anything, prompt, tools, documentation and configuration must be the same too, unless
    they are named. Raises SettingsError for runs of different suites.
    """
    one_suite((results.source, results.suite) for results in (base, run))
    levels = run.levels or base.levels
    bases = {group.setup: group for group in base.groups}
    runs = {group.setup: group for group in run.groups}
    base_of = {setup: setup for setup in runs if setup in bases}
    if not base_of and len(bases) == len(runs) == 1:
        base_of = dict(zip(runs, bases, strict=True))
    if not base_of and Across.CONFIG in across:
        base_of = _by_model(bases, runs)
    return Compared(
        base=base,
        run=run,
        comparisons=tuple(
            compare_groups(bases[base_of[setup]], runs[setup], levels, across) for setup in base_of
        ),
        only_in_base=tuple(setup.name for setup in bases if setup not in base_of.values()),
        only_in_run=tuple(setup.name for setup in runs if setup not in base_of),
        across=frozenset(across),
    )


def _by_model(bases: Iterable[Setup], runs: Iterable[Setup]) -> dict[Setup, Setup]:
    """What each model's only configuration in the run is held against: its only one before."""
    counts = Counter(s.model for s in bases), Counter(s.model for s in runs)
    only = {s.model: s for s in bases if counts[0][s.model] == 1}
    return {s: only[s.model] for s in runs if counts[1][s.model] == 1 and s.model in only}


def compare_groups(
    base: Group,
    run: Group,
    levels: tuple[str, ...] = (),
    across: Collection[Across] = frozenset(),
) -> Comparison:
    """Two groups side by side, task by task; they may be of one run. `levels` is their order.

    With `across` what was asked in yet another way is left out; without it that is told.
    """
    runs, bases = run.by_task(), base.by_task()
    pairs, left_out = [], []
    differs = tuple(asked_otherwise(base, run, across))
    for task in base.tasks:
        other = runs.get(task.task)
        why = _why_not(task, other, across)
        if why is None and across and differs:
            why = f"the {differs[0]}; name that too if it is meant"
        if other is not None and why is None:
            pairs.append(Pair(base=task, run=other))
        else:
            left_out.append(LeftOut(task=task.task, why=why or "", run_lacks_it=other is None))
    return Comparison(
        base=base,
        run=run,
        pairs=tuple(pairs),
        left_out=tuple(left_out),
        added=tuple(name for name in runs if name not in bases),
        level_order=levels,
        differs=() if across else differs,
    )


def _why_not(base: TaskResult, run: TaskResult | None, across: Collection[Across]) -> str | None:
    """Why two results of a task cannot be compared; None if they can."""
    if run is None:
        return "not in the run"
    if not base.graded:
        return "the baseline has no verdict on it"
    if not run.graded:
        return f"the run has no verdict on it ({run.samples[-1].reason})"
    for what, before, after, named in (
        ("the task changed", base.task_hash, run.task_hash, None),
        ("the VM changed", base.vm, run.vm, Across.VM),
        ("the dialect changed", base.dialect or PLAIN, run.dialect or PLAIN, Across.DIALECT),
        ("the grader changed", base.grader, run.grader, None),
    ):
        if before != after and named not in across:
            return f"{what}: {before}, now {after}"
    return None


def _cut(
    pairs: Sequence[Pair], label: Callable[[Pair], str], order: Sequence[str] = ()
) -> tuple[Rates, ...]:
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[label(pair)].append(pair)
    return tuple(_rates(name, groups[name]) for name in in_order(groups, order))


def _rates(label: str, pairs: Sequence[Pair]) -> Rates:
    counts = [pair.counts for pair in pairs]
    base = [count.base_pass / count.n_base for count in counts]
    run = [count.run_pass / count.n_run for count in counts]
    return Rates(
        label=label,
        n_tasks=len(pairs),
        n_worse=sum(count.difference < 0 for count in counts),
        n_better=sum(count.difference > 0 for count in counts),
        base=fmean(base),
        run=fmean(run),
        base_interval=clustered_interval(base, [count.n_base for count in counts]),
        run_interval=clustered_interval(run, [count.n_run for count in counts]),
    )
