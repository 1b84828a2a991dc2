"""YAML as people write it: what it becomes, what is refused, and on which line."""

from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import FileError, TaskError
from pytest_sema_bench.user_file import UserFile, read_yaml


def read(folder: Path, text: str, *, as_text: bool = False) -> UserFile:
    """The file of a text."""
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path, as_text=as_text)


VALUES: dict[str, tuple[str, Any]] = {
    "whole number": ("0x1F", 31),
    "fraction": ("2.5", 2.5),
    "power of ten": ("1e-9", 1e-9),
    "power in quotes": ("'1e-9'", "1e-9"),
    "date": ("2026-01-31", "2026-01-31"),
    "moment": ("2026-01-31 10:00:00", "2026-01-31 10:00:00"),
    "truth": ("true", True),
    "nothing": ("", None),
    "nothing in quotes": ("''", ""),
    "keys are text": ("{1.5: 1, true: 2}", {"1.5": 1, "true": 2}),
    "alias": ("[&x [1], *x, *x]", [[1], [1], [1]]),
    "merge": ("[&x {a: 1, b: 2}, {<<: *x, b: 3}]", [{"a": 1, "b": 2}, {"a": 1, "b": 3}]),
    "merge of two": ("{<<: [{a: 1}, {a: 2, b: 2}]}", {"a": 1, "b": 2}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES.values(), ids=VALUES)
def test_a_value_is_what_json_could_hold(text: str, value: Any, tmp_path: Path) -> None:
    """Numbers are finite, dates and keys are text, aliases and merges are resolved."""
    assert read(tmp_path, f"a: {text}\n").data == {"a": value}


def test_scalars_can_be_taken_as_they_are_written(tmp_path: Path) -> None:
    """As Sema source is: no number, no truth value, but nothing is still nothing."""
    text = "[1, true, 1e400, '', 2026-01-31, ~]\nb:\n"
    data = read(tmp_path, f"a: {text}", as_text=True).data
    assert data == {"a": ["1", "true", "1e400", "", "2026-01-31", "~"], "b": None}


REFUSED = {
    "not a number": ("\n  b: .nan\n", 2, "found .nan, expected a number that is finite"),
    "endless": ("\n  b: -.inf\n", 2, "found -.inf, expected a number that is finite"),
    "too large for a float": ("1e400\n", 1, "found 1e400, expected a number that is finite"),
    "key twice": ("{b: 1,\n  b: 2}\n", 2, "the key 'b' stands here a second time"),
    "key twice beside a merge": ("{<<: {b: 1}, b: 1, b: 2}\n", 1, "the key 'b' stands here"),
    "key of several words": ("{? [b] : 1}\n", 1, "a key must be a plain word"),
    "merge of text": ("{<<: b}\n", 1, "`<<` takes over tables only"),
    "tag": ("\n  - !!python/name:os.system\n", 2, "the tag tag:yaml.org,2002:python/name:os"),
    "tag of a table": ("!!set {b}\n", 1, "the tag tag:yaml.org,2002:set cannot stand here"),
    "alias of what it is in": ("&x\n  - *x\n", 1, "holds itself, by an alias"),
    "alias of nothing": ("*x\n", 1, "not YAML: "),
    "open bracket": ("[1,\nb: 2", 3, "not YAML: "),
    "two documents": ("1\n---\na: 2\n", 2, "not YAML: "),
    "nested by the thousand": ("[" * 100_000, 1, "cannot be read: "),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_json_could_not_hold_is_refused(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    """The error has the line, and what was found there."""
    with pytest.raises(FileError) as caught:
        read(tmp_path, f"a: {text}")
    assert caught.value.message.startswith(message)
    assert caught.value.line == line


def test_an_alias_a_thousand_times_over_is_one_value(tmp_path: Path) -> None:
    """Ten lists of ten of the list before: read in no time, and shared."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    data = read(tmp_path, "\n".join(lines)).data
    assert data["a11"][0] is data["a11"][9]


LINES: dict[str, tuple[list[str | int], int]] = {
    "the file": ([], 1),
    "a key": (["b"], 2),
    "an element": (["b", 1], 4),
    "a key of an element": (["b", 1, "d"], 5),
    "what is not there": (["b", 0, "x"], 3),
    "of a merge": (["e", "c"], 6),
}


@pytest.mark.parametrize(("where", "line"), LINES.values(), ids=LINES)
def test_every_place_has_its_line(where: list[str | int], line: int, tmp_path: Path) -> None:
    """That of the key, or of the element; of what is missing that of what would hold it."""
    text = "a: 1\nb:\n  - &x {c: 2}\n  - c: 3\n    d: 4\ne: {<<: *x}\nf: |\n  text\n"
    file = read(tmp_path, text)
    assert file.line(where) == line
    assert file.text_line(["f"]) == 8


def test_the_error_is_of_the_kind_that_is_asked_for(tmp_path: Path) -> None:
    """A task's file gives a TaskError, later complaints about it included."""
    path = tmp_path / "some.yaml"
    path.write_text("a: {b: 1}\n")
    file = read_yaml(path, error=TaskError)
    with pytest.raises(TaskError, match=r"some\.yaml:1: a\.b: is odd$"):
        file.fail(["a", "b"], "is odd")
    with pytest.raises(TaskError, match=r"nowhere\.yaml:1: cannot be read"):
        read_yaml(tmp_path / "nowhere.yaml", error=TaskError)
