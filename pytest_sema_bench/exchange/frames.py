"""Records as a table for notebooks: CSV, or Parquet with types; a column's meaning is data too."""

import csv
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.whole_file import whole_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, and how a record fills it."""

    name: str
    type: type
    meaning: str
    of: Callable[[Record], Any]


def _column(
    name: str, kind: type, meaning: str, of: str | Callable[[Record], Any] | None = None
) -> Column:
    """A column of the record's field of that name, or of another one, or of what is made of it."""
    made = of if callable(of) else attrgetter(of or name)
    return Column(name=name, type=kind, meaning=meaning, of=made)


COLUMNS = (
    _column("task", str, "the task's id"),
    _column("level", str, "its level"),
    _column("category", str, "its category"),
    _column("model", str, "the model as the run calls it"),
    _column("config", str, "the configuration: tools and prompt"),
    _column("sample", int, "which sample of the question, from 1"),
    _column("outcome", str, "pass, fail, or void: says nothing of the model", "outcome.value"),
    _column("reason", str, "why it failed or is void; right where it passed", "reason.value"),
    _column("detail", str, "more of the reason: a name, a message"),
    _column("score", float, "1.0 right, 0.3 runs but wrong, 0.0 does not run; empty if void"),
    _column("answer", str, "the final message; empty without one"),
    _column(
        *("cases_passed", int, "hidden cases that passed"),
        lambda record: sum(bool(case["pass"]) for case in record.cases),
    ),
    _column("cases", int, "hidden cases that were run", lambda record: len(record.cases)),
    _column("rounds", int, "replies with tool calls that were answered"),
    _column(
        *("tool_calls", int, "tool calls in all"), lambda record: sum(record.tool_calls.values())
    ),
    _column(
        *("vm_errors", str),
        "classes of the VM errors that the model's code met, in order, with blanks between",
        lambda record: " ".join(str(error["class"]) for error in record.vm_errors),
    ),
    _column(
        *("repaired", bool),
        "of items that saw an error in a tool call, whether they were right in the end",
    ),
    _column("stop", str, "how the conversation ended; empty if it was broken off"),
    _column("prompt_tokens", int, "tokens sent, cached ones included", "tokens.prompt"),
    _column("cached_tokens", int, "of those, read from a cache", "tokens.cached"),
    _column("completion_tokens", int, "tokens generated, reasoning included", "tokens.completion"),
    _column("reasoning_tokens", int, "of those, spent on reasoning", "tokens.reasoning"),
    _column("cost_usd", float, "US dollars; empty if a price or a usage is unknown"),
    _column("latency_s", float, "seconds of the conversation, without what it waited for us"),
    _column("waited_s", float, "seconds that it waited in our own queue"),
    _column("retries", int, "requests that were sent again"),
    _column("provider", str, "who was asked"),
    _column("served_model", str, "the model that the server says it used"),
    _column("vm", str, "the VM that graded"),
    _column("grader", int, "the grader's version"),
    _column("task_hash", str, "hash of the task's content"),
    _column("key", str, "hash of all that was asked: equal keys are the same question"),
)


def write_csv(path: Path, records: Sequence[Record]) -> None:
    """Write a line for each record, in UTF-8 as RFC 4180 has it; absent is empty."""
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(column.name for column in COLUMNS)
        writer.writerows([column.of(record) for column in COLUMNS] for record in records)


def write_parquet(path: Path, records: Sequence[Record]) -> None:
    """Write a row for each record, with types; each field's metadata holds its meaning.

    Raises BenchError where pyarrow is missing.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise BenchError('parquet needs pyarrow: pip install "pytest-sema-bench[parquet]"')
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    types[bool] = pyarrow.bool_()
    fields = [
        pyarrow.field(c.name, types[c.type], metadata={"description": c.meaning}) for c in COLUMNS
    ]
    arrays = [
        pyarrow.array([_valid(column.of(r)) for r in records], type=field.type)
        for column, field in zip(COLUMNS, fields, strict=True)
    ]
    table = pyarrow.table(arrays, schema=pyarrow.schema(fields))
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def dictionary() -> str:
    """The columns with types and meanings, as Markdown."""
    rows = [
        f"| `{column.name}` | {column.type.__name__} | {column.meaning} |" for column in COLUMNS
    ]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])


def _valid(value: Any) -> Any:
    """Half a surrogate pair, which a model's answer may hold, is no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
