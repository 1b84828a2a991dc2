"""Two runs side by side as lines of text, plain or Markdown. Prints nothing."""

from collections.abc import Iterable, Iterator

from pytest_sema_bench.gate.compare import Compared, Comparison, Pair, Rates
from pytest_sema_bench.gate.effort import EffortChange, Measure
from pytest_sema_bench.gate.task_results import TaskResult, Usage
from pytest_sema_bench.report.text import (
    NO_VALUE,
    counted,
    p_value,
    percent,
    percent_interval,
    points,
    safe,
    signed,
    tabulated,
)

_EFFORT = ("until solved, median", "baseline", "run", "unsolved at", "change", "95 %", "p")
_RATES = ("tasks", "baseline", "95 %", "run", "95 %", "points")


def comparison_lines(compared: Compared, *, markdown: bool = False) -> Iterator[str]:
    """The lines of all comparisons, and what could not be paired."""
    yield f"baseline: {safe(compared.base.source)}{_dated(compared.base.date)}"
    yield f"run:      {safe(compared.run.source)}{_dated(compared.run.date)}"
    if compared.meant:
        yield f"across:   {safe(compared.meant)}"
    base, run = compared.base.suite, compared.run.suite
    if base and run and base.hash != run.hash:
        yield f"suite:    {safe(base.label)}, now {safe(run.label)}: what changed is not compared"
    yield ""
    for comparison in compared.comparisons:
        yield from _one(comparison, markdown=markdown)
    for names, where in (
        (compared.only_in_base, "only in the baseline"),
        (compared.only_in_run, "only in the run"),
    ):
        if names:
            yield f"{where}, so not compared: {', '.join(map(safe, names))}"
            yield ""


def changed_lines(comparison: Comparison, *, markdown: bool = False) -> Iterator[str]:
    """The tasks that changed, each with its reason, under a heading with their number."""
    single = comparison.single
    for title, pairs in (
        ("newly broken" if single else "passing less often", comparison.worse),
        ("newly solved" if single else "passing more often", comparison.better),
    ):
        if not pairs:
            continue
        yield f"{title}: {len(pairs)}"
        if markdown:
            yield ""
        indent = "- " if markdown else "  "
        width = max(len(pair.task) for pair in pairs)
        for pair in pairs:
            counts = "" if single else f"{_count(pair.base)} -> {_count(pair.run)}  "
            yield f"{indent}{safe(pair.task):<{width}}  {counts}{safe(_reason(pair))}".rstrip()
        yield ""


def _one(comparison: Comparison, *, markdown: bool) -> Iterator[str]:
    yield f"### {safe(comparison.name)}" if markdown else safe(comparison.name)
    yield ""
    if comparison.note:
        yield safe(comparison.note)
        yield ""
    yield from _listed(_headline(comparison), markdown=markdown)
    yield from _listed((safe(f"the {what}") for what in comparison.differs), markdown=markdown)
    yield ""
    yield from changed_lines(comparison, markdown=markdown)
    if comparison.pairs and comparison.total is not None:
        levels = (*comparison.levels, comparison.total)
        for title, rows in (("level", levels), ("category", comparison.categories)):
            headers = (title, *_RATES, *_changes(comparison))
            yield from tabulated(headers, map(_cells, rows), markdown=markdown)
            yield ""
        yield "levels and categories describe; only the whole is tested"
        yield ""
        yield from tabulated(("per item", "baseline", "run"), _usage(comparison), markdown=markdown)
        yield ""
        if comparison.effort:
            effort = map(_effort_cells, comparison.effort)
            yield from tabulated(_EFFORT, effort, markdown=markdown)
            yield ""
    yield from _left_out(comparison)


def _headline(comparison: Comparison) -> Iterator[str]:
    total, interval, test = comparison.total, comparison.interval, comparison.test
    if total is None or interval is None or test is None:
        yield "nothing can be compared"
        return
    n = f"{total.n_tasks} tasks, {_samples(comparison)}"
    before, after = percent_interval(total.base_interval), percent_interval(total.run_interval)
    yield f"pass rate {percent(total.base)} ({before}), now {percent(total.run)} ({after}); {n}"
    low, high = interval
    yield (
        f"difference {points(total.difference)} points, "
        f"95 % interval {points(low)} to {points(high)}"
    )
    yield (
        f"exact paired test: p {p_value(test.p_worse)} for a fall (one-sided), "
        f"p {p_value(test.p_two_sided)} for any change"
    )


def _samples(comparison: Comparison) -> str:
    base, run = comparison.base.n_samples, comparison.run.n_samples
    if base == run:
        return f"{counted(run, 'sample')} of each"
    return f"{base} samples of each in the baseline and {run} in the run"


def _changes(comparison: Comparison) -> tuple[str, str]:
    return ("broken", "solved") if comparison.single else ("worse", "better")


def _cells(row: Rates) -> tuple[str, ...]:
    return (
        safe(row.label),
        str(row.n_tasks),
        percent(row.base),
        percent_interval(row.base_interval),
        percent(row.run),
        percent_interval(row.run_interval),
        points(row.difference),
        str(row.n_worse),
        str(row.n_better),
    )


def _effort_cells(change: EffortChange) -> tuple[str, ...]:
    relative, shift = change.measure.is_relative, change.shift
    low, high = (signed(end, relative=relative) for end in shift.interval)
    digits = 5 if change.measure is Measure.USD else 0 if relative else 1
    return (
        change.measure.value,
        *(f"{value:,.{digits}f}" for value in (change.base, change.run, change.cap)),
        signed(shift.estimate, relative=relative),
        f"{low} to {high}",
        p_value(shift.p_two_sided),
    )


def _usage(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    before, after = comparison.usage
    yield "cost $", _each(before, before.cost_usd, 5), _each(after, after.cost_usd, 5)
    yield "tokens", _each(before, before.n_tokens, 0), _each(after, after.n_tokens, 0)
    for title, field in (("first program parses", "first_parses"), ("repaired", "repaired")):
        shares = comparison.shares(field)
        if any(of for _, of in shares):
            yield title, *(f"{n}/{of} ({percent(n / of)})" if of else NO_VALUE for n, of in shares)
    for title, ones, others in (
        ("calls of", before.tool_calls, after.tool_calls),
        ("VM errors:", before.vm_errors, after.vm_errors),
    ):
        counts = dict(ones), dict(others)
        for name in dict.fromkeys([*counts[0], *counts[1]]):
            cells = (
                _each(u, c.get(name, 0), 2) for u, c in zip((before, after), counts, strict=True)
            )
            yield (f"{title} {safe(name)}", *cells)


def _each(usage: Usage, value: float | None, digits: int) -> str:
    return (
        NO_VALUE if value is None or not usage.n_items else f"{value / usage.n_items:,.{digits}f}"
    )


def _left_out(comparison: Comparison) -> Iterator[str]:
    if comparison.left_out:
        yield f"left out: {len(comparison.left_out)} tasks of the baseline"
        reasons: dict[str, list[str]] = {}
        for entry in comparison.left_out:
            reasons.setdefault(entry.why, []).append(entry.task)
        for why, tasks in reasons.items():
            yield f"  {safe(why)}: {', '.join(map(safe, tasks))}"
        yield ""
    if comparison.added:
        yield f"not in the baseline: {', '.join(map(safe, comparison.added))}"
        yield ""


def _reason(pair: Pair) -> str:
    if pair.difference < 0:
        return ", ".join(pair.run.reasons)
    return f"was: {', '.join(pair.base.reasons)}"


def _count(task: TaskResult) -> str:
    return f"{task.n_pass}/{len(task.graded)}"


def _dated(date: str | None) -> str:
    return f" ({safe(date[:10])})" if date else ""


def _listed(lines: Iterable[str], *, markdown: bool) -> Iterator[str]:
    for line in lines:
        yield f"- {line}" if markdown else line
