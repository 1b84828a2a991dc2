"""The per-level tables as lines of text, plain or Markdown."""

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from pytest_sema_bench.aggregate import Row, Table
from pytest_sema_bench.report.failure import printable
from pytest_sema_bench.telemetry import ErrorTable

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
    for n, text in (
        (total.n_missing, "missing: {} items have no record; the rates leave them out"),
        (total.n_void, "void: {} items say nothing about the model; the rates leave them out"),
        (total.n_truncated, "truncated: {} answers hit the token limit and count as wrong"),
    ):
        if n:
            yield text.format(f"{n} of {total.n_runs}")


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
