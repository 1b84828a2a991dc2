"""Ground truths as rows of data sets hold them."""

import json
from typing import Any

import pytest

from pytest_sema_bench.reward.truth import (
    ProgramTruth,
    TaskTruth,
    TruthError,
    read_truth,
    row_truth,
)
from pytest_sema_bench.suite.task import GradeKind

FORMS: dict[str, tuple[dict[str, Any], TaskTruth | ProgramTruth]] = {
    "task": ({"task": "L1-01"}, TaskTruth(task="L1-01")),
    "task-of-suite": ({"suite": "core", "task": "a"}, TaskTruth(task="a", suite="core")),
    "columns-of-a-table": (
        {"suite": None, "task": None, "program": "(f)", "value": "1", "output": None},
        ProgramTruth(program="(f)", value="1"),
    ),
    "prints-nothing": ({"output": ""}, ProgramTruth(output=())),
    "prints-text": ({"output": "a\nb\n"}, ProgramTruth(output=("a", "b"))),
    "prints-lines": ({"value": "1", "output": ["a"]}, ProgramTruth(value="1", output=("a",))),
}
BAD: dict[str, tuple[object, str]] = {
    "number": (5, "found 5"),
    "no-json": ("{", "which is no JSON"),
    "nothing-known": ({"x": 1}, "the keys 'x'"),
    "nothing": ({}, "the keys none"),
    "program-alone": ({"program": "(f)"}, "'program'"),
    "value-is-a-number": ({"value": 3}, "value is 3; expected a text"),
    "unreadable-value": ({"value": "(1"}, "value '(1' is no Sema"),
    "two-values": ({"value": "1 2"}, "not one printed value"),
    "unreadable-program": ({"program": "(f", "value": "1"}, "program '(f' is no Sema"),
    "output-is-a-number": ({"output": 3}, "output is 3"),
}


@pytest.mark.parametrize(("content", "expected"), FORMS.values(), ids=[*FORMS])
def test_a_truth_is_an_object_or_its_json(content: dict[str, Any], expected: object) -> None:
    """Both forms say the same, and null is as good as absent."""
    assert read_truth(content) == read_truth(json.dumps(content)) == expected


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=[*BAD])
def test_what_is_no_truth_is_refused(content: object, message: str) -> None:
    """The error says what was found."""
    with pytest.raises(TruthError) as caught:
        read_truth(content)
    assert message in str(caught.value)


def test_a_row_names_its_task_in_a_column() -> None:
    """`ground_truth` comes first, then `task`, then `id`; a null is passed over."""
    columns = {"ground_truth": [None, '{"value": "1"}'], "task": [None, "b"], "id": ["a", "c"]}
    assert row_truth(columns, 0) == TaskTruth(task="a")
    assert row_truth(columns, 1) == ProgramTruth(value="1")


@pytest.mark.parametrize("columns", [{}, {"task": [None]}, {"ground_truth": ["{"]}])
def test_a_bad_row_is_named(columns: dict[str, Any]) -> None:
    """The error says which row of the batch it is."""
    with pytest.raises(TruthError, match="row 0 of the batch"):
        row_truth(columns, 0)


def test_a_truth_becomes_a_task_of_its_kind() -> None:
    """A program is called, its forms as one; without one the answer's own value counts."""
    called = ProgramTruth(program="(define a 1) (f a) ; so", value="(1 2)").as_task()
    (case,) = called.cases
    assert (called.kind, case.call) == (
        GradeKind.PROGRAM,
        "(begin\n(define a 1) (f a) ; so\n)",
    )
    assert case.equals == ("(quote (1 2)\n)",)
    own = ProgramTruth(value="1").as_task()
    assert (own.kind, own.cases[0].call) == (GradeKind.EXPRESSION, None)
    assert called.task_hash != own.task_hash
