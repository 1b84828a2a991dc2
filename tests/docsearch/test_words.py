"""Words out of queries and names: what is split, what is dropped, what stays whole."""

import pytest

from pytest_sema_bench.docsearch.words import (
    ParsedQuery,
    looks_like_name,
    split_name,
    terms_of,
    tokens_of,
)

NAMES = {
    "list/index-of": ["list", "index", "of"],
    "string->list": ["string", "list"],
    "hash-map?": ["hash", "map"],
    "set!": ["set"],
    "indexOfValue": ["index", "of", "value"],
    "JSONParser": ["json", "parser"],
    "Array.prototype.map": ["array", "prototype", "map"],
    "read_lines": ["read", "lines"],
    "log10": ["log", "10"],
    "->>": [],
}


@pytest.mark.parametrize(("name", "parts"), NAMES.items(), ids=NAMES)
def test_a_name_is_split_at_its_joints(name: str, parts: list[str]) -> None:
    """Slash, hyphen, arrow, mark, dot, underscore, digits and camel case part a name."""
    assert split_name(name) == parts


TOKENS = {
    "quotes and brackets": ("(foldl 'x) `map`", ["foldl", "x", "map"]),
    "symbols stay": ("#( ->> <= +", ["#(", "->>", "<=", "+"]),
    "marks of names stay": ("swap! string?", ["swap!", "string?"]),
    "the mark of a question goes": ("is this list empty?", ["is", "this", "list", "empty"]),
    "a name at its end keeps it": ("what about string/empty?", ["what", "about", "string/empty?"]),
}


@pytest.mark.parametrize(("text", "tokens"), TOKENS.values(), ids=TOKENS)
def test_tokens_are_freed_of_what_surrounds_them(text: str, tokens: list[str]) -> None:
    """Quotes, brackets and the end of a question go; what belongs to a name stays."""
    assert tokens_of(text) == tokens


def test_words_that_mean_something_here_are_no_stop_words() -> None:
    """`not`, `if`, `each`, `all`, `any`, `when`, `and`, `or` are index terms; articles are not."""
    assert terms_of("if not each and all or any when") == [
        "if", "not", "each", "and", "all", "or", "ani", "when",
    ]  # fmt: skip
    assert terms_of("the elements of a list") == ["element", "list"]


def test_a_query_of_stop_words_is_taken_whole() -> None:
    """Something is searched for even where nothing but stop words was said."""
    assert terms_of("to be") == ["to", "be"]


def test_a_name_counts_whole_and_in_parts() -> None:
    """`list/index-of` is a term, and so are its words; without splitting only the whole is."""
    assert terms_of("list/index-of") == ["list/index-of", "list", "index"]


def test_a_conversion_has_a_direction() -> None:
    """`list to vector` is another term than `vector to list`, articles or not."""
    assert "list>vector" in terms_of("turn a list into a vector")
    assert "list>vector" not in terms_of("a vector to a list")
    assert terms_of("to a list") == ["list"]


def test_forms_of_a_word_have_one_stem() -> None:
    """Endings do not matter."""
    assert terms_of("joins joining joined") == ["join"] * 3


PREAMBLES = {
    "how do I reverse a list?": "reverse a list",
    "Is there a function to join strings": "join strings",
    "function that flattens": "flattens",
    "how do I": "how do I",
    "do loop": "do loop",
}


@pytest.mark.parametrize(("query", "rest"), PREAMBLES.items(), ids=PREAMBLES)
def test_politeness_is_left_out(query: str, rest: str) -> None:
    """What stands before the matter itself goes, unless it is all there is."""
    assert ParsedQuery.of(query).text == rest


YES_OR_NO = {
    "is it a vector": "it a vector",
    "does a map have a key": "a map have a key",
    "is there a way to check if a list is empty": "a list is empty",
    "test whether all hold": "all hold",
    "has the task failed?": "the task failed",
    "check type of value": None,
    "island": None,
    "is": None,
}


@pytest.mark.parametrize(("query", "rest"), YES_OR_NO.items(), ids=YES_OR_NO)
def test_a_question_for_yes_or_no_is_known_by_its_first_words(query: str, rest: str | None) -> None:
    """`check if` asks for a test, `check type` does not."""
    question = ParsedQuery.of(query)
    assert (question.wants_yes_or_no, question.text) == (rest is not None, rest or query)


TERSE = {
    "split on spaces and tabs or commas": "split on spaces tabs commas",
    "if without else": "if without else",
    "logical or": "logical or",
    "or": "or",
    "": "",
}


@pytest.mark.parametrize(("query", "terse"), TERSE.items(), ids=TERSE)
def test_joining_words_count_where_they_are_what_is_asked(query: str, terse: str) -> None:
    """`or` in the middle of a sentence is no form that is asked for; first or alone it is."""
    assert ParsedQuery.of(query).terse == terse


NAME_LIKE = {
    "string/join": True,
    "swap!": True,
    "str.join": True,
    "toUpperCase": True,
    "list-tail": True,
    "->>": True,
    "empty?": True,
    "mapcar": False,
    "filter": False,
    "JSON": False,
    "7/2": False,
    "3.5": False,
    "end.": False,
}


@pytest.mark.parametrize(("token", "expected"), NAME_LIKE.items(), ids=NAME_LIKE)
def test_names_are_told_from_words_and_numbers(token: str, expected: bool) -> None:
    """A token is taken for a name by the way it is written."""
    assert looks_like_name(token) is expected
