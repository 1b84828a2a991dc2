"""Counting the VM errors that models meet, and how often they recover."""

from dataclasses import replace

from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.summary import error_lines
from pytest_sema_bench.tables.vm_errors import make_error_tables
from tests.samples.record import RECORD


def record(level: str, outcome: str, *errors: tuple[str, str, str | None]) -> Record:
    """A record whose code met these errors: where, class, name."""
    return replace(
        RECORD,
        task=f"{level}-01-some",
        level=level,
        outcome=Outcome(outcome),
        vm_errors=[{"where": w, "class": c, "name": n} for w, c, n in errors],
    )


RECORDS = (
    record("L2", "pass", ("tool", "unbound", "inc"), ("tool", "unbound", "inc")),
    record("L2", "fail", ("tool", "unbound", "conj"), ("grade", "arity", "foldl")),
    record("L4", "fail", ("grade", "arity", "foldl")),
    record("L4", "pass"),
)


def test_errors_are_counted_by_class_and_level() -> None:
    """The most frequent class comes first, with the names it is about."""
    (table,) = make_error_tables(RECORDS)
    first, second = table.rows
    assert (first.error_class, first.by_level, first.n_total) == ("unbound", {"L2": 3}, 3)
    assert first.names == (("inc", 2), ("conj", 1))
    assert (second.error_class, second.by_level) == ("arity", {"L2": 1, "L4": 1})


def test_recovery_counts_items_that_saw_an_error_in_a_tool_call() -> None:
    """An error that only the grader met was never shown to the model."""
    (table,) = make_error_tables(RECORDS)
    assert (table.n_saw_error, table.n_recovered) == (2, 1)


def test_a_void_item_says_nothing_about_recovery() -> None:
    """It saw an error, but how it would have ended is not known."""
    (table,) = make_error_tables([record("L1", "void", ("tool", "type", None))])
    assert table.n_saw_error == 0


def test_the_printed_table_escapes_names_that_the_model_made_up() -> None:
    """A name with an escape sequence, a pipe or a tag cannot break the table or the page."""
    name = "\x1b[31m|<script>"
    tables = make_error_tables([record("L1", "fail", ("grade", "unbound", name))])
    text = "\n".join(error_lines(tables, markdown=True))
    assert "\x1b" not in text
    assert "<script>" not in text
    assert "|‹script" not in text


def test_no_errors_print_nothing() -> None:
    """A run without errors has no second table."""
    assert not list(error_lines(make_error_tables([record("L1", "pass")])))
