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


def _field(name: str, kind: type, meaning: str) -> Column:
    return Column(name=name, type=kind, meaning=meaning, of=attrgetter(name))


COLUMNS = (
    _field("task", str, "the task's id"),
    _field("level", str, "its level"),
    _field("category", str, "its category"),
    _field("model", str, "the model as the run calls it"),
    _field("config", str, "the configuration: tools and prompt"),
    _field("sample", int, "which sample of the question, from 1"),
    Column(
        name="outcome",
        type=str,
        meaning="pass, fail, or void: says nothing of the model",
        of=lambda record: record.outcome.value,
    ),
    Column(
        name="reason",
        type=str,
        meaning="why it failed or is void; right where it passed",
        of=lambda record: record.reason.value,
    ),
    _field("detail", str, "more of the reason: a name, a message"),
    _field("score", float, "1.0 right, 0.3 runs but wrong, 0.0 does not run; empty if void"),
    _field("answer", str, "the final message; empty without one"),
    Column(
        name="cases_passed",
        type=int,
        meaning="hidden cases that passed",
        of=lambda record: sum(bool(case["pass"]) for case in record.cases),
    ),
    Column(
        name="cases",
        type=int,
        meaning="hidden cases that were run",
        of=lambda record: len(record.cases),
    ),
    _field("rounds", int, "replies with tool calls that were answered"),
    Column(
        name="tool_calls",
        type=int,
        meaning="tool calls in all",
        of=lambda record: sum(record.tool_calls.values()),
    ),
    Column(
        name="vm_errors",
        type=str,
        meaning="classes of the VM errors that the model's code met, in order, with blanks between",
        of=lambda record: " ".join(str(error["class"]) for error in record.vm_errors),
    ),
    Column(
        name="repaired",
        type=bool,
        meaning="of items that saw an error in a tool call, whether they were right in the end",
        of=lambda record: record.repaired,
    ),
    _field("stop", str, "how the conversation ended; empty if it was broken off"),
    Column(
        name="prompt_tokens",
        type=int,
        meaning="tokens sent, cached ones included",
        of=lambda record: record.tokens.prompt,
    ),
    Column(
        name="cached_tokens",
        type=int,
        meaning="of those, read from a cache",
        of=lambda record: record.tokens.cached,
    ),
    Column(
        name="completion_tokens",
        type=int,
        meaning="tokens generated, reasoning included",
        of=lambda record: record.tokens.completion,
    ),
    Column(
        name="reasoning_tokens",
        type=int,
        meaning="of those, spent on reasoning",
        of=lambda record: record.tokens.reasoning,
    ),
    _field("cost_usd", float, "US dollars; empty if a price or a usage is unknown"),
    _field("latency_s", float, "seconds of the conversation, without what it waited for us"),
    _field("waited_s", float, "seconds that it waited in our own queue"),
    _field("retries", int, "requests that were sent again"),
    _field("provider", str, "who was asked"),
    _field("served_model", str, "the model that the server says it used"),
    _field("vm", str, "the VM that graded"),
    _field("grader", int, "the grader's version"),
    _field("task_hash", str, "hash of the task's content"),
    _field("key", str, "hash of all that was asked: equal keys are the same question"),
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
