"""What a failed or void item shows: at most fifteen lines, safe to print.

Model text is hostile: control characters and marks that turn the direction of text are shown
as escapes, long lines are cut.
"""

from collections.abc import Iterator
from pathlib import Path

from pytest_sema_bench.records.outcome import Stop
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.text import printable

_ANSWER_LINES = 5


def failure_lines(record: Record, prompt: str, run: Path) -> Iterator[str]:
    """The lines for an item that failed."""
    n_failed = sum(not case["pass"] for case in record.cases)
    detail = f": {record.detail}" if record.detail else ""
    failed = f" ({n_failed} of {len(record.cases)} cases failed)" if n_failed else ""
    yield _line("verdict", f"{record.reason}{detail}{failed}, score {record.score}")
    yield _line("prompt", prompt)
    case = next((case for case in record.cases if not case["pass"]), None)
    if case is not None:
        yield _line("case", case["call"])
        yield _line("expected", case["expected"])
        if case.get("error"):
            yield _line("error", case["error"].splitlines()[0])
        else:
            yield _line("got", "nothing" if case["got"] is None else case["got"])
    answer = [line for line in (record.answer or "").splitlines() if line.strip()]
    label = "answer"
    told = record.stop if record.stop in (Stop.THOUGHT, Stop.REFUSED) else "empty"
    for line in answer[-_ANSWER_LINES:] or [f"({told})"]:
        yield _line(label, line, keep_indent=True)
        label = ""
    calls = ", ".join(f"{name} ×{n}" for name, n in record.tool_calls.items()) or "none"
    yield _line("tools", f"{calls}; {record.rounds} rounds, ended by: {record.stop}")
    yield _transcript_line(record, run)


def void_lines(record: Record, run: Path) -> Iterator[str]:
    """The lines for an item that says nothing about the model."""
    yield f"void: {record.reason}; this is not counted as a wrong answer"
    for line in (record.detail or "").splitlines()[:8]:
        yield printable(line)
    yield _transcript_line(record, run)


def _line(label: str, text: str, *, keep_indent: bool = False) -> str:
    text = text.rstrip() if keep_indent else " ".join(text.split())
    return f"{label:<11}{printable(text)}"


def _transcript_line(record: Record, run: Path) -> str:
    """The path as it is, however long: it is there to be opened."""
    return f"{'transcript':<11}{printable(str(run / (record.transcript or '')), width=4096)}"
