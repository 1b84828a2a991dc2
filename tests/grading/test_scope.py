"""The names of a case keep their meaning."""

import pytest

from pytest_sema_bench.grading.scope import rename

RENAMED = {
    "calls and variables": ("(f x (g f))", "(F x (g F))"),
    "not longer names": ("(ff f-f f)", "(ff f-f F)"),
    "not data": ("(g 'f '(f) :f \"f\")", "(g 'f '(f) :f \"f\")"),
    "not comments": ("(g 1) ; f", "(g 1) ; f"),
    "within templates": ("`(f ,f ,(f 'f))", "`(F ,F ,(F 'f))"),
    "within f-strings": ('f"f ${(f 1)}"', 'f"f ${(F 1)}"'),
    "nothing in what cannot be read": ("(f", "(f"),
}


@pytest.mark.parametrize(("source", "expected"), RENAMED.values(), ids=[*RENAMED])
def test_names_are_replaced_in_code(source: str, expected: str) -> None:
    """Only code is renamed: what is text or data for the VM stays as it is."""
    assert rename(source, {"f": "F"}) == expected
