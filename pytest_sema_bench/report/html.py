"""The report: one HTML file with everything in it, which opens from disk and asks for nothing.

What the template is given is escaped by Jinja2; before that, characters that do not show or
that turn the direction of text are written out, as ‹U+202E›. The scripts of the page are
allowed by their hash, and nothing else is.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FunctionLoader
from markupsafe import Markup

from pytest_sema_bench import __version__
from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.compare import Compared, Comparison
from pytest_sema_bench.gate.verdict import GateVerdict
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.report.charts import line_points
from pytest_sema_bench.report.failures import failure_grids
from pytest_sema_bench.report.ladder import arms_grid, effect_sentence
from pytest_sema_bench.report.overview import Overview, item_href, list_href, make_overview
from pytest_sema_bench.report.payload import conversations, item_index, pack
from pytest_sema_bench.report.runs import Merged
from pytest_sema_bench.report.text import dollars, p_value, percent, points
from pytest_sema_bench.tables.history import RunEntry, read_history, trends
from pytest_sema_bench.tables.ladder import make_ladders

_TEMPLATES = files("pytest_sema_bench.report") / "templates"
_SCRIPTS = ("text.js", "data.js", "items.js", "item.js", "main.js")
_NO_BREAK = "\u00a0"
_HARMLESS = frozenset("\n\t" + _NO_BREAK)
_LATEST_RUNS = 20
_MOST_RUNS_READ = 60
"""With more runs beside it the report leaves history to `sema-bench history`: it takes long."""
_SIMULATIONS = 300
"""Enough for whole points; the gate, which decides, takes more."""


def write_report(
    merged: Merged,
    path: Path,
    *,
    verdict: GateVerdict | None = None,
    compared: Compared | None = None,
) -> None:
    """Write the report on a run. Raises BenchError if the file cannot be written."""
    try:
        with whole_file(path, "backslashreplace") as file:
            file.writelines(_chunks(merged, verdict, compared))
    except OSError as error:
        raise BenchError(f"the report cannot be written to {path}: {error.strerror}") from error


def visible(value: Any) -> Any:
    """Text with what does not show, or turns other text around, written out; else the value."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        char if char.isprintable() or char in _HARMLESS else f"‹U+{ord(char):04X}›"
        for char in value
    )


def _chunks(
    merged: Merged, verdict: GateVerdict | None, compared: Compared | None
) -> Iterator[str]:
    """The page, bit by bit: no conversation stays in memory."""
    overview = make_overview(merged)
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    shared: dict[str, int] = {}
    tests = {test.name: test for test in verdict.tests} if verdict else {}
    context = {
        "version": __version__,
        "style": Markup(_asset("report.css")),  # noqa: S704 - our own file
        "script": Markup(script),  # noqa: S704 - our own files
        "script_hash": Markup(_csp_hash(script)),  # noqa: S704 - letters of base64
        "merged": merged,
        "overview": overview,
        "verdict": verdict,
        "compared": compared,
        "comparisons": _ranked(compared, overview),
        "single": compared is None or all(c.single for c in compared.comparisons),
        "tests": tests,
        "sights": [t.smallest_fall for t in tests.values() if t.smallest_fall is not None],
        "needed": max((t.samples_for_ten or 0 for t in tests.values()), default=0),
        "history": _history(merged),
        "sight": None if verdict else _sight(overview),
        "ladders": (ladders := make_ladders(merged.records)),
        "arms": [arms_grid(ladders)] if len(ladders) > 1 else [],
        "failures": failure_grids(merged.records),
        "effect_sentence": effect_sentence,
        "index": item_index(merged.entries),
        "conversations": map(Markup, conversations(merged.entries, shared)),
        "shared": lambda: Markup(pack(list(shared))),  # noqa: S704 - letters of base64
    }
    yield from _environment().get_template("report.html.j2").generate(context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset),
        bytecode_cache=_compiled(),
        autoescape=True,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": lambda rate: percent(rate).replace(" ", _NO_BREAK),
        "points": lambda difference: points(difference).replace("-", "−"),
        "p_value": p_value,
        "dollars": dollars,
        "moment": _moment,
        "line_points": line_points,
        "item_href": item_href,
        "items_of": dict,
    }
    environment.globals |= {"list_href": list_href}
    return environment


def _compiled() -> FileSystemBytecodeCache | None:
    """Where compiled templates are kept: to compile them takes half the time of a small report."""
    folder = cache_folder() / f"report-{__version__}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return FileSystemBytecodeCache(str(folder))


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


def _csp_hash(script: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _moment(text: str | None) -> str:
    """An ISO 8601 moment without its seconds; as it is if it is none."""
    try:
        return datetime.fromisoformat(text or "").strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text or ""


def _ranked(compared: Compared | None, overview: Overview) -> list[Comparison]:
    """The comparisons in the order of the other tables."""
    ranks = {model.name: rank for rank, model in enumerate(overview.models)}
    comparisons = compared.comparisons if compared else ()
    return sorted(comparisons, key=lambda comparison: ranks.get(comparison.name, len(ranks)))


def _sight(overview: Overview) -> float | None:
    """The fall of the leading model's pass rate that an equal run would show in 80 of 100."""
    if not overview.models or not overview.models[0].total.n_graded:
        return None
    # NumPy is slow to import, and a report with a verdict has no use for it.
    from pytest_sema_bench.gate.power import Design, smallest_fall

    total = overview.models[0].total
    # Rounded as the gate does it, so that rates that are alike share a simulation.
    rate = round(20 * (total.pass_rate or 0.0)) / 20
    n_samples = overview.n_samples
    design = Design(n_tasks=total.n_tasks, n_base=n_samples, n_run=n_samples, rate=rate)
    return smallest_fall(design, n=_SIMULATIONS)


def _history(merged: Merged) -> dict[str, Any] | None:
    """The runs that stand beside this one, and each model's trend; None without any other."""
    mine = {run.path.resolve() for run in merged.runs}
    folders = {path.parent for path in mine}
    if len(folders) != 1:
        return None
    (folder,) = folders
    n_beside = sum(path.parent not in mine for path in folder.glob("*/run.json"))
    if not 0 < n_beside <= _MOST_RUNS_READ:
        return None
    runs = _earlier(read_history(folder).runs, mine)
    if len(runs) < 2:
        return None
    return {
        "runs": [(run, Path(run.folder) in mine) for run in runs[-_LATEST_RUNS:]],
        "trends": [trend for trend in trends(runs) if len(trend.rates) > 1],
        "n_left_out": max(0, len(runs) - _LATEST_RUNS),
    }


def _earlier(runs: Sequence[RunEntry], mine: set[Path]) -> Sequence[RunEntry]:
    """Runs of the same suite up to the latest of these."""
    these = [run for run in runs if Path(run.folder) in mine]
    suites = {run.suite for run in these}
    latest = max((run.date or "" for run in these), default="")
    return [run for run in runs if run.suite in suites and (run.date or "") <= latest]
