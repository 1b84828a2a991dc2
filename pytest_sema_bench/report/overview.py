"""What the report's overview shows, as values for the template. No markup in here."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from pytest_sema_bench.gate.stats.interval import wilson_interval
from pytest_sema_bench.records.outcome import Outcome, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import OTHER, in_order
from pytest_sema_bench.report.charts import Priced, Scatter, scatter
from pytest_sema_bench.report.runs import Merged, ReportItem
from pytest_sema_bench.tables.levels import Row, Table, make_tables
from pytest_sema_bench.tables.vm_errors import ErrorTable, make_error_tables

T = TypeVar("T")
K = TypeVar("K")

_GLYPHS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.VOID: "∅"}
_MOST_COMMON = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One task with one model: all its samples."""

    state: str
    """`pass`, `fail`, `mixed`, `void` or `missing`: the cell's look."""
    text: str
    """What the cell says without its colour."""
    title: str
    href: str
    rate: float | None
    """Share of graded samples that passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRow:
    """One task with all models."""

    task: str
    cells: tuple[TableCell | None, ...]
    """By model; None where a model was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatBlock:
    """The tasks of one level."""

    label: str
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """One model and configuration in the tables of the overview."""

    name: str
    total: Row
    levels: dict[str, Row]
    cost_per_item_usd: float | None
    cost_per_solved_usd: float | None
    n_paid: int
    """Records that a price is known of."""
    reasons: tuple[tuple[str, int], ...]
    """Why items failed or are void, the most frequent first."""
    n_with_tools: int
    tools: tuple[tuple[str, int], ...]
    n_rounds: int
    n_retries: int
    n_repairs: int
    n_saw_error: int
    n_recovered: int
    recovery: tuple[float, float]
    """95 % interval of the recovered share, in [0, 1]."""
    errors: tuple[tuple[str, int], ...]
    """VM errors by class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """One class of VM errors, over all models."""

    error_class: str
    by_level: tuple[int, ...]
    by_model: tuple[int, ...]
    n_total: int
    names: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of the overview but verdict, comparison and history."""

    models: tuple[ModelLine, ...]
    """Best first."""
    levels: tuple[str, ...]
    heat: tuple[HeatBlock, ...]
    errors: tuple[ErrorLine, ...]
    reasons: tuple[str, ...]
    """All reasons that occur but `right`, the most frequent first."""
    tools: tuple[str, ...]
    scatter: Scatter | None
    n_items: int
    n_samples: int
    """The largest number of samples of a task."""


def make_overview(merged: Merged) -> Overview:
    """The overview of a run."""
    tables = make_tables(merged.records, merged.planned, merged.levels)
    errors = {table.setup: table for table in make_error_tables(merged.records, merged.levels)}
    records = _grouped(merged.records, lambda record: record.setup)
    lines = [
        _model_line(table, records.get(table.setup, []), errors.get(table.setup))
        for table in tables
    ]
    lines.sort(key=lambda line: (-(line.total.pass_rate or 0.0), line.name))
    names = [line.name for line in lines]
    levels = in_order((label for line in lines for label in line.levels), merged.levels)
    return Overview(
        models=tuple(lines),
        levels=tuple(levels),
        heat=_heat(merged.entries, names, levels),
        errors=_error_lines(list(errors.values()), names, levels),
        reasons=_by_frequency(line.reasons for line in lines),
        tools=_by_frequency(line.tools for line in lines),
        scatter=scatter([_priced(line) for line in lines if line.cost_per_item_usd]),
        n_items=len(merged.entries),
        n_samples=max((entry.item.sample for entry in merged.entries), default=0),
    )


def item_href(task: str, label: str) -> str:
    """The address of an item inside the report."""
    return f"#/item/{_quoted(task)}/{_quoted(label)}"


def list_href(**filters: str) -> str:
    """The address of the list of items, filtered."""
    return "#/items?" + "&".join(f"{name}={_quoted(value)}" for name, value in filters.items())


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _model_line(table: Table, records: Sequence[Record], errors: ErrorTable | None) -> ModelLine:
    total = table.total
    cost, n_graded = total.cost_usd, total.n_graded
    n_saw, n_recovered = (errors.n_saw_error, errors.n_recovered) if errors else (0, 0)
    tools = Counter[str]()
    for record in records:
        tools.update(record.tool_calls)
    return ModelLine(
        name=table.setup.name,
        total=total,
        levels={row.label: row for row in table.rows[:-1]},
        cost_per_item_usd=cost / n_graded if cost is not None and n_graded else None,
        cost_per_solved_usd=cost / total.n_pass if cost is not None and total.n_pass else None,
        n_paid=sum(record.cost_usd is not None for record in records),
        reasons=tuple(Counter(r.reason for r in records if not r.passed).most_common()),
        n_with_tools=sum(bool(record.tool_calls) for record in records),
        tools=tuple(tools.most_common()),
        n_rounds=sum(record.rounds for record in records),
        n_retries=sum(record.retries for record in records),
        n_repairs=sum(record.repairs for record in records),
        n_saw_error=n_saw,
        n_recovered=n_recovered,
        recovery=wilson_interval(n_recovered, n_saw),
        errors=tuple((row.error_class, row.n_total) for row in errors.rows) if errors else (),
    )


def _priced(line: ModelLine) -> Priced:
    return Priced(
        name=line.name,
        cost_usd=line.cost_per_item_usd or 0.0,
        rate=line.total.pass_rate or 0.0,
        interval=line.total.interval,
    )


def _heat(
    entries: Sequence[ReportItem], names: Sequence[str], levels: Sequence[str]
) -> tuple[HeatBlock, ...]:
    by_task = _grouped(entries, lambda entry: (entry.planned.level or OTHER, entry.item.task))
    blocks = []
    for level in levels:
        rows = []
        for label, task in sorted(key for key in by_task if key[0] == level):
            by_model = _grouped(by_task[label, task], lambda entry: entry.model)
            cells = tuple(_cell(by_model[n]) if n in by_model else None for n in names)
            rows.append(HeatRow(task=task, cells=cells))
        blocks.append(HeatBlock(label=level, rows=tuple(rows)))
    return tuple(blocks)


def _cell(entries: Sequence[ReportItem]) -> TableCell:
    first = entries[0]
    outcomes = [entry.record.outcome if entry.record else None for entry in entries]
    n_pass = outcomes.count(Outcome.PASS)
    n_graded = n_pass + outcomes.count(Outcome.FAIL)
    reasons = Counter(e.record.reason if e.record else Void.MISSING for e in entries)
    shown = ", ".join(f"{why} ×{n}" if n > 1 else why for why, n in reasons.most_common())
    single = len(entries) == 1
    return TableCell(
        state=_state(outcomes, n_pass, n_graded),
        text=_glyph(outcomes[0]) if single else f"{n_pass}/{n_graded}",
        title=f"{first.item.task}, {first.model}: {shown}",
        href=(
            item_href(first.item.task, first.item.label)
            if single
            else list_href(task=first.item.task, model=first.model)
        ),
        rate=n_pass / n_graded if n_graded else None,
    )


def _state(outcomes: Sequence[Outcome | None], n_pass: int, n_graded: int) -> str:
    if not n_graded:
        return Outcome.VOID if any(outcomes) else "missing"
    if n_pass in (0, n_graded):
        return Outcome.PASS if n_pass else Outcome.FAIL
    return "mixed"


def _glyph(outcome: Outcome | None) -> str:
    return "–" if outcome is None else _GLYPHS[outcome]


def _error_lines(
    tables: Sequence[ErrorTable], names: Sequence[str], levels: Sequence[str]
) -> tuple[ErrorLine, ...]:
    by_level: dict[str, Counter[str]] = defaultdict(Counter)
    by_model: dict[str, Counter[str]] = defaultdict(Counter)
    about: dict[str, Counter[str]] = defaultdict(Counter)
    for table in tables:
        for row in table.rows:
            by_level[row.error_class].update(row.by_level)
            by_model[row.error_class][table.setup.name] += row.n_total
            about[row.error_class].update(dict(row.names))
    lines = [
        ErrorLine(
            error_class=error_class,
            by_level=tuple(counts[level] for level in levels),
            by_model=tuple(by_model[error_class][name] for name in names),
            n_total=counts.total(),
            names=tuple(about[error_class].most_common(_MOST_COMMON)),
        )
        for error_class, counts in by_level.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.n_total, line.error_class)))


def _by_frequency(groups: Iterable[tuple[tuple[str, int], ...]]) -> tuple[str, ...]:
    counts = Counter[str]()
    for group in groups:
        counts.update(dict(group))
    return tuple(name for name, _ in counts.most_common())


def _grouped(values: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups
