"""Which errors of the VM a model ran into, by level, and how often it got out of them.

Sema's authors read this to see where the language or its documentation loses people.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.record import Record, by_setup
from pytest_sema_bench.records.suite import OTHER, in_order

_MOST_COMMON = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One error class of one model and configuration."""

    error_class: str
    by_level: dict[str, int]
    """Number of errors by level, in tool calls and in grading."""
    n_total: int
    names: tuple[tuple[str, int], ...]
    """The names or forms concerned most often, with their counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTable:
    """The errors of one model in one configuration."""

    setup: Setup
    levels: tuple[str, ...]
    """The levels that errors occurred in, in order."""
    rows: tuple[ErrorRow, ...]
    """Most frequent class first."""
    n_saw_error: int
    """Graded items in which a tool call showed the model an error."""
    n_recovered: int
    """Of those, the ones it got right in the end."""


def make_error_tables(
    records: Iterable[Record], levels: Sequence[str] = ()
) -> tuple[ErrorTable, ...]:
    """A table for each model and configuration, in order of appearance.

    `levels` is their order in the suite, () if that is not known.
    """
    groups = by_setup(records).items()
    return tuple(_table(setup, members, levels) for setup, members in groups)


def _table(setup: Setup, records: list[Record], levels: Sequence[str]) -> ErrorTable:
    by_class: dict[str, Counter[str]] = {}
    names: dict[str, Counter[str]] = {}
    for record in records:
        level = record.level or OTHER
        for error in record.vm_errors:
            by_class.setdefault(error["class"], Counter())[level] += 1
            if error["name"]:
                names.setdefault(error["class"], Counter())[error["name"]] += 1
    rows = [
        ErrorRow(
            error_class=error_class,
            by_level=dict(counts),
            n_total=counts.total(),
            names=tuple(names.get(error_class, Counter()).most_common(_MOST_COMMON)),
        )
        for error_class, counts in by_class.items()
    ]
    repaired = [r for record in records if (r := record.repaired) is not None]
    return ErrorTable(
        setup=setup,
        levels=tuple(in_order((name for row in rows for name in row.by_level), levels)),
        rows=tuple(sorted(rows, key=lambda row: (-row.n_total, row.error_class))),
        n_saw_error=len(repaired),
        n_recovered=sum(repaired),
    )
