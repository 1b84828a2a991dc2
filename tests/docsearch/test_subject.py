"""A name among plain words: whether the query is about it, and what does instead of it."""

import pytest

from pytest_sema_bench.docsearch.lexical import LexicalSearch


@pytest.fixture(scope="module")
def search() -> LexicalSearch:
    """The search over the bundled documentation."""
    return LexicalSearch.bundled()


FIRST = {
    "does filter keep the order": "filter",
    "why does length fail on a map": "length",
    "sort expects 1 to 2 arguments, got 3": "sort",
    "the default branch of case": "case",
    "a cond clause with several tests": "cond",
    "does a list contain a value": "list/contains?",
    "does string contain a substring": "string/contains?",
    "can I check whether a file exists": "file/exists?",
    "length expected list, got string": "string/length",
    "string/length expected string, got list": "length",
    "expected string, got list in string/contains?": "list/contains?",
    "expected number, got list in +: concatenate two lists": "append",
    "rstrip": "string/trim-right",
    "trimStart": "string/trim-left",
    "swap!": "set!",
    "labels / flet": "let",
    "10 / 3": "/",
    "what does / do": "/",
    "the characters of a string": "string/chars",
}


@pytest.mark.parametrize(("query", "name"), FIRST.items(), ids=FIRST)
def test_what_stands_around_a_name_decides(query: str, name: str, search: LexicalSearch) -> None:
    """A name that is asked about, or what does its job for the value given, comes first."""
    assert search.find_now(query).names[0] == name


def test_a_cell_is_shown_beside_a_variable(search: LexicalSearch) -> None:
    """Who asks for an atom's operations is shown both kinds of state."""
    assert {"set!", "mutable-cell/set!"} <= set(search.find_now("swap!").names)
