"""From records to rows: what is counted, what is left out, and that it adds up."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sema_bench.gate.stats.interval import wilson_interval
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.tables.levels import Row, make_tables
from tests.samples.record import RECORD

SCORES = {"pass": 1.0, "fail": 0.3, "void": None}


def record(task: str, outcome: str, *, sample: int = 1, model: str = "m") -> Record:
    """A record of a task like `L2-05`: 10 tokens, 0.5 USD, 2 tool calls, 1.5 s."""
    return replace(
        RECORD,
        task=task,
        level=task[:2] if task[0] == "L" else None,
        model=model,
        sample=sample,
        outcome=Outcome(outcome),
        score=SCORES[outcome],
        tokens=Tokens(prompt=8, completion=2),
        cost_usd=None if outcome == "void" else 0.5,
    )


def rows_of(*records: Record) -> dict[str, Row]:
    """The rows of the only table, by label."""
    (table,) = make_tables(records)
    return {row.label: row for row in table.rows}


def test_levels_come_first_in_order_and_all_last() -> None:
    """One row for each level there is, whatever the order of the records."""
    rows = rows_of(record("L4-01", "pass"), record("L1-01", "fail"), record("L4-02", "fail"))
    assert list(rows) == ["L1", "L4", "all"]
    assert [(row.n_tasks, row.n_graded, row.n_pass) for row in rows.values()] == [
        (1, 1, 0),
        (2, 2, 1),
        (3, 3, 1),
    ]


def test_tasks_without_a_level_come_behind_the_levels() -> None:
    """A user's own tasks need not belong to one."""
    rows = rows_of(record("mine", "pass"), record("L5-01", "fail"))
    assert list(rows) == ["L5", "other", "all"]


def test_shares_are_those_of_graded_items() -> None:
    """Void says nothing about the model: it is counted, but in no rate, score or interval."""
    row = rows_of(
        record("L1-01", "pass"),
        record("L1-02", "pass"),
        record("L1-03", "fail"),
        record("L1-04", "void"),
    )["all"]
    assert (row.n_tasks, row.n_runs, row.n_graded, row.n_pass, row.n_void) == (4, 4, 3, 2, 1)
    assert row.pass_rate == pytest.approx(2 / 3)
    assert row.interval == pytest.approx(wilson_interval(2, 3))
    assert row.mean_score == pytest.approx((1.0 + 1.0 + 0.3) / 3)
    assert (row.tool_calls_per_item, row.seconds_per_item) == (2, 1.5)
    assert (row.n_tokens, row.cost_usd) == (40, 1.5)


def test_without_a_graded_item_shares_are_absent() -> None:
    """Nothing is known, which is not the same as 0 %."""
    row = rows_of(record("L1-01", "void"))["all"]
    assert (row.pass_rate, row.mean_score, row.tool_calls_per_item) == (None, None, None)
    assert row.interval == (0.0, 1.0)


COSTS: dict[str, tuple[list[tuple[str, float | None]], float | None]] = {
    "all known": ([("pass", 0.5), ("fail", 0.25)], 0.75),
    "free": ([("pass", 0.0)], 0.0),
    "one without a price": ([("pass", 0.5), ("fail", None)], None),
    "a void one that was not paid for": ([("pass", 0.5), ("void", None)], 0.5),
    "a void one that was paid for": ([("pass", 0.5), ("void", 0.25)], 0.75),
}


@pytest.mark.parametrize(("items", "total"), COSTS.values(), ids=COSTS)
def test_costs_add_up_where_they_are_known(
    items: list[tuple[str, float | None]], total: float | None
) -> None:
    """What was spent counts, void or not; one unknown price makes the sum unknown."""
    records = [
        replace(record(f"L1-{n}", outcome), cost_usd=cost)
        for n, (outcome, cost) in enumerate(items)
    ]
    assert rows_of(*records)["all"].cost_usd == total


def test_truncated_answers_are_counted() -> None:
    """They are wrong, and the reader is told how many there are."""
    cut = replace(record("L1-01", "fail"), reason=Reason.TRUNCATED)
    assert rows_of(cut, record("L1-02", "fail"))["all"].n_truncated == 1


def test_samples_of_a_task_are_clustered() -> None:
    """Five times the same outcome is one task's evidence, not five."""
    records = [
        record(task, outcome, sample=sample)
        for task, outcome in (("L1-01", "pass"), ("L1-02", "fail"))
        for sample in range(1, 6)
    ]
    row = rows_of(*records)["all"]
    assert (row.n_tasks, row.n_runs, row.n_pass) == (2, 10, 5)
    assert row.interval == pytest.approx(wilson_interval(1, 2))


def test_tries_at_a_task_are_told_as_far_as_each_task_has_verdicts() -> None:
    """One of three right and two of two: of two tries one is right in 2/3 and all are in 1/2."""
    tries = [record("a", "fail", sample=1), record("a", "pass", sample=2)]
    tries += [record("a", "fail", sample=3), record("b", "pass", sample=1)]
    once = rows_of(*tries)["all"]
    assert (once.n_tries, once.pass_at_k, once.pass_hat_k) == (1, None, None)
    row = rows_of(*tries, record("b", "pass", sample=2), record("b", "void", sample=3))["all"]
    assert row.n_tries == 2
    assert (row.pass_at_k, row.pass_hat_k) == pytest.approx(((2 / 3 + 1) / 2, (0 + 1) / 2))
    assert rows_of(*tries[:3], record("b", "void"))["all"].pass_at_k is None


def test_each_model_and_configuration_has_a_table() -> None:
    """In order of appearance, and named as items are."""
    records = [
        record("L1-01", "pass", model="b"),
        record("L1-01", "fail", model="a"),
        replace(record("L1-01", "void", model="b"), config="bare"),
    ]
    tables = make_tables(records)
    assert [table.setup.name for table in tables] == ["b-tools", "a-tools", "b-bare"]
    assert [table.total.n_pass for table in tables] == [1, 0, 0]


def test_what_was_planned_and_has_no_record_is_missing() -> None:
    """Rows add up to what the run set out to do, and follow its order."""
    planned = [PlannedItem.of(record(f"L{n}-01", "pass")) for n in (1, 2, 3)]
    (table,) = make_tables([record("L2-01", "fail")], planned)
    assert [(row.label, row.n_runs, row.n_graded, row.n_missing) for row in table.rows] == [
        ("L1", 1, 0, 1),
        ("L2", 1, 1, 0),
        ("L3", 1, 0, 1),
        ("all", 3, 1, 2),
    ]
    assert table.total.pass_rate == 0.0


def test_no_records_make_no_table() -> None:
    """There is nothing to show."""
    assert make_tables([]) == ()


OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from(["L1-01", "L1-02", "L3-01", "mine"]),
        st.sampled_from(["pass", "fail", "void", "missing"]),
    ),
    min_size=1,
    max_size=40,
)


@given(OUTCOMES)
def test_rows_add_up(outcomes: list[tuple[str, str]]) -> None:
    """Verdicts, void and missing items make up the items; levels make up the whole."""
    records = [
        record(task, outcome if outcome != "missing" else "void", sample=n)
        for n, (task, outcome) in enumerate(outcomes)
    ]
    present = [r for r, (_, outcome) in zip(records, outcomes, strict=True) if outcome != "missing"]
    (table,) = make_tables(present, map(PlannedItem.of, records))
    for row in table.rows:
        assert row.n_graded + row.n_void + row.n_missing == row.n_runs
        assert 0 <= row.n_pass <= row.n_graded
    for name in ("n_tasks", "n_runs", "n_graded", "n_pass", "n_void", "n_missing", "n_tokens"):
        assert sum(getattr(row, name) for row in table.rows[:-1]) == getattr(table.total, name)
    assert table.total.n_runs == len(outcomes)
