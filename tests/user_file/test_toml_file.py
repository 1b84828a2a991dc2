"""TOML with lines: the table of a file that others write into as well."""

from pathlib import Path

import pytest

from pytest_sema_bench.errors import FileError
from pytest_sema_bench.user_file import read_toml

TEXT = """\
[project]
name = "x"

[tool.sema-bench]
samples = 3
classifiers = [
  "a = b",
  ["c"],
]
docs.timeout = inf # for ever

[tool . "sema-bench".models."a.b"]
id = "i"
price = {input = 1, date = 2026-01-31}
"""

LINES = {
    "a key": (["samples"], 5),
    "a dotted key": (["docs", "timeout"], 10),
    "a table that a dotted key makes": (["docs"], 10),
    "a table with a name in quotes": (["models", "a.b"], 12),
    "a key of it": (["models", "a.b", "id"], 13),
    "inside of a table on one line": (["models", "a.b", "price", "input"], 14),
    "what is not there": (["gate"], 4),
}


@pytest.mark.parametrize(("where", "line"), LINES.values(), ids=LINES)
def test_every_key_has_its_line(where: list[str], line: int, tmp_path: Path) -> None:
    """Of what stands deeper, or is missing, that of the table or key which would hold it."""
    (tmp_path / "pyproject.toml").write_text(TEXT)
    table = read_toml(tmp_path / "pyproject.toml").part("tool", "sema-bench")
    assert table.line(where) == line


def test_a_part_is_the_table_in_a_place(tmp_path: Path) -> None:
    """Dates are text; what is no finite number is text too, so that no schema takes it."""
    path = tmp_path / "pyproject.toml"
    path.write_text(TEXT)
    table = read_toml(path).part("tool", "sema-bench")
    assert table.only("docs").data == {"docs": {"timeout": "inf"}}
    assert table.part("models", "a.b", "price").data == {"input": 1, "date": "2026-01-31"}
    assert table.part("models", "c").data == {}
    with pytest.raises(FileError, match=r":5: tool\.sema-bench\.samples: found 3, expected a tab"):
        table.part("samples", "x")


def test_no_file_is_an_empty_table(tmp_path: Path) -> None:
    """A project need not have one."""
    assert read_toml(tmp_path / "pyproject.toml").part("tool", "sema-bench").data == {}


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb =\n", 2), ("a = 1\na = 2\n", 2)])
def test_a_broken_file_has_a_line(text: str, line: int, tmp_path: Path) -> None:
    """The one that Python's reader names."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(FileError, match="not TOML") as caught:
        read_toml(tmp_path / "pyproject.toml")
    assert caught.value.line == line
