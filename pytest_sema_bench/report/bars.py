"""Acceptance bars as lines of text, plain or Markdown. Prints nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pytest_sema_bench.gate.bars import BarVerdict
from pytest_sema_bench.gate.verdict import GateOutcome
from pytest_sema_bench.report.text import NO_VALUE, safe, tabulated

_HEADERS = ("bar", "model", "tasks", "difference", "95 %", "")
_MEANING = {
    GateOutcome.REGRESSED: "NOT ACCEPTED: a bar is missed",
    GateOutcome.INCOMPLETE: "INCOMPLETE: the run did not get to its end",
    GateOutcome.CANNOT_TELL: "CANNOT TELL: a bar lies within its interval, or nothing is known",
    GateOutcome.NO_EVIDENCE: "ACCEPTED: every bar is met",
}


def bar_lines(
    verdicts: Sequence[BarVerdict], outcome: GateOutcome, *, markdown: bool = False
) -> Iterator[str]:
    """The decision, then each bar with its difference, its interval and what it came to."""
    head = f"bars: {_MEANING[outcome]} (exit status {outcome.exit_status})"
    yield f"**{head}**" if markdown else head
    yield ""
    yield from tabulated(_HEADERS, map(_cells, verdicts), markdown=markdown)
    yield ""


def bar_facts(verdicts: Sequence[BarVerdict], outcome: GateOutcome) -> dict[str, Any]:
    """The same for programs."""
    return {
        "exit_status": outcome.exit_status,
        "bars": [
            {**asdict(verdict), "bar": str(verdict.bar), "outcome": verdict.outcome.value}
            for verdict in verdicts
        ],
    }


def _cells(verdict: BarVerdict) -> tuple[str, ...]:
    unit, interval = verdict.bar.metric.unit, verdict.interval
    why = f": {verdict.why}" if verdict.why else ""
    return (
        safe(str(verdict.bar)),
        safe(verdict.name),
        str(verdict.n_tasks),
        NO_VALUE if verdict.difference is None else f"{verdict.difference:+.1f} {unit}",
        NO_VALUE if interval is None else f"{interval[0]:+.1f} to {interval[1]:+.1f}",
        f"{verdict.outcome.value}{safe(why)}",
    )
