"""The per-level tables as lines of text, plain or Markdown."""

from collections.abc import Iterator, Sequence

from pytest_sema_bench.agent.text_calls import server_flags
from pytest_sema_bench.report.text import (
    NO_VALUE,
    number,
    percent,
    percent_interval,
    safe,
    tabulated,
)
from pytest_sema_bench.sema.versions import PROVEN
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
_MUCH_WAITING = 0.1
"""Above this share of the conversations' time it is said what items waited."""
_MANY_TRUNCATED = 0.05
"""Above this share of answers the token limit, not the model, is what was measured."""


def table_lines(tables: Sequence[Table], *, markdown: bool = False) -> Iterator[str]:
    """The lines of all tables, each under its name; with several, a comparison comes last."""
    for table in tables:
        yield f"### {table.setup.name}" if markdown else table.setup.name
        yield ""
        sampled = any(row.n_runs > row.n_tasks for row in table.rows)
        rows = [_cells(row, sampled=sampled) for row in table.rows]
        headers = _SAMPLED if sampled else _HEADERS
        yield from tabulated(headers, rows, markdown=markdown)
        remarks = list(_remarks(table.total))
        if remarks and markdown:  # else they would be further rows of the table
            yield ""
        yield from remarks
        yield ""
    if len(tables) > 1:
        yield "### Pass rates" if markdown else "pass rates"
        yield ""
        yield from _comparison(tables, markdown=markdown)
        yield ""


def error_lines(tables: Sequence[ErrorTable], *, markdown: bool = False) -> Iterator[str]:
    """The lines of the VM errors of each model; none for a model that met none."""
    for table in tables:
        if not table.rows:
            continue
        title = f"VM errors of {table.setup.name}, in tool calls and in grading"
        yield f"### {title}" if markdown else title
        yield ""
        rows = [
            [
                row.error_class,
                *(str(row.by_level.get(level, 0)) for level in table.levels),
                str(row.n_total),
                ", ".join(f"{safe(name, width=30)} ×{n}" for name, n in row.names) or NO_VALUE,
            ]
            for row in table.rows
        ]
        headers = ["error", *table.levels, "all", "most often about"]
        yield from tabulated(headers, rows, markdown=markdown)
        if table.n_saw_error:
            if markdown:  # else it would be another row of the table
                yield ""
            yield (
                f"recovered: {table.n_recovered} of {table.n_saw_error} items in which a tool call "
                "showed an error ended right"
            )
        yield ""


def _cells(row: Row, *, sampled: bool) -> list[str]:
    return [
        row.label,
        str(row.n_tasks),
        *([str(row.n_runs)] if sampled else []),
        str(row.n_pass),
        percent(row.pass_rate),
        percent_interval(row.interval) if row.n_graded else NO_VALUE,
        number(row.mean_score, 2),
        str(row.n_void),
        number(row.tool_calls_per_item, 1),
        f"{row.n_tokens:,}",
        number(row.cost_usd, 4) if row.cost_usd is not None else "?",
        number(row.seconds_per_item, 2),
    ]


def _remarks(total: Row) -> Iterator[str]:
    """What keeps the rows from adding up, or makes them weaker than they look."""
    of = f"of {total.n_runs}"
    for dialect in total.dialects:
        yield f"dialect: answers are in the dialect {dialect} and not in plain Sema"
    if total.pass_at_k is not None:
        yield (
            f"samples: of {total.n_tries} tries at a task one at least is right in "
            f"{percent(total.pass_at_k)} (pass@{total.n_tries}), all are in "
            f"{percent(total.pass_hat_k)} (pass^{total.n_tries})"
        )
    if total.n_missing:
        yield (
            f"missing: {total.n_missing} {of} items have no record; the rates leave them out, and "
            "--sema-resume asks them"
        )
    if total.n_void:
        reasons = ", ".join(f"{reason} ×{n}" for reason, n in total.void_reasons)
        yield (
            f"void: {total.n_void} {of} items say nothing about the model ({reasons}); the rates "
            "leave them out, and --sema-resume asks them again"
        )
    if (total.waited_per_item or 0.0) > _MUCH_WAITING * (total.seconds_per_item or 0.0):
        yield (
            f"waiting: {total.waited_per_item:.2f} s a task in our own queue, which s/task leaves "
            "out; the server or the limits in its entry let no more calls through"
        )
    if total.n_truncated:
        yield f"truncated: {total.n_truncated} {of} answers hit the token limit and count as wrong"
        if total.n_truncated > _MANY_TRUNCATED * total.n_graded:
            yield "truncated: that is much; set a higher max_tokens under sampling"
    if total.n_timed_out:
        yield f"time: {total.n_timed_out} {of} answers ran out of time and count as wrong"
    if total.n_thought or total.n_refused:
        kinds = [
            *([f"reasoning only ×{total.n_thought}"] if total.n_thought else []),
            *([f"a refusal ×{total.n_refused}"] if total.n_refused else []),
        ]
        n = total.n_thought + total.n_refused
        yield f"no answer: {n} {of} hold {' or '.join(kinds)}, and count as wrong"
    for form, n in total.text_forms:
        yield (
            f"tool calls arrived as text ({form}) in {n} {of} items and were read from it; a "
            f"server with a tool parser hands them on: {server_flags(form)}"
        )
    if total.n_offered and not total.n_tool_calls:
        yield (
            f"tools: offered in {total.n_offered} items and never called; if that is not like the "
            "model, `sema-bench models check NAME` tells whether its server passes them on"
        )
    n_broken = total.n_repaired + total.n_misfits
    if n_broken:
        fit = total.n_tool_calls - n_broken
        yield (
            f"schema accuracy of tool calls: {fit / total.n_tool_calls:.1%} "
            f"({total.n_repaired} repaired, {total.n_misfits} answered with an error)"
        )
    for version in total.unproven:
        yield (
            f"Sema {version}: nobody has proven the suite on this version ({' and '.join(PROVEN)} "
            "are); `sema-bench tasks check --sema-vm=…` does"
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


def _comparison(tables: Sequence[Table], *, markdown: bool) -> Iterator[str]:
    labels = list(dict.fromkeys(row.label for table in tables for row in table.rows[:-1]))
    labels.append(tables[0].total.label)
    rows = []
    for table in tables:
        rates = {row.label: _rate(row) for row in table.rows}
        rows.append([table.setup.name, *(rates.get(label, NO_VALUE) for label in labels)])
    yield from tabulated(["model", *labels], rows, markdown=markdown)


def _rate(row: Row) -> str:
    if row.pass_rate is None:
        return NO_VALUE
    return f"{percent(row.pass_rate)} ({row.n_pass}/{row.n_graded})"
