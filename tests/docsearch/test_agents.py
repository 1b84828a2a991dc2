"""The bundled documentation, asked as agents asked in the middle of work (issue 12, entry 23).

Each was missed or buried when it was asked; the place is that of the first name that would do.
"""

import pytest

from pytest_sema_bench.docsearch.lexical import LexicalSearch
from pytest_sema_bench.docsearch.show import describe

FIRST = {
    "does a map have a key": "contains?",
    "is it a vector": "vector?",
    "check if a value is nil": "nil?",
    "is the list empty": "empty? null?",
    "convert to lower case": "string/lower",
    "is a character white space": "char/whitespace?",
    "is char upper case": "char/upper-case?",
    "is char lower case": "char/lower-case?",
    "compare two strings alphabetically": "<",
    "sort strings in alphabetical order": "sort",
    "split a string by a regular expression": "regex/split",
    "split on spaces or commas": "regex/split string/split",
    "function with rest arguments": "define fn",
    "sort with a comparison function": "sort",
    "argument order of foldl": "foldl",
}


@pytest.fixture(scope="module")
def search() -> LexicalSearch:
    """The search over the bundled documentation."""
    return LexicalSearch.bundled()


@pytest.mark.parametrize(("query", "names"), FIRST.items(), ids=FIRST)
def test_what_agents_missed_comes_first(query: str, names: str, search: LexicalSearch) -> None:
    """Questions for yes or no, case, order of strings, patterns to split by, rest arguments."""
    assert search.find_now(query).names[0] in names.split()


FILLER = {
    "create a channel for two tasks or more": {"or", "let-values"},
    "put a value on a channel and wait": {"and", "let-values"},
}


@pytest.mark.parametrize(("query", "filler"), FILLER.items(), ids=FILLER)
def test_joining_words_bring_no_forms(query: str, filler: set[str], search: LexicalSearch) -> None:
    """`or` in a sentence is not the form `or`."""
    assert filler.isdisjoint(search.find_now(query).names)


SHOWN = {
    "lambda with rest arguments": "(define (total . xs) (apply + xs)) (total 1 2 3) => 6",
    "fn": "((fn (. args) (length args)) 1 2 3) => 3",
    "define": "(define (f . args) args) (f 1 2) => (1 2)",
    "sort with a comparison": "(sort '(3 1 2) >) => (3 2 1)",
    "foldl argument order": "(foldl (fn (acc x) (- acc x)) 10 '(1 2 3)) => 4",
    "& in a pattern": "Only in a vector pattern of let, define or match",
    "string/title-case": "white space is trimmed",
}


@pytest.mark.parametrize(("query", "text"), SHOWN.items(), ids=SHOWN)
def test_the_example_shows_what_is_asked(query: str, text: str, search: LexicalSearch) -> None:
    """What agents looked for in an entry stands in what they are shown."""
    assert text in describe(search.find_now(query))
