"""Keys are taken out of texts in every form in which they may be written."""

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from pytest_sema_bench.redaction import REMOVED, SHORTEST_SECRET_CHARS, Redactor

KEYS = {
    "plain": "sk-0123456789abcdef",
    "with quotes and backslashes": 'sk-"a"\\b-0123456789',
    "with slashes and plus": "ab/cd+ef==/0123456789",
    "with blanks and percent": "ab cd%20ef 0123456789",
    "not ASCII": "schlüssel-0123456789",
}
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "in JSON": json.dumps,
    "in JSON within JSON": lambda key: json.dumps(json.dumps({"error": key})),
    "in a URL": lambda key: quote(key, safe=""),
    "in a query": quote_plus,
    "with slashes escaped": lambda key: key.replace("/", "\\/"),
    "twice": lambda key: f"{key}{key}",
    "in a header": lambda key: f"Bearer {key}\r\n",
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_removed_however_it_is_written(kind: str, how: str) -> None:
    """None of its forms is left, and what stands around it is."""
    key = KEYS[kind]
    written = WRITTEN[how](key)
    cleaned = Redactor([key]).clean(f"before {written} after")
    assert REMOVED in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert not [form for form in (key, json.dumps(key)[1:-1], quote(key)) if form in cleaned]


def test_a_key_that_is_part_of_another_leaves_no_rest() -> None:
    """The longer one is removed first, in whichever order they are given."""
    keys = ["sk-abcdefgh", "sk-abcdefgh-and-more"]
    for order in (keys, keys[::-1]):
        assert Redactor(order).clean(f"x {keys[1]} y {keys[0]} z") == f"x {REMOVED} y {REMOVED} z"


def test_a_short_key_is_no_secret() -> None:
    """`x`, as local servers take it, would leave nothing of a text; None and "" are no keys."""
    short = "x" * (SHORTEST_SECRET_CHARS - 1)
    redactor = Redactor([short, None, ""])
    assert redactor.clean(f"the {short} stays") == f"the {short} stays"
    assert Redactor(["x" * SHORTEST_SECRET_CHARS]).clean("x" * SHORTEST_SECRET_CHARS) == REMOVED


def test_cleaned_json_is_still_json() -> None:
    """What is written afterwards can be read."""
    key = KEYS["with quotes and backslashes"]
    data = {"error": f"{key} is wrong", "twice": json.dumps({"key": key})}
    assert json.loads(Redactor([key]).clean(json.dumps(data)))["error"] == f"{REMOVED} is wrong"
