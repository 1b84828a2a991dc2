"""The table as people read it: its cells, its remarks, its forms."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_sema_bench.agent.text_calls import server_flags
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.report.summary import table_lines
from pytest_sema_bench.tables.levels import Row, Searches, Table

ROW = Row(
    label="L1",
    n_tasks=15,
    n_runs=15,
    n_graded=15,
    n_pass=12,
    n_void=0,
    n_missing=0,
    n_truncated=0,
    n_timed_out=0,
    n_thought=0,
    n_refused=0,
    n_offered=15,
    text_forms=(),
    void_reasons=(),
    n_tool_calls=22,
    n_repaired=0,
    n_misfits=0,
    searches=Searches(n_searches=0, n_empty=0, n_fallbacks=0, n_used=0, n_used_first=0),
    pass_rate=0.8,
    interval=(0.548, 0.93),
    mean_score=0.853,
    tool_calls_per_item=1.46,
    n_tokens=12_345,
    cost_usd=0.01234,
    seconds_per_item=2.345,
    waited_per_item=0.0,
)


def table(*rows: Row, model: str = "m") -> Table:
    """A table with these rows and the same numbers for all."""
    return Table(setup=Setup(model, "tools"), rows=(*rows, replace(rows[-1], label="all")))


def cells(lines: Sequence[str], label: str) -> list[str]:
    """The cells of the Markdown row that starts with `label`."""
    (line,) = [line for line in lines if line.startswith(f"| {label} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def markdown(*tables: Table) -> list[str]:
    """The lines for summary.md."""
    return list(table_lines(tables, markdown=True))


def test_a_row_shows_all_that_was_counted() -> None:
    """Cell by cell, under the header that names it."""
    lines = markdown(table(ROW))
    assert dict(zip(cells(lines, "level"), cells(lines, "L1"), strict=True)) == {
        "level": "L1",
        "tasks": "15",
        "passed": "12",
        "pass rate": "80 %",
        "95 % interval": "55–93 %",
        "mean score": "0.85",
        "void": "0",
        "tools/task": "1.5",
        "tokens": "12,345",
        "cost $": "0.0123",
        "s/task": "2.35",
    }


ABSENT: dict[str, tuple[dict[str, Any], str, str]] = {
    "no rate": ({"pass_rate": None}, "pass rate", "–"),
    "no interval": ({"n_graded": 0}, "95 % interval", "–"),
    "no score": ({"mean_score": None}, "mean score", "–"),
    "no tool calls": ({"tool_calls_per_item": None}, "tools/task", "–"),
    "no time": ({"seconds_per_item": None}, "s/task", "–"),
    "no price": ({"cost_usd": None}, "cost $", "?"),
    "free": ({"cost_usd": 0.0}, "cost $", "0.0000"),
    "nothing passed": ({"pass_rate": 0.0}, "pass rate", "0 %"),
}


@pytest.mark.parametrize(("change", "header", "cell"), ABSENT.values(), ids=ABSENT)
def test_what_is_not_known_is_not_zero(change: dict[str, Any], header: str, cell: str) -> None:
    """A dash for what there is not, a question mark for a cost without a price."""
    lines = markdown(table(replace(ROW, **change)))
    assert dict(zip(cells(lines, "level"), cells(lines, "L1"), strict=True))[header] == cell


def test_what_items_waited_in_our_own_queue_is_said_where_it_is_much() -> None:
    """`s/task` leaves it out, so a run that took long says where the time went."""
    little, much = (markdown(table(replace(ROW, waited_per_item=s))) for s in (0.2, 2.0))
    assert not any(line.startswith("waiting: ") for line in little)
    (line,) = (line for line in much if line.startswith("waiting: "))
    assert line.startswith("waiting: 2.00 s a task in our own queue, which s/task leaves out")


def test_the_table_stands_under_its_name() -> None:
    """A heading in Markdown, the bare name in the terminal."""
    assert markdown(table(ROW))[0] == "### m-tools"
    assert next(table_lines([table(ROW)])) == "m-tools"


def test_the_terminal_gets_the_same_cells() -> None:
    """Only the lines between them differ."""
    plain = next(line for line in table_lines([table(ROW)]) if line.startswith("L1 "))
    assert plain.replace(" %", "%").split() == [
        cell.replace(" %", "%") for cell in cells(markdown(table(ROW)), "L1")
    ]


def test_several_samples_have_a_column_of_runs() -> None:
    """Tasks and runs are told apart as soon as there is more than one run of a task."""
    assert "runs" not in cells(markdown(table(ROW)), "level")
    lines = markdown(table(ROW, replace(ROW, label="L2", n_runs=45)))
    assert cells(lines, "level")[:4] == ["level", "tasks", "runs", "passed"]
    assert cells(lines, "L1")[:4] == ["L1", "15", "15", "12"]
    assert cells(lines, "L2")[:4] == ["L2", "15", "45", "12"]


REMARKS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": (
        {"n_missing": 3},
        "missing: 3 of 15 items have no record; the rates leave them out, and "
        "--sema-resume asks them",
    ),
    "void": (
        {"n_void": 3, "void_reasons": (("budget", 2), ("api error", 1))},
        "void: 3 of 15 items say nothing about the model (budget ×2, api error ×1); the rates "
        "leave them out, and --sema-resume asks them again",
    ),
    "truncated": (
        {"n_truncated": 3},
        "truncated: 3 of 15 answers hit the token limit and count as wrong",
    ),
    "much truncated": (
        {"n_truncated": 3},
        "truncated: that is much; set a higher max_tokens under sampling",
    ),
    "time": (
        {"n_timed_out": 2},
        "time: 2 of 15 answers ran out of time and count as wrong",
    ),
    "a version that is new": (
        {"unproven": ("2.1.0",)},
        "Sema 2.1.0: nobody has proven the suite on this version (1.36.0 and 2.0.0 are); "
        "`sema-bench tasks check --sema-vm=…` does",
    ),
    "reasoning only": (
        {"n_thought": 2},
        "no answer: 2 of 15 hold reasoning only ×2, and count as wrong",
    ),
    "calls as text": (
        {"text_forms": (("kimi", 3),)},
        "tool calls arrived as text (kimi) in 3 of 15 items and were read from it; a server with a "
        f"tool parser hands them on: {server_flags('kimi')}",
    ),
    "no calls": (
        {"n_tool_calls": 0},
        "tools: offered in 15 items and never called; if that is not like the model, `sema-bench "
        "models check NAME` tells whether its server passes them on",
    ),
    "searches": (
        {"searches": Searches(n_searches=9, n_empty=2, n_fallbacks=1, n_used=5, n_used_first=3)},
        "docs_search: 9 searches, 2 empty, 1 by words only; 5 names that answers use had been "
        "found, 3 of them first",
    ),
    "several samples": (
        {"n_tries": 3, "pass_at_k": 0.8, "pass_hat_k": 0.25},
        "samples: of 3 tries at a task one at least is right in 80 % (pass@3), all are in 25 % "
        "(pass^3)",
    ),
    "calls that do not fit": (
        {"n_tool_calls": 40, "n_repaired": 2, "n_misfits": 1},
        "schema accuracy of tool calls: 92.5% (2 repaired, 1 answered with an error)",
    ),
}


@pytest.mark.parametrize(("change", "remark"), REMARKS.values(), ids=REMARKS)
def test_what_keeps_the_rows_from_adding_up_is_said(change: dict[str, Any], remark: str) -> None:
    """Once per table, and only where there is something to say."""
    assert markdown(table(replace(ROW, **change))).count(remark) == 1
    assert remark not in markdown(table(ROW))


def test_several_tables_end_in_a_comparison() -> None:
    """Models as rows, however many, levels as columns; what a model did not do has a dash."""
    first = table(ROW, replace(ROW, label="L2", pass_rate=0.2, n_pass=3), model="a")
    second = table(replace(ROW, pass_rate=None, n_pass=0, n_graded=0), model="b")
    lines = markdown(first, second)
    comparison = lines[lines.index("### Pass rates") :]
    assert cells(comparison, "model") == ["model", "L1", "L2", "all"]
    assert cells(comparison, "a-tools") == ["a-tools", "80 % (12/15)", "20 % (3/15)", "20 % (3/15)"]
    assert cells(comparison, "b-tools") == ["b-tools", "–", "–", "–"]


def test_one_table_is_not_compared() -> None:
    """There is nothing to compare it with."""
    assert "### Pass rates" not in markdown(table(ROW))
    assert "pass rates" not in list(table_lines([table(ROW)]))


def test_no_tables_make_no_lines() -> None:
    """A run without items prints nothing."""
    assert list(table_lines([])) == []
