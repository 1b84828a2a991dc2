"""How values and messages stand in a verdict."""

from pytest_sema_bench.grading.format import MAX_CHARS, cut, shown_message, shown_value
from pytest_sema_bench.sema.value import Value


def test_long_text_keeps_head_and_tail() -> None:
    """What is cut out is counted."""
    text = "a" * MAX_CHARS + "z" * 1000
    short = cut(text)
    assert short.startswith("aaa")
    assert short.endswith("zzz")
    assert "… 1000 characters left out …" in short


def test_head_and_tail_can_be_of_unequal_length() -> None:
    """Up to both together nothing is left out; the numbers add up."""
    assert cut("a" * 30 + "c" * 10, 30, 10) == "a" * 30 + "c" * 10
    text = "a" * 30 + "b" * 17 + "c" * 10
    assert cut(text, 30, 10) == f"{'a' * 30}\n… 17 characters left out …\n{'c' * 10}"


def test_value_is_shown_as_it_prints() -> None:
    """Nothing is shown for nothing."""
    assert shown_value(Value("list", items=(Value("symbol", "a__17"),))) == "(a__17)"
    assert shown_value(None) is None


def test_message_loses_the_positions_of_frames() -> None:
    """A frame names its function; the position of a reader's error stays."""
    assert shown_message("boom\n  at f (<input>:3:1)\n  hint: x") == "boom\n  at f\n  hint: x"
    assert (
        shown_message("unterminated list\n  at <input>:1:1")
        == "unterminated list\n  at <input>:1:1"
    )
    assert shown_message(None) is None
