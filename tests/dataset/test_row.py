"""Rows and the files that hold them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.dataset.row import Row, RowError, Source, read_rows, write_rows
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.sema.vm import ErrorClass

SUM = Row(
    source=Source.EXTRACT,
    licence="MIT",
    family="tests/eval_test.rs",
    code="(+ 1 2)",
    value="3",
    vm="2.0.0",
    tags=("value",),
)
TRACE = replace(
    SUM,
    source=Source.TRACES,
    prompt="Divide.",
    value=None,
    output=("line \u2028 one", ""),
    error=RowError(kind=ErrorClass.UNBOUND, message="Unbound variable: \ud800"),
    messages=({"role": "user", "content": "Divide."}, {"role": "assistant", "weight": 0}),
    tools=({"type": "function", "function": {"name": "eval_code"}},),
    dispreferred=({"role": "assistant", "content": "no"},),
)
LINE = json.loads(SUM.to_json())
BROKEN = {
    "no JSON": ('{"source": "docs"', "not JSON"),
    "no UTF-8": (b"\xff", "not JSON"),
    "a list": ("[1]", "found [1], expected a table"),
    "an empty key": (json.dumps({**LINE, "code": None}), "'code' is missing"),
    "no code at all": (
        json.dumps({key: value for key, value in LINE.items() if key != "code"}),
        "'code' is missing",
    ),
    "a wrong type": (json.dumps({**LINE, "value": 3}), "value: found 3, expected text"),
    "an unknown key": (json.dumps({**LINE, "licens": "MIT"}), "did you mean 'licence'?"),
    "an unknown source": (json.dumps({**LINE, "source": "web"}), "source: found 'web'"),
    "a weight between": (
        json.dumps({**LINE, "messages": [{"role": "assistant", "weight": 0.5}]}),
        "messages[0].weight: found 0.5, expected 0 or 1",
    ),
    "an unknown class of error": (
        json.dumps({**LINE, "error": {"class": "bad", "message": "m"}}),
        "error.class: found 'bad'",
    ),
}


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Writing and reading changes no row, half a character and a line separator included."""
    write_rows(tmp_path / "rows.jsonl", [SUM, TRACE])
    assert read_rows(tmp_path / "rows.jsonl") == [SUM, TRACE]


def test_an_id_depends_on_source_and_code_only(tmp_path: Path) -> None:
    """Tags, value and prompt may change without a new id; source, code and conversation may not."""
    assert replace(SUM, tags=(), value="4", vm="1.36.0", prompt="Add.").id == SUM.id
    others = [replace(SUM, code="(+ 1 3)"), replace(SUM, source=Source.DOCS), TRACE]
    assert len({row.id for row in [SUM, *others]}) == 4


@pytest.mark.parametrize(("line", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_told_with_its_number(
    line: str | bytes, told: str, tmp_path: Path
) -> None:
    """A line that is no row raises the user's error with file, line, what is there and expected."""
    path = tmp_path / "rows.jsonl"
    broken = line.encode() if isinstance(line, str) else line
    path.write_bytes(SUM.to_json().encode() + b"\n\n" + broken + b"\n")
    with pytest.raises(FileError) as caught:
        read_rows(path)
    assert caught.value.line == 3
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_the_users_error(tmp_path: Path) -> None:
    """A missing file is named, without a traceback of Python's."""
    with pytest.raises(FileError, match=r"rows\.jsonl:1: cannot be read: No such file"):
        read_rows(tmp_path / "rows.jsonl")
