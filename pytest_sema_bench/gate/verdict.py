"""The gate: did it get worse, and may one say so? A verdict with its reasons and exit status.

The paired test decides, at 5 % over all models together. Must-pass tasks and a floor are plain
rules beside it. Facts outrank doubts: a task that must pass and did not, or a test that fired
on enough of the tasks, is a regression even if another model's run cannot be judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from math import comb

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.compare import Compared, Comparison
from pytest_sema_bench.gate.stats.paired import ALPHA, holm
from pytest_sema_bench.gate.task_results import Group, Results, TaskResult
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.suite.selection import Selection, names_of

MIN_COVERAGE = 0.95
_SIMULATIONS = 300
_TEN_POINTS = 0.10


class GateOutcome(Enum):
    """What the gate says; DESIGN section 6. The order is that of precedence."""

    REGRESSED = "regressed"
    INCOMPLETE = "incomplete"
    CANNOT_TELL = "cannot tell"
    NO_EVIDENCE = "no evidence of regression"

    @property
    def exit_status(self) -> int:
        """What a process ends with: 1, 11, 10 or 0."""
        return _EXIT_STATUS[self]


_EXIT_STATUS = {
    GateOutcome.REGRESSED: 1,
    GateOutcome.INCOMPLETE: 11,
    GateOutcome.CANNOT_TELL: 10,
    GateOutcome.NO_EVIDENCE: 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What a run is held to."""

    must_pass: Selection | None = None
    fail_under: float | None = None
    """Floor of the pass rate in percent."""
    alpha: float = ALPHA
    subset: bool = False
    """The run was limited on purpose (`-k`, `-m`): tasks it left out do not count against it."""

    def __post_init__(self) -> None:
        if self.fail_under is not None and not 0 <= self.fail_under <= 100:
            raise SettingsError(f"the floor is {self.fail_under}; expected a percentage, 0 to 100")
        if not 0 < self.alpha <= 0.5:
            raise SettingsError(f"the level of the test is {self.alpha}; expected 0 to 0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Further runs of one newly broken task."""

    task: TaskKey
    n_pass: int
    n_graded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason for the verdict."""

    outcome: GateOutcome
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVerdict:
    """What the test says of one model, and what it could have said."""

    name: str
    n_tasks: int
    coverage: float
    p: float | None
    """One-sided; None when nothing is comparable."""
    p_adjusted: float | None
    """For several models, after Holm; None if the test does not count."""
    fired: bool
    taken_back: bool = False
    """The test fired, and the further runs did not confirm it."""
    n_to_fire: int | None
    """Newly broken tasks that would have been needed, beside those that were newly solved; None
    with several samples, where a task can break a little."""
    smallest_fall: float | None
    """The smallest fall of the pass rate that this comparison sees in 80 of 100 runs."""
    samples_for_ten: int | None
    """Samples on both sides that would see a fall of ten points in 80 of 100 runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """The gate's decision."""

    outcome: GateOutcome
    findings: tuple[Finding, ...]
    """Weightiest first."""
    tests: tuple[ModelVerdict, ...] = ()
    alpha: float = ALPHA
    confirmed: tuple[Confirmation, ...] = field(default=())

    @property
    def exit_status(self) -> int:
        """0, 1, 10 or 11."""
        return self.outcome.exit_status


def decide(
    run: Results,
    rules: GateRules,
    compared: Compared | None = None,
    *,
    confirmations: Sequence[Confirmation] = (),
) -> GateVerdict:
    """The verdict on a run, with a baseline where there is one to compare with.

    Names of the must-pass expression are not checked here: `Selection.check` does that before
    anything is paid for.
    """
    tests = _tests(compared, rules, confirmations) if compared else ()
    findings = list(_rule_findings(run, rules, compared))
    if run.incomplete:
        findings.append(_finding(GateOutcome.INCOMPLETE, run.incomplete))
    if compared:
        findings += _comparison_findings(compared, tests)
    elif not run.is_graded:
        findings.append(_finding(GateOutcome.CANNOT_TELL, "nothing was graded"))
    order = list(GateOutcome)
    findings.sort(key=lambda finding: order.index(finding.outcome))
    return GateVerdict(
        outcome=findings[0].outcome if findings else GateOutcome.NO_EVIDENCE,
        findings=tuple(findings),
        tests=tests,
        alpha=rules.alpha,
        confirmed=tuple(confirmations),
    )


def tasks_to_confirm(compared: Compared | None, verdict: GateVerdict) -> tuple[TaskKey, ...]:
    """What is worth running again: the newly broken tasks, where the test fired."""
    fired = {test.name for test in verdict.tests if test.fired}
    return tuple(
        TaskKey(pair.task, comparison.run.setup)
        for comparison in (compared.comparisons if compared else ())
        if comparison.name in fired
        for pair in comparison.worse
    )


def alarm_stands(comparison: Comparison, confirmations: Iterable[Confirmation]) -> bool:
    """Whether the rate has still fallen with further runs of broken tasks in place of the first.

    Further runs that are void say nothing; those tasks stay as they were. Only broken tasks are
    run again, which favours the run, so this can take an alarm back and never raise one: the
    share of false alarms cannot rise. docs/gate.md has the figures.
    """
    known = {
        entry.task: Fraction(entry.n_pass, entry.n_graded)
        for entry in confirmations
        if entry.n_graded
    }
    total = Fraction(0)
    for pair in comparison.pairs:
        further = known.get(TaskKey(pair.task, comparison.run.setup))
        if further is None or pair.difference >= 0:
            total += pair.counts.difference
        else:
            total += further - Fraction(pair.counts.base_pass, pair.counts.n_base)
    return total < 0


def n_broken_to_fire(n_better: int, alpha: float) -> int:
    """The least number of tasks that must break for the sign test to fire, beside those solved."""
    n_worse = 1
    while True:
        n = n_worse + n_better
        tail = sum(comb(n, k) for k in range(n_better + 1))
        if tail <= alpha * 2**n:
            return n_worse
        n_worse += 1


def _tests(
    compared: Compared, rules: GateRules, confirmations: Sequence[Confirmation]
) -> tuple[ModelVerdict, ...]:
    """The tests of all comparisons; those that cover too little have no part in Holm's."""
    coverages = [c.coverage(subset=rules.subset) for c in compared.comparisons]
    counted = [
        (index, comparison.test.p_worse)
        for index, comparison in enumerate(compared.comparisons)
        if comparison.test is not None and coverages[index] >= MIN_COVERAGE
    ]
    adjusted = holm([p for _, p in counted])
    by_index = dict(zip((index for index, _ in counted), adjusted, strict=True))
    # The first of Holm's steps, the strictest: what each model shows even if no other falls.
    alpha = rules.alpha / max(1, len(counted))
    verdicts = []
    for index, comparison in enumerate(compared.comparisons):
        verdict = _test(comparison, coverages[index], by_index.get(index), rules.alpha, alpha)
        if verdict.fired and confirmations and not alarm_stands(comparison, confirmations):
            verdict = replace(verdict, taken_back=True)
        verdicts.append(verdict)
    return tuple(verdicts)


def _test(
    comparison: Comparison,
    coverage: float,
    p_adjusted: float | None,
    alpha: float,
    alpha_each: float,
) -> ModelVerdict:
    fall, samples = _sight(comparison, alpha_each) if comparison.pairs else (None, None)
    return ModelVerdict(
        name=comparison.name,
        n_tasks=len(comparison.pairs),
        coverage=coverage,
        p=comparison.test.p_worse if comparison.test else None,
        p_adjusted=p_adjusted,
        fired=p_adjusted is not None and p_adjusted <= alpha,
        n_to_fire=(
            n_broken_to_fire(len(comparison.better), alpha_each) if comparison.single else None
        ),
        smallest_fall=fall,
        samples_for_ten=samples,
    )


def _sight(comparison: Comparison, alpha: float) -> tuple[float | None, int | None]:
    """The smallest fall that is seen, and the samples that see ten points.

    The rate is rounded to 5 %, so that models of about the same rate share a simulation.
    """
    # Imported here because power imports NumPy, which only a run that is judged has to wait for.
    from pytest_sema_bench.gate.power import Design, samples_for, smallest_fall

    rate = comparison.total.base if comparison.total else 0.5
    design = Design(
        n_tasks=len(comparison.pairs),
        n_base=comparison.base.n_samples,
        n_run=comparison.run.n_samples,
        rate=round(20 * rate) / 20,
        alpha=alpha,
    )
    alike = replace(design, n_base=1, n_run=1)
    return (
        smallest_fall(design, n=_SIMULATIONS),
        samples_for(alike, _TEN_POINTS, n=_SIMULATIONS),
    )


def _comparison_findings(compared: Compared, tests: Sequence[ModelVerdict]) -> Iterable[Finding]:
    for comparison, test in zip(compared.comparisons, tests, strict=True):
        if test.fired and not test.taken_back:
            p = f"p = {test.p_adjusted:.2g}" if test.p_adjusted is not None else ""
            counts = f"{len(comparison.worse)} tasks got worse, {len(comparison.better)} better"
            yield _finding(GateOutcome.REGRESSED, f"{test.name}: {counts}; {p}")
        elif test.p_adjusted is None:
            yield _finding(GateOutcome.CANNOT_TELL, f"{test.name}: {_why_blind(comparison, test)}")
    for name in compared.only_in_run:
        known = ", ".join(group.name for group in compared.base.groups) or "nothing"
        text = f"{name}: not in the baseline, which holds {known}"
        yield _finding(GateOutcome.CANNOT_TELL, text)
    if not compared.run.groups:
        yield _finding(GateOutcome.CANNOT_TELL, "the run holds no results")


def _why_blind(comparison: Comparison, test: ModelVerdict) -> str:
    if not comparison.pairs:
        return "not one task can be compared" + (
            f" (the first: {comparison.left_out[0].task}: {comparison.left_out[0].why})"
            if comparison.left_out
            else ""
        )
    return (
        f"only {100 * test.coverage:.0f} % of the baseline can be compared, "
        f"{100 * MIN_COVERAGE:.0f} % is needed"
    )


def _rule_findings(run: Results, rules: GateRules, compared: Compared | None) -> Iterable[Finding]:
    if rules.must_pass is not None:
        yield from _must_pass_findings(run, rules.must_pass)
        if compared is not None and not rules.subset:
            yield from _not_run(compared, rules.must_pass)
    if rules.fail_under is not None:
        for group in run.groups:
            yield from _floor_findings(group, rules.fail_under)


def _must_pass_findings(run: Results, selection: Selection) -> Iterable[Finding]:
    """A graded sample that failed is a fact; a task without any verdict is a doubt."""
    meant = [(g, t) for g in run.groups for t in g.tasks if _means(selection, t)]
    if not meant:
        text = f"no task of the run is meant by the must-pass expression {selection.text!r}"
        yield _finding(GateOutcome.CANNOT_TELL, text)
    for group, task in meant:
        n_failed = len(task.graded) - task.n_pass
        if n_failed:
            text = f"{task.task} must pass: {n_failed} of {len(task.graded)} failed"
            yield _finding(
                GateOutcome.REGRESSED, f"{group.name}: {text} ({', '.join(task.reasons)})"
            )
        elif not task.graded:
            text = f"{task.task} must pass and has no verdict ({task.samples[-1].reason})"
            yield _finding(GateOutcome.CANNOT_TELL, f"{group.name}: {text}")


def _not_run(compared: Compared, selection: Selection) -> Iterable[Finding]:
    """Must-pass tasks of the baseline that the run did not set out to do."""
    for comparison in compared.comparisons:
        absent = {entry.task for entry in comparison.left_out if entry.run_lacks_it}
        for task in comparison.base.tasks:
            if task.task in absent and _means(selection, task):
                text = f"{comparison.name}: {task.task} must pass and was not run"
                yield _finding(GateOutcome.CANNOT_TELL, text)


def _means(selection: Selection, task: TaskResult) -> bool:
    return selection.matches(names_of(task.task, task.level, task.category))


def _floor_findings(group: Group, fail_under: float) -> Iterable[Finding]:
    """Below the floor only if what has no verdict could not lift it, unless that is little."""
    samples = [sample for task in group.tasks for sample in task.samples]
    n_pass = sum(sample.outcome is Outcome.PASS for sample in samples)
    n_graded = sum(sample.outcome is not Outcome.VOID for sample in samples)
    covered = bool(samples) and n_graded >= MIN_COVERAGE * len(samples)
    best = n_pass + len(samples) - n_graded
    # By its digits: the float 66.7 is above 66.7, and 667 of 1,000 would be below the floor.
    floor = Fraction(str(fail_under)) / 100
    shown = f"{group.name}: {n_pass} of {n_graded} passed"
    if (covered and n_pass < floor * n_graded) or best < floor * len(samples):
        yield _finding(GateOutcome.REGRESSED, f"{shown}, the floor is {fail_under:g} %")
    elif not covered:
        text = f"{shown} and {len(samples) - n_graded} more have no verdict"
        yield _finding(GateOutcome.CANNOT_TELL, f"{text}, so the floor {fail_under:g} % is open")


def _finding(outcome: GateOutcome, text: str) -> Finding:
    return Finding(outcome=outcome, text=text)
