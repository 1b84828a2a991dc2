"""What a failed item shows: few lines, the telling ones, and nothing that could harm a terminal."""

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sema_bench.records.outcome import Outcome, Stop, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.item_text import failure_lines, void_lines
from pytest_sema_bench.report.text import printable
from tests.samples.record import RECORD

RUN = Path("reports/run-1")
LONGEST_CHARS = 171
"""A label of 11 and a text of 160 characters."""
CASE = {"call": "(double -3)", "expected": "-6", "got": "9", "pass": False}
RIGHT_CASE = {"call": "(double 2)", "expected": "4", "got": "4", "pass": True}
FAILED = replace(
    RECORD,
    answer="I think:\n\n```sema\n(define (double n)\n  (* n n))\n```\n",
    cases=[RIGHT_CASE, CASE],
    transcript="transcripts/double/m-tools-s1.json",
)


def shown(record: Record, prompt: str = "Write `(double n)`.\nIt doubles.") -> list[str]:
    """The lines for a failed item."""
    return list(failure_lines(record, prompt, RUN))


def test_a_wrong_value_is_shown_with_all_that_one_needs() -> None:
    """Verdict, prompt, the failing case, the answer's tail, the tools, where to read on."""
    assert shown(FAILED) == [
        "verdict    wrong value (1 of 2 cases failed), score 0.3",
        "prompt     Write `(double n)`. It doubles.",
        "case       (double -3)",
        "expected   -6",
        "got        9",
        "answer     I think:",
        "           ```sema",
        "           (define (double n)",
        "             (* n n))",
        "           ```",
        "tools      eval_code ×2; 2 rounds, ended by: answered",
        "transcript sema-bench transcript reports/run-1 L2-05-palindrome/m-tools-s1",
    ]


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "an error of the VM, first line": (
        {"cases": [{**CASE, "got": None, "error": "Unbound variable: x\n  at y"}]},
        "error      Unbound variable: x",
    ),
    "no value": ({"cases": [{**CASE, "got": None}]}, "got        nothing"),
    "a name that must be used": (
        {"reason": "required name not used", "detail": "foldl", "cases": [RIGHT_CASE]},
        "verdict    required name not used: foldl, score 0.3",
    ),
    "no answer": ({"answer": "", "cases": []}, "answer     (empty)"),
    "reasoning": ({"answer": "", "stop": Stop.THOUGHT}, "answer     (reasoning only)"),
    "a refusal": ({"answer": "", "stop": Stop.REFUSED}, "answer     (refusal)"),
    "no answer at all": ({"answer": None, "cases": []}, "answer     (empty)"),
    "blank answer": ({"answer": " \n\t\n", "cases": []}, "answer     (empty)"),
    "no tools": (
        {"tool_calls": {}, "rounds": 0},
        "tools      none; 0 rounds, ended by: answered",
    ),
    "several tools": (
        {"tool_calls": {"docs_search": 1, "eval_code": 2}},
        "tools      docs_search ×1, eval_code ×2; 2 rounds, ended by: answered",
    ),
}


@pytest.mark.parametrize(("change", "line"), CHANGES.values(), ids=CHANGES)
def test_each_kind_of_failure_has_its_line(change: dict[str, Any], line: str) -> None:
    """What is shown depends on what went wrong."""
    assert line in shown(replace(FAILED, **change))


def test_only_the_first_failing_case_is_shown() -> None:
    """How many others failed is said in the verdict."""
    lines = shown(replace(FAILED, cases=[{**CASE, "call": f"(f {n})"} for n in range(9)]))
    assert [line for line in lines if line.startswith("case")] == ["case       (f 0)"]
    assert lines[0] == "verdict    wrong value (9 of 9 cases failed), score 0.3"


def test_only_the_end_of_a_long_answer_is_shown() -> None:
    """The program usually comes last."""
    lines = shown(replace(FAILED, answer="\n".join(f"line {n}" for n in range(5000))))
    assert lines[5:10] == [
        "answer     line 4995",
        *(f"           line {n}" for n in range(4996, 5000)),
    ]


def test_a_long_path_is_not_cut() -> None:
    """A path that ends in three dots opens nothing."""
    run = Path("/" + "deep folder/" * 40)
    end = "deep folder' L2-05-palindrome/m-tools-s1"
    assert list(failure_lines(FAILED, "", run))[-1].endswith(end)
    assert list(void_lines(FAILED, run))[-1].endswith(end)


HOSTILE = {
    "colours": "\x1b[31mred\x1b[0m",
    "a title and a bell": "\x1b]0;owned\x07",
    "8-bit control sequence": "\x9b31m",
    "carriage return": "wrong\rright",
    "backspaces": "no\b\byes",
    "null": "a\0b",
    "right to left override": "\u202eright",
    "isolates": "\u2066a\u2069",
    "marks": "a\u200e\u200fb",
    "zero width": "a\u200b\u200db\ufeff",
    "tag characters": "a\U000e0041b",
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "half a surrogate pair": "\ud83d",
    "private use": "\ue000\U0010fffe",
    "200 KB on one line": "x" * 200_000,
    "200 KB of escapes": "\x1b" * 200_000,
    "200 KB of line ends": "\n" * 200_000,
    "200 KB of lines": "ab\r\n" * 50_000,
}


def everywhere(text: str) -> Record:
    """A record with the text in each field that a model, a server or a VM can fill."""
    case = {"call": text, "expected": text, "got": text, "pass": False}
    return replace(FAILED, answer=text, detail=text, cases=[case], tool_calls={text: 1})


def check_harmless(lines: list[str]) -> None:
    """Few, short, and without anything but plain characters."""
    assert len(lines) <= 15
    for line in lines:
        assert len(line) <= LONGEST_CHARS
        assert line.isprintable()
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") for char in line)
        line.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_shown_harmlessly(text: str) -> None:
    """Whatever a model writes, a terminal, a log and a CI page show fifteen plain lines at most."""
    record = everywhere(text)
    check_harmless(shown(record, text))
    with_error = replace(record, cases=[{**record.cases[0], "error": text}])
    check_harmless(shown(with_error, text))
    check_harmless(list(void_lines(record, RUN)))


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_shown_harmlessly(text: str) -> None:
    """There is no character that slips through."""
    check_harmless(shown(everywhere(text), text))
    check_harmless(list(void_lines(everywhere(text), RUN)))


def test_an_escape_can_be_recognised() -> None:
    """What is hidden is named, not dropped."""
    assert printable("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"
    assert printable("\tindent") == "  indent"


def test_ordinary_text_stays_as_it_is() -> None:
    """Letters of other scripts, mathematics and emoji are no danger."""
    text = "(λ → ∀x) naïve 猫 שלום 🐈"
    assert printable(text) == text


@pytest.mark.parametrize("n_chars", [159, 160, 161, 641, 10_000])
def test_long_text_is_cut_and_says_so(n_chars: int) -> None:
    """Up to 160 characters are shown, the last of them an ellipsis where there was more."""
    line = printable("x" * n_chars)
    assert line == ("x" * n_chars if n_chars <= 160 else "x" * 159 + "…")


def test_a_void_item_says_that_it_does_not_count() -> None:
    """The reason, what happened, where to read on."""
    record = replace(FAILED, outcome=Outcome.VOID, reason=Void.API, detail="no answer\nwithin 9 s")
    assert list(void_lines(record, RUN)) == [
        "void: api error; this is not counted as a wrong answer",
        "no answer",
        "within 9 s",
        "transcript sema-bench transcript reports/run-1 L2-05-palindrome/m-tools-s1",
    ]


def test_a_void_item_may_have_no_detail() -> None:
    """Then there is nothing between the first line and the last."""
    assert len(list(void_lines(replace(FAILED, detail=None, transcript=None), RUN))) == 2
