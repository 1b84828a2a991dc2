"""The list of runs and the trend of each model as lines of text. Prints nothing."""

from collections.abc import Iterator

from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.report.text import NO_VALUE, percent, safe, tabulated
from pytest_sema_bench.tables.history import History, RunEntry, SetupEntry, sparkline, trends

_HEADERS = ("date", "commit", "model", "tasks", "passed", "rate", "cost $", "gate", "run")
_COMMIT_CHARS = 9


def history_lines(history: History) -> Iterator[str]:
    """A line for each model of each run, then a trend for each model, then what is damaged."""
    rows = [_cells(run, model) for run in history.runs for model in run.models]
    if rows:
        yield from tabulated(_HEADERS, rows, align="lllrrrrll")
        yield ""
        yield from _trend_lines(history)
    else:
        yield "no runs yet; pytest --sema-model=reference makes one without a key"
    for text in history.damaged:
        yield f"skipped, damaged: {safe(text)}"


def _trend_lines(history: History) -> Iterator[str]:
    found = [trend for trend in trends(history.runs) if trend.rates]
    width = max((len(safe(trend.name)) for trend in found), default=0)
    if found:
        yield "pass rate over the runs of the same suite, oldest first (a full block is 100 %)"
    for trend in found:
        line = sparkline(trend.rates)
        yield f"  {safe(trend.name):<{width}}  {line}  now {percent(trend.rates[-1])}"


def _cells(run: RunEntry, model: SetupEntry) -> tuple[str, ...]:
    state = "" if run.state in (None, RunStatus.FINISHED) else f" ({run.state})"
    return (
        safe((run.date or NO_VALUE)[:16].replace("T", " ")),
        safe((run.commit or NO_VALUE)[:_COMMIT_CHARS]),
        safe(model.name),
        str(model.n_tasks),
        f"{model.n_pass}/{model.n_graded}",
        percent(model.rate),
        "?" if model.cost_usd is None else f"{model.cost_usd:.4f}",
        safe(run.gate or NO_VALUE),
        safe(f"{run.folder}{state}"),
    )
