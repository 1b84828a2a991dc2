"""The gate's verdict and acceptance bars as lines of text, plain or Markdown. Prints nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from pytest_sema_bench.gate.bars import BarVerdict
from pytest_sema_bench.gate.compare import Compared
from pytest_sema_bench.gate.policy import Judge, Judgement
from pytest_sema_bench.gate.task_results import Results
from pytest_sema_bench.gate.verdict import GateOutcome, GateVerdict, ModelVerdict
from pytest_sema_bench.report.compare import changed_lines
from pytest_sema_bench.report.text import NO_VALUE, counted, p_value, safe, tabulated

_MEANING = {
    GateOutcome.REGRESSED: "it got worse",
    GateOutcome.INCOMPLETE: "the run did not get to its end, so it is not judged",
    GateOutcome.CANNOT_TELL: "there is too little in common to judge",
    GateOutcome.NO_EVIDENCE: "nothing says that it got worse",
}
_BAR_HEADERS = ("bar", "model", "tasks", "difference", "95 %", "")
_BARS_MEAN = {
    GateOutcome.REGRESSED: "NOT ACCEPTED: a bar is missed",
    GateOutcome.INCOMPLETE: "INCOMPLETE: the run did not get to its end",
    GateOutcome.CANNOT_TELL: "CANNOT TELL: a bar lies within its interval, or nothing is known",
    GateOutcome.NO_EVIDENCE: "ACCEPTED: every bar is met",
}


def judgement_lines(judge: Judge, judgement: Judgement, *, markdown: bool = False) -> Iterator[str]:
    """The verdict, and how to keep a baseline where there is none yet."""
    path = judge.baseline_path
    first = judge.baseline is None and path is not None
    if not first or judgement.verdict.findings:
        yield from verdict_lines(judgement.verdict, judgement.compared, markdown=markdown)
    if first and path is not None and judgement.run.is_graded:
        yield from baseline_hint(judgement.run, path)


def baseline_hint(results: Results, path: Path) -> Iterator[str]:
    """Lines for a first run without a baseline: what would be kept, and the command for it."""
    for group in results.groups:
        graded = sum(len(task.graded) for task in group.tasks)
        passed = sum(task.n_pass for task in group.tasks)
        yield f"{group.name}: {passed} of {graded} passed, {len(group.tasks)} tasks"
    yield f"There is no baseline {path} yet, so this run was compared with nothing. To keep it:"
    yield f"  sema-bench baseline save {quote(results.source)} -o {quote(str(path))}"


def verdict_lines(
    verdict: GateVerdict, compared: Compared | None = None, *, markdown: bool = False
) -> Iterator[str]:
    """The verdict, its reasons, what broke, and what this comparison could have seen."""
    outcome = verdict.outcome
    head = f"gate: {outcome.value.upper()}: {_MEANING[outcome]} (exit status {outcome.exit_status})"
    yield f"**{head}**" if markdown else head
    if compared is not None and compared.meant:
        yield ""
        yield f"across {safe(compared.meant)}"
    yield ""
    for finding in verdict.findings:
        yield f"- {finding.outcome.value}: {safe(finding.text)}"
    if verdict.findings:
        yield ""
    for index, test in enumerate(verdict.tests):
        if compared is not None and test.fired:
            yield from changed_lines(compared.comparisons[index], markdown=markdown)
        for line in _test_lines(test, verdict):
            yield f"{'' if line.startswith(' ') else '- '}{line}" if markdown else line
        yield ""


def _test_lines(test: ModelVerdict, verdict: GateVerdict) -> Iterator[str]:
    name = safe(test.name)
    if test.p is None:
        return
    if test.p_adjusted is None:
        p = f"p {p_value(test.p)}, which counts for nothing at this coverage"
    elif len(verdict.tests) > 1:
        p = f"p {p_value(test.p)}, {p_value(test.p_adjusted)[2:]} after Holm"
    else:
        p = f"p {p_value(test.p)}"
    yield f"{name}: {p}; the gate fires at {verdict.alpha:g} or less"
    if test.taken_back:
        yield "  the test fired, but further runs of the broken tasks did not confirm it"
    if test.n_to_fire is not None:
        yield f"  to fire, {test.n_to_fire} tasks had to be newly broken, given those newly solved"
    yield f"  {_seen(test)}"
    yield f"  {_needed(test)}"


def _seen(test: ModelVerdict) -> str:
    if test.smallest_fall is None:
        return "no fall of the pass rate is seen in 80 of 100 runs"
    return (
        f"the smallest fall that {test.n_tasks} such tasks show in 80 of 100 runs: "
        f"{100 * test.smallest_fall:.0f} points of the pass rate"
    )


def _needed(test: ModelVerdict) -> str:
    if test.samples_for_ten is None:
        return "a fall of ten points is out of reach, even with twenty samples of each task"
    samples = counted(test.samples_for_ten, "sample")
    return f"to see a fall of ten points: {samples} of each task, in the baseline and in the run"


def bar_lines(
    verdicts: Sequence[BarVerdict], outcome: GateOutcome, *, markdown: bool = False
) -> Iterator[str]:
    """The decision, then each bar with its difference, its interval and what it came to."""
    head = f"bars: {_BARS_MEAN[outcome]} (exit status {outcome.exit_status})"
    yield f"**{head}**" if markdown else head
    yield ""
    yield from tabulated(_BAR_HEADERS, map(_cells, verdicts), markdown=markdown)
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
