"""`sema-bench transcript`: one conversation of a run, in both layouts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.records.folder import RunFolder
from tests.conftest import Capture
from tests.samples.hostile_run import write_hostile_run
from tests.samples.record import RECORD

CALL = {"function": {"name": "eval_code", "arguments": json.dumps({"code": "(+ 1\n  2)"})}}
TALK = {
    "messages": [
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": None, "reasoning": "Hm.", "tool_calls": [CALL]},
        {"role": "tool", "content": "3"},
        {"role": "assistant", "content": [{"type": "text", "text": "It is\n3."}]},
    ],
    "calls": [],
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """A run that is under way, with three items."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    other = replace(RECORD, task="L3-01-sum")
    folder.keep([(record, TALK) for record in (RECORD, replace(RECORD, sample=2), other)])
    yield folder.path
    folder.close()


NAMES = (
    "L2-05-palindrome/m-tools-s1",
    "L2-05-palindrome m-tools-s1",
    "palindrome[m-tools-s1]",
    "tasks/L2/05-palindrome.yaml::palindrome[m-tools-s1]",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_is_shown_to_read(run: Path, capsys: Capture, name: str) -> None:
    """Who said what, thoughts marked, code line by line."""
    assert main(["transcript", str(run), name]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "L2-05-palindrome m-tools-s1: fail (wrong value)",
        *("", "--- user", "What is it?"),
        *("", "--- assistant", "| Hm.", "-> eval_code", "   code: (+ 1", "     2)"),
        *("", "--- tool", "3"),
        *("", "--- assistant", "It is", "3."),
    ]


def test_json_is_what_is_stored(run: Path, capsys: Capture) -> None:
    """For other tools."""
    assert main(["transcript", str(run), "sum", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written == {"record": RECORD.key, "task": "L3-01-sum", **TALK}


@pytest.mark.parametrize(
    ("name", "told"),
    [("palindrome", "2 items are called so\n  L2-05-palindrome/m-t"), ("x", "there is no such")],
)
def test_a_name_must_be_that_of_one_item(run: Path, capsys: Capture, name: str, told: str) -> None:
    """What it could mean is listed."""
    assert main(["transcript", str(run), name]) == 2
    assert f"{name}: {told}" in capsys.readouterr().err


def test_an_old_run_s_hostile_conversation_is_safe_to_print(
    tmp_path: Path, capsys: Capture
) -> None:
    """Nothing reaches the terminal that it would act on, and no shape of a message is too odd."""
    record = write_hostile_run(tmp_path / "run")
    assert record.transcript == "transcripts/t.json"
    assert main(["transcript", str(tmp_path / "run"), record.item.file]) == 0
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert "\\u202e" in printed
