"""Must-pass expressions: what they mean, and what a mistyped one says."""

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.suite.selection import Selection, names_of

TASKS = {
    "palindrome": names_of("L2-05-palindrome", "L2", "string"),
    "list-length": names_of("L2-03-list-length", "L2", "list"),
    "mapping": names_of("L1-03-mapping", "L1", "list"),
    "own": names_of("own", None, None),
}

MEANINGS = {
    "a slug": ("palindrome", {"palindrome"}),
    "a slug with a dash": ("list-length", {"list-length"}),
    "an id": ("L2-05-palindrome", {"palindrome"}),
    "a level": ("L2", {"palindrome", "list-length"}),
    "a category": ("list", {"list-length", "mapping"}),
    "or": ("L1 or palindrome", {"mapping", "palindrome"}),
    "and not": ("L2 and not string", {"list-length"}),
    "and binds tighter than or": ("L1 or L2 and string", {"mapping", "palindrome"}),
    "brackets": ("(L1 or L2) and list", {"mapping", "list-length"}),
    "not of brackets": ("not (L1 or L2)", {"own"}),
    "without blanks around brackets": ("not(L1 or string)", {"list-length", "own"}),
    "three names": ("own or mapping or string", {"own", "mapping", "palindrome"}),
    "a task of one's own": ("own", {"own"}),
}


@pytest.mark.parametrize(("text", "meant"), MEANINGS.values(), ids=MEANINGS)
def test_an_expression_means_these_tasks(text: str, meant: set[str]) -> None:
    """Whole names, combined as in Python."""
    selection = Selection.parse(text)
    selection.check(TASKS.values())
    assert {name for name, task in TASKS.items() if selection.matches(task)} == meant


REFUSED = {
    "nothing": "",
    "blanks": "  ",
    "two names without an operator": "L1 palindrome",
    "an operator too many": "L1 and",
    "an open bracket": "(L1 or L2",
    "a call": "palindrome(L1)",
    "a comparison": "L1 < L2",
    "code": "__import__('os')",
    "a number's sum": "1 + 1",
    "an assignment": "a := L1",
    "a lambda": "lambda: L1",
    "a comma": "L1, L2",
    "a comma between names": "L1 , L2",
    "two lines": "L1\nL2",
    "a comment": "L1 # or L2",
    "deep brackets": "(" * 5000 + "L1" + ")" * 5000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_expression_is_refused(text: str) -> None:
    """It is never evaluated; the error says what names there are."""
    with pytest.raises(SettingsError, match=r"must-pass expression .* Names are task ids"):
        Selection.parse(text)


def test_a_mistyped_name_is_refused_with_what_was_near() -> None:
    """A rule that means nothing would be worse than none."""
    with pytest.raises(SettingsError, match="'palindrom'; did you mean palindrome"):
        Selection.parse("L1 or palindrom").check(TASKS.values())


def test_a_part_of_a_name_is_no_name() -> None:
    """Unlike pytest's -k, so that a new task does not slip into a rule."""
    with pytest.raises(SettingsError, match="'pal'"):
        Selection.parse("pal").check(TASKS.values())


def test_an_expression_without_tasks_is_refused() -> None:
    """Names that exist can still contradict each other."""
    with pytest.raises(SettingsError, match="no task matches it"):
        Selection.parse("L1 and string").check(TASKS.values())
