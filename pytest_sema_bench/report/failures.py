"""How models fail and what their successes take, as grids for the text and for the page."""

from collections.abc import Iterator, Sequence
from itertools import chain

from pytest_sema_bench.gate.effort import Measure
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.text import (
    NO_VALUE,
    Grid,
    number,
    percent,
    percent_interval,
    safe,
)
from pytest_sema_bench.tables.effort import Effort, EffortTable, make_effort_tables
from pytest_sema_bench.tables.failures import FailureTable, Share, make_failure_tables

_OVERVIEW = (
    *("model", "first program parses", "right at once", "programs tried", "repaired"),
    "right in a tool call, wrong in the end",
)
_FOREIGN = ("names from", "used", "right one followed", "95 % interval", "most often")
_REPAIRS = ("error", "items", "then ran", "then right", "95 % interval")


def failure_grids(records: Sequence[Record]) -> tuple[Grid, ...]:
    """What solving took, how each model fails, its foreign names, what became of its errors."""
    efforts, failures = make_effort_tables(records), make_failure_tables(records)
    grids = [*_efforts(efforts), *_overviews(failures), *chain.from_iterable(map(_own, failures))]
    return tuple(grids)


def failure_lines(records: Sequence[Record], *, markdown: bool = False) -> Iterator[str]:
    """The grids as lines of text."""
    for grid in failure_grids(records):
        yield from grid.lines(markdown=markdown)


def _efforts(tables: Sequence[EffortTable]) -> Iterator[Grid]:
    if not any(table.n_solved for table in tables):
        return
    yield Grid(
        title="Until solved: the median of the solved items, and what they took in all",
        headers=("model", "solved", *chain.from_iterable((m.value, "in all") for m in Measure)),
        rows=tuple(
            (
                safe(table.setup.name),
                f"{table.n_solved}/{table.n_graded}",
                *chain.from_iterable(_effort(m, table.by_measure[m]) for m in Measure),
            )
            for table in tables
        ),
        align="lr" + "rr" * len(Measure),
    )


def _effort(measure: Measure, effort: Effort) -> tuple[str, str]:
    digits = 4 if measure is Measure.USD else 0
    half = 1 if measure in (Measure.ROUNDS, Measure.CALLS) else digits
    return number(effort.median_solved, half), number(effort.total_solved, digits)


def _overviews(tables: Sequence[FailureTable]) -> Iterator[Grid]:
    if any(table.repairs or table.foreign or table.lost.of for table in tables):
        yield Grid(
            title="How they fail",
            headers=_OVERVIEW,
            rows=tuple(map(_overview, tables)),
            align="lrrrrr",
        )


def _overview(table: FailureTable) -> tuple[str, ...]:
    return (
        safe(table.setup.name),
        _share(table.parsed),
        _share(table.solved_at_once),
        number(table.tries_until_solved, 1),
        _share(table.repaired),
        _share(table.lost),
    )


def _own(table: FailureTable) -> Iterator[Grid]:
    name = safe(table.setup.name)
    if table.foreign:
        yield Grid(
            title=f"Names that Sema does not have, in programs of {name}",
            headers=_FOREIGN,
            rows=tuple(
                (
                    safe(row.language),
                    str(row.found.of),
                    str(row.found.n),
                    percent_interval(row.found.interval),
                    ", ".join(f"{safe(foreign, width=30)} ×{n}" for foreign, n in row.names),
                )
                for row in table.foreign
            ),
            align="lrrrl",
        )
    if table.repairs:
        yield Grid(
            title=f"Errors that tool calls showed {name}",
            headers=_REPAIRS,
            rows=tuple(
                (
                    row.error_class,
                    str(row.right.of),
                    str(row.mended.n),
                    str(row.right.n),
                    percent_interval(row.right.interval),
                )
                for row in table.repairs
            ),
            align="lrrrr",
        )


def _share(value: Share) -> str:
    """`41/60 (68 %)`, or a dash of nothing."""
    return f"{value.n}/{value.of} ({percent(value.rate)})" if value.of else NO_VALUE
