"""Which errors of the VM a model ran into, by level, and how often it got out of them.

Sema's authors read this to see where the language or its documentation loses people.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_sema_bench.records.record import Record

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

    model: str
    config: str
    rows: tuple[ErrorRow, ...]
    """Most frequent class first."""
    n_saw_error: int
    """Graded items in which a tool call showed the model an error."""
    n_recovered: int
    """Of those, the ones it got right in the end."""


def make_error_tables(records: Iterable[Record]) -> tuple[ErrorTable, ...]:
    """A table for each model and configuration, in order of appearance."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.model, record.config), []).append(record)
    return tuple(_table(model, config, members) for (model, config), members in groups.items())


def _table(model: str, config: str, records: list[Record]) -> ErrorTable:
    by_class: dict[str, Counter[str]] = {}
    names: dict[str, Counter[str]] = {}
    for record in records:
        level = f"L{record.level}" if record.level else "other"
        for error in record.vm_errors:
            by_class.setdefault(error["class"], Counter())[level] += 1
            if error["name"]:
                names.setdefault(error["class"], Counter())[error["name"]] += 1
    rows = [
        ErrorRow(
            error_class=error_class,
            by_level=dict(sorted(levels.items())),
            n_total=levels.total(),
            names=tuple(names.get(error_class, Counter()).most_common(_MOST_COMMON)),
        )
        for error_class, levels in by_class.items()
    ]
    saw = [r for r in records if r.graded and any(map(_by_tool, r.vm_errors))]
    return ErrorTable(
        model=model,
        config=config,
        rows=tuple(sorted(rows, key=lambda row: (-row.n_total, row.error_class))),
        n_saw_error=len(saw),
        n_recovered=sum(record.passed for record in saw),
    )


def _by_tool(error: dict[str, object]) -> bool:
    return error["where"] == "tool"
