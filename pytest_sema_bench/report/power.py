"""What the gate can see, and how often it would be wrong, as lines of text. Prints nothing."""

from collections.abc import Iterator

from pytest_sema_bench.gate.aa_check import AACheck
from pytest_sema_bench.gate.power import CONCENTRATION, Power
from pytest_sema_bench.report.text import counted, safe, tabulated


def power_lines(power: Power, *, n: int, seed: int) -> Iterator[str]:
    """The table of drops and chances, and what follows from it."""
    design = power.design
    a, b = CONCENTRATION * design.rate, CONCENTRATION * (1 - design.rate)
    yield (
        f"{design.n_tasks} tasks; samples of each: {design.n_base} in the baseline, "
        f"{design.n_run} in the run; pass rate {100 * design.rate:.0f} % before"
    )
    yield ""
    rows = [
        (f"{100 * c.drop:.0f}", f"{100 * c.rate_fall:.1f}", f"{100 * c.fires:.1f} %")
        for c in power.chances
    ]
    headers = ("each task falls by (points)", "so the rate falls by", "the gate fires in")
    yield from tabulated(headers, rows, align="rrr")
    yield ""
    yield f"false alarms: {100 * power.false_alarm_rate:.1f} % of runs of an unchanged model"
    yield (
        "smallest fall of the rate that is seen in 80 of 100 runs: "
        + ("none" if power.smallest_fall is None else f"{100 * power.smallest_fall:.0f} points")
    )
    yield (
        "samples on both sides to see a fall of the rate by ten points in 80 of 100 runs: "
        + ("more than 20" if power.samples_for_ten is None else str(power.samples_for_ten))
    )
    yield ""
    yield f"{n} simulated pairs of runs a line, seed {seed}. A task's chance to pass is drawn from"
    yield f"Beta({a:.2g}, {b:.2g}), and falls by the points of the first column, or to 0."


def aa_lines(checks: tuple[AACheck, ...], *, n: int, seed: int) -> Iterator[str]:
    """For each model how often the gate would have fired, or that there are too few samples."""
    for check in checks:
        samples = counted(check.n_samples, "sample")
        yield f"{safe(check.name)}: {check.n_tasks} tasks, {samples} of each"
        if not check.splits:
            yield "  too few samples: a task needs two that were graded (--sema-samples=2 or more)"
        for split in check.splits:
            sides = counted(split.n_samples, "sample")
            yield (
                f"  {sides} against {split.n_samples}, {split.n_tasks} tasks: the gate fires in "
                f"{100 * split.fires:.1f} % of splits"
            )
            yield (
                '  (a rule "the rate must not fall by five points" would fire in '
                f"{100 * split.fell_five:.0f} %)"
            )
        yield ""
    if any(check.splits for check in checks):
        yield f"{n} random splits of each, seed {seed}; nothing changed between the halves, so"
        yield "each alarm is a false one. The gate promises 5 % at most."
