"""What CI shows of a run: GitHub's step summary and annotations, properties for JUnit.

Text of models, tasks and files goes into a summary only as a code span, where neither Markdown,
HTML nor a mention has a meaning, and into an annotation with its commands escaped.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache

from pytest_sema_bench.gate.compare import Compared, Comparison, Pair
from pytest_sema_bench.gate.verdict import GateOutcome, GateVerdict
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.text import dollars, p_value, percent, points, printable
from pytest_sema_bench.tables.levels import Row, Table

MAX_SUMMARY_BYTES = 1_000_000
"""GitHub takes 1 MiB a step, and shows nothing of a longer one."""
MAX_ANNOTATIONS = 10
"""GitHub shows no more errors of a step than these."""
_LISTED = 100
_CELL_CHARS = 60
_TEXT_CHARS = 200
_COMMAND = re.compile(r"^(\s*)::|##(?=\[)", re.MULTILINE)
_SIGNS = {
    GateOutcome.REGRESSED: "✗",
    GateOutcome.INCOMPLETE: "?",
    GateOutcome.CANNOT_TELL: "?",
    GateOutcome.NO_EVIDENCE: "✓",
}


class Severity(Enum):
    """How GitHub shows an annotation."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


def summary_markdown(
    title: str,
    tables: Sequence[Table],
    verdict: GateVerdict | None = None,
    compared: Compared | None = None,
) -> str:
    """The text for $GITHUB_STEP_SUMMARY: verdict, a row for each model, what broke and was solved.

    Ends with a line end and is short enough for GitHub.
    """
    lines = [f"## {code_span(title)}", ""]
    if verdict is not None:
        lines += [*_verdict_lines(verdict), ""]
    lines += [*_table_lines(tables), ""]
    for comparison in compared.comparisons if compared else ():
        lines += _comparison_lines(comparison)
    text = "\n".join(lines).rstrip() + "\n"
    return text if len(text.encode()) <= MAX_SUMMARY_BYTES else _cut(lines)


def annotation(
    text: str, *, title: str, path: str, line: int, severity: Severity = Severity.ERROR
) -> str:
    """The workflow command that puts a text beside a line of a file, without a line end.

    `path` is relative to the repository's root. Source of the escapes: docs.github.com, workflow
    commands for GitHub Actions.
    """
    properties = {"file": path, "line": str(line), "title": printable(title)}
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{severity.value} {listed}::{_data(text)}"


def failure_annotation(record: Record, path: str, line: int, *, broken: bool = False) -> str:
    """The annotation for an item that failed; `broken` if it passed in the baseline."""
    name = f"{record.task} [{record.item.label}]"
    what = "newly broken" if broken else "void" if not record.graded else "wrong"
    text = printable(record.reason)
    case = next((case for case in record.cases if not case["pass"]), None)
    if case is not None:
        got = case.get("error") or case["got"] or "nothing"
        text += f"\n{_line(case['call'])} gave {_line(got)}, expected {_line(case['expected'])}"
    elif record.detail:
        text += f"\n{_line(record.detail)}"
    return annotation(text, title=f"{name} {what}", path=path, line=line)


def junit_properties(record: Record) -> tuple[tuple[str, str], ...]:
    """Names and values for JUnit's `properties`; what is not known is left out."""
    values = {
        "outcome": record.outcome,
        "reason": record.reason,
        "score": record.score,
        "level": record.level,
        "category": record.category,
        "model": record.model,
        "config": record.config,
        "sample": record.sample,
        "served_model": record.served_model,
        "provider": record.provider,
        "cost_usd": None if record.cost_usd is None else f"{record.cost_usd:.8f}",
        "prompt_tokens": record.tokens.prompt,
        "cached_tokens": record.tokens.cached,
        "completion_tokens": record.tokens.completion,
        "reasoning_tokens": record.tokens.reasoning,
        "latency_s": record.latency_s,
        "tool_calls": sum(record.tool_calls.values()),
        "vm_errors": ",".join(sorted({str(e["class"]) for e in record.vm_errors})) or None,
        "retries": record.retries,
        "stop": record.stop,
        "vm": record.vm,
        "dialect": record.dialect,
        "grader": record.grader,
        "task_hash": record.task_hash,
        "transcript": record.transcript,
    }
    return tuple(
        _shared_pair(name, str(value)) for name, value in values.items() if value is not None
    )


@lru_cache(maxsize=4096)
def _shared_pair(name: str, value: str) -> tuple[str, str]:
    """One pair for all items that have it: pytest keeps them to the end."""
    return f"sema.{name}", printable(value, width=500)


def code_span(text: str, width: int = _CELL_CHARS) -> str:
    """The text on one line as a code span that nothing in it can end, for table cells too."""
    shown = printable(" ".join(text.split()), width=width) or " "
    # Longer than any run of backticks inside, so that nothing in the text can end the span.
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    # A backtick at an end would lengthen the fence.
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    # GitHub parts the cells of a row before it reads code spans.
    return f"{fence}{blank}{shown}{blank}{fence}".replace("|", "\\|")


def without_commands(text: str) -> str:
    """The text with every workflow command in it made harmless, to be printed in a CI job.

    A runner obeys a line that begins with `::`, blanks before it or not, and `##[` anywhere.
    """
    return _COMMAND.sub(lambda found: f"{found[1] or ''}{'#' if found[1] is None else ':'} ", text)


def _verdict_lines(verdict: GateVerdict) -> Iterator[str]:
    yield f"**{_SIGNS[verdict.outcome]} gate: {verdict.outcome.value}**"
    if verdict.findings:
        yield ""
    for finding in verdict.findings:
        yield f"- {finding.outcome.value}: {code_span(finding.text, _TEXT_CHARS)}"
    falls = [test.smallest_fall for test in verdict.tests if test.smallest_fall is not None]
    if falls:
        yield ""
        yield (
            f"The smallest fall that this could have seen in 80 of 100 runs: "
            f"{100 * max(falls):.0f} points."
        )


def _table_lines(tables: Sequence[Table]) -> Iterator[str]:
    levels = list(dict.fromkeys(row.label for table in tables for row in table.rows[:-1]))
    headers = ["model", "pass rate", "95 %", "passed", *levels, "void", "cost"]
    yield f"| {' | '.join(headers)} |"
    yield f"|---|{'---:|' * (len(headers) - 1)}"
    for table in tables:
        rows = {row.label: row for row in table.rows[:-1]}
        total = table.total
        low, high = total.interval
        cells = [
            code_span(table.setup.name),
            _rate(total),
            f"{100 * low:.0f}–{100 * high:.0f} %" if total.n_graded else "–",
            f"{total.n_pass}/{total.n_graded}",
            *(_rate(rows.get(level)) for level in levels),
            str(total.n_void + total.n_missing),
            "?" if total.cost_usd is None else dollars(total.cost_usd),
        ]
        yield f"| {' | '.join(cells)} |"


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    total, interval, test = comparison.total, comparison.interval, comparison.test
    yield f"### {code_span(comparison.name)}"
    yield ""
    if total is None or interval is None or test is None:
        yield "Not one task can be compared with the baseline."
    else:
        yield (
            f"{percent(total.base)} before, {percent(total.run)} now: {points(total.difference)} "
            f"points ({points(interval[0])} to {points(interval[1])}), p {p_value(test.p_worse)} "
            f"for a fall, {total.n_tasks} tasks."
        )
    yield ""
    single = comparison.single
    for sign, what, pairs in (
        ("✗", "newly broken" if single else "passing less often", comparison.worse),
        ("✓", "newly solved" if single else "passing more often", comparison.better),
    ):
        if pairs:
            yield f"<details><summary>{sign} {len(pairs)} {what}</summary>"
            yield ""
            yield from (_pair_line(pair, single=single) for pair in pairs[:_LISTED])
            if len(pairs) > _LISTED:
                yield f"- and {len(pairs) - _LISTED} more"
            yield ""
            yield "</details>"
            yield ""
    if comparison.left_out:
        yield f"{len(comparison.left_out)} tasks of the baseline are left out."
        yield ""


def _pair_line(pair: Pair, *, single: bool) -> str:
    reasons = pair.run.reasons if pair.difference < 0 else pair.base.reasons
    counts = (
        ""
        if single
        else f" {pair.base.n_pass}/{len(pair.base.graded)} → "
        f"{pair.run.n_pass}/{len(pair.run.graded)}"
    )
    why = f": {'was ' if pair.difference > 0 else ''}{', '.join(map(code_span, reasons))}"
    return f"- {code_span(pair.task)}{counts}{why if reasons else ''}"


def _rate(row: Row | None) -> str:
    return "–" if row is None or row.pass_rate is None else percent(row.pass_rate)


def _line(text: str) -> str:
    return printable(" ".join(str(text).split()), width=_TEXT_CHARS)


def _cut(lines: Sequence[str]) -> str:
    """As many whole lines as fit, and a word on the rest."""
    # 100 bytes are for the line at the end.
    kept, n_bytes = [], 100
    for line in lines:
        n_bytes += len(line.encode()) + 1
        if n_bytes > MAX_SUMMARY_BYTES:
            break
        kept.append(line)
    return "\n".join([*kept, "", "The rest is too long for GitHub; the report has it.", ""])


def _data(text: str) -> str:
    # The percent sign first: the other escapes bring their own.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
