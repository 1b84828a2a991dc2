"""What a failed or void item shows in at most fifteen lines, and a conversation in full.

Both are safe to print. Model text is hostile: control characters and marks that turn the direction
of text are shown as escapes; in what fails, long lines are cut.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_sema_bench.records.outcome import Stop
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import message_text
from pytest_sema_bench.report.text import printable

_ANSWER_LINES = 5
_ESCAPED_CHARS = 10
"""As many as the longest escape of a character: no line of a conversation is cut."""


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
    """The command as it is, however long: it is there to be called."""
    command = f"sema-bench transcript {shlex.quote(str(run))} {shlex.quote(record.item.file)}"
    return f"{'transcript':<11}{printable(command, width=4096)}"


def talk_lines(talk: Mapping[str, Any]) -> Iterator[str]:
    """A conversation to read: who said what, tool calls with their arguments."""
    for message in talk["messages"]:
        said = message if isinstance(message, dict) else {"content": str(message)}
        yield ""
        yield f"--- {printable(str(said.get('role')))}"
        if isinstance(thought := said.get("reasoning_content") or said.get("reasoning"), str):
            yield from _text_lines(thought, "| ")
        yield from _text_lines(message_text(said))
        for call in said.get("tool_calls") or ():
            yield from _call_lines(call)
    yield from _text_lines(str(talk.get("traceback", "")))


def _call_lines(call: Any) -> Iterator[str]:
    """Code in the arguments line by line; what is no call of a function as it is."""
    try:
        name, text = call["function"]["name"], call["function"]["arguments"]
        arguments = json.loads(text).items()
    except (ValueError, TypeError, KeyError, AttributeError):
        yield from _text_lines(json.dumps(call, ensure_ascii=False), "-> ")
        return
    yield f"-> {printable(str(name))}"
    for argument, value in arguments:
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield from _text_lines(f"{argument}: {shown}", "   ")


def _text_lines(text: str, start: str = "") -> Iterator[str]:
    for line in text.splitlines():
        yield f"{start}{printable(line, width=len(text) * _ESCAPED_CHARS)}"
