"""The per-level tables as lines of text, plain or Markdown."""

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from pytest_sema_bench.report.item_text import printable
from pytest_sema_bench.tables.levels import Row, Searches, Table
from pytest_sema_bench.tables.vm_errors import ErrorTable

_HEADERS = (
    "level",
    "tasks",
    "passed",
    "pass rate",
    "95 % interval",
    "mean score",
    "void",
    "tools/task",
    "tokens",
    "cost $",
    "s/task",
)
_SAMPLED = ("level", "tasks", "runs", *_HEADERS[2:])
_NO_VALUE = "–"
_MANY_TRUNCATED = 0.05
"""Above this share of answers the token limit, not the model, is what was measured."""


def table_lines(tables: Sequence[Table], *, markdown: bool = False) -> Iterator[str]:
    """The lines of all tables, each under its name; with several, a comparison comes last."""
    style = "github" if markdown else "simple"
    for table in tables:
        yield f"### {table.name}" if markdown else table.name
        yield ""
        sampled = any(row.n_runs > row.n_tasks for row in table.rows)
        rows = [_cells(row, sampled=sampled) for row in table.rows]
        headers = _SAMPLED if sampled else _HEADERS
        yield from _tabulate(rows, headers, style)
        yield from _remarks(table.total)
        yield ""
    if len(tables) > 1:
        yield "### Pass rates" if markdown else "pass rates"
        yield ""
        yield from _comparison(tables, style)
        yield ""


def error_lines(tables: Sequence[ErrorTable], *, markdown: bool = False) -> Iterator[str]:
    """The lines of the VM errors of each model; none for a model that met none."""
    style = "github" if markdown else "simple"
    for table in tables:
        if not table.rows:
            continue
        title = f"VM errors of {table.model}-{table.config}, in tool calls and in grading"
        yield f"### {title}" if markdown else title
        yield ""
        levels = sorted({level for row in table.rows for level in row.by_level})
        rows = [
            [
                row.error_class,
                *(str(row.by_level.get(level, 0)) for level in levels),
                str(row.n_total),
                ", ".join(f"{_cell(name)} ×{n}" for name, n in row.names) or _NO_VALUE,
            ]
            for row in table.rows
        ]
        yield from _tabulate(rows, ["error", *levels, "all", "most often about"], style)
        if table.n_saw_error:
            yield (
                f"recovered: {table.n_recovered} of {table.n_saw_error} items in which a tool call "
                "showed an error ended right"
            )
        yield ""


def _cell(text: str) -> str:
    """Model text that may stand in a table cell, plain or Markdown."""
    return printable(text, width=30).replace("|", "¦").replace("`", "'").replace("<", "‹")


def _tabulate(rows: Sequence[Sequence[str]], headers: Sequence[str], style: str) -> list[str]:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(
        rows, headers=headers, tablefmt=style, colalign=align, disable_numparse=True
    ).splitlines()


def _cells(row: Row, *, sampled: bool) -> list[str]:
    low, high = row.interval
    return [
        row.label,
        str(row.n_tasks),
        *([str(row.n_runs)] if sampled else []),
        str(row.n_pass),
        _percent(row.pass_rate),
        f"{100 * low:.0f}–{100 * high:.0f} %" if row.n_graded else _NO_VALUE,
        _number(row.mean_score, 2),
        str(row.n_void),
        _number(row.tool_calls_per_item, 1),
        f"{row.n_tokens:,}",
        _number(row.cost_usd, 4) if row.cost_usd is not None else "?",
        _number(row.seconds_per_item, 2),
    ]


def _remarks(total: Row) -> Iterator[str]:
    """What keeps the rows from adding up, or makes them weaker than they look."""
    of = f"of {total.n_runs}"
    if total.n_missing:
        yield f"missing: {total.n_missing} {of} items have no record; the rates leave them out"
    if total.n_void:
        reasons = ", ".join(f"{reason} ×{n}" for reason, n in total.void_reasons)
        yield (
            f"void: {total.n_void} {of} items say nothing about the model ({reasons}); the rates "
            "leave them out, and --sema-resume asks them again"
        )
    if total.n_truncated:
        yield f"truncated: {total.n_truncated} {of} answers hit the token limit and count as wrong"
        if total.n_truncated > _MANY_TRUNCATED * total.n_graded:
            yield "truncated: that is much; set a higher max_tokens under sampling"
    n_broken = total.n_repaired + total.n_misfits
    if n_broken:
        fit = total.n_tool_calls - n_broken
        yield (
            f"schema accuracy of tool calls: {fit / total.n_tool_calls:.1%} "
            f"({total.n_repaired} repaired, {total.n_misfits} answered with an error)"
        )
    if total.searches.n_searches:
        yield _search_remark(total.searches)


def _search_remark(searches: Searches) -> str:
    fallbacks = f", {searches.n_fallbacks} by words only" if searches.n_fallbacks else ""
    return (
        f"docs_search: {searches.n_searches} searches, {searches.n_empty} empty{fallbacks}; "
        f"{searches.n_used} names that answers use had been found, {searches.n_used_first} of them "
        "first"
    )


def _comparison(tables: Sequence[Table], style: str) -> list[str]:
    labels = list(dict.fromkeys(row.label for table in tables for row in table.rows[:-1]))
    labels.append(tables[0].total.label)
    rows = []
    for label in labels:
        cells = [label]
        for table in tables:
            row = next((row for row in table.rows if row.label == label), None)
            cells.append(_rate(row) if row else _NO_VALUE)
        rows.append(cells)
    return _tabulate(rows, ["level", *(table.name for table in tables)], style)


def _rate(row: Row) -> str:
    if row.pass_rate is None:
        return _NO_VALUE
    return f"{_percent(row.pass_rate)} ({row.n_pass}/{row.n_graded})"


def _percent(rate: float | None) -> str:
    return _NO_VALUE if rate is None else f"{100 * rate:.0f} %"


def _number(value: float | None, digits: int) -> str:
    return _NO_VALUE if value is None else f"{value:.{digits}f}"
