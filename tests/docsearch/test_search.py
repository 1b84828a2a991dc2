"""The lexical search over a few entries: what is found, in which order, and why."""

from dataclasses import replace

import pytest

from pytest_sema_bench.docsearch.lexical import MAX_QUERY_CHARS, LexicalSearch
from tests.small_docs import CORPUS, entry, small_search


@pytest.fixture(scope="module")
def search() -> LexicalSearch:
    """The search over the small documentation."""
    return small_search()


FIRST = {
    "an intent": ("glue words with commas", "string/join"),
    "an intent in other forms": ("gluing a word and a comma", "string/join"),
    "the sentence": ("position of the first equal element", "list/index-of"),
    "parts of a name": ("index of", "list/index-of"),
    "a synonym": ("paste several", "string/join"),
    "a phrase of the thesaurus": ("get rid of it", "list/reject"),
    "a misspelt word": ("comas", "string/join"),
    "a word that denies": ("do not satisfy", "list/reject"),
    "a misspelt name": ("string/joni", "string/join"),
    "a name of another module": ("vector/index-of", "list/index-of"),
}


@pytest.mark.parametrize(("query", "name"), FIRST.values(), ids=FIRST)
def test_the_best_entry_comes_first(query: str, name: str, search: LexicalSearch) -> None:
    """Intents, sentences, parts of names, synonyms and misspellings lead to the entry."""
    assert search.find_now(query).names[0] == name


CONVERSIONS = (
    entry("list->vector", "A vector of the same elements."),
    entry("vector->list", "A list of the same elements."),
    entry("string/to-number", "The number that is written there."),
    entry("number?", "Whether it is one."),
)
CONVERTED = {
    "convert a list to a vector": "list->vector",
    "vector into list": "vector->list",
    "text to number": "string/to-number",
    "number predicate": "number?",
}


@pytest.mark.parametrize(("query", "name"), CONVERTED.items(), ids=CONVERTED)
def test_the_marks_in_a_name_are_words(query: str, name: str) -> None:
    """An arrow says which way a conversion goes, a question mark says predicate."""
    corpus = replace(CORPUS, entries=CONVERSIONS, foreign=(), synonyms=(("text", "string"),))
    assert small_search(corpus).find_now(query).names[0] == name


TESTS = (
    entry("vector", "Makes one of its arguments.", "a vector of things"),
    entry("vector?", "True for vectors such as [1 2].", "kind of a value"),
    entry("whitespace?", "True for a blank.", "is a letter invisible"),
    entry("black", "A colour, as white is.", "night"),
    entry("or", "The first value that is true.", "either of several"),
    entry("alternatives", "The list of choices.", "tea and cake"),
)
ASKED = {
    "a yes or no is wanted": ("is it a vector", "vector?"),
    "none is wanted": ("a new vector", "vector"),
    "two words that are one": ("is it white space", "whitespace?"),
    "a joining word": ("choices of tea or cake", "alternatives"),
    "the joining word itself": ("logical or", "or"),
    "all the words of an intent": ("tea and cake", "alternatives"),
}


@pytest.mark.parametrize(("query", "name"), ASKED.values(), ids=ASKED)
def test_the_kind_of_question_decides(query: str, name: str) -> None:
    """Names in `?` answer what is asked with is, does, has; joining words ask for nothing."""
    corpus = replace(CORPUS, entries=TESTS, foreign=(), synonyms=())
    assert small_search(corpus).find_now(query).names[0] == name


def test_what_is_far_below_the_best_is_no_hit() -> None:
    """After the second place, an entry that shares one word of four with the query is left out."""
    near = [entry(f"near-{n}", "Glues words with a comma.") for n in range(2)]
    far = [entry(f"far-{n}", "Prints words.") for n in range(3)]
    corpus = replace(CORPUS, entries=(*near, *far), foreign=(), synonyms=())
    found = small_search(corpus).find_now("glue words with comma")
    assert found.names == ("near-0", "near-1")


EXACT = ["filter", "string-join", "->>", "not", "`filter`", "(filter", "'filter", "FILTER"]


@pytest.mark.parametrize("query", EXACT)
def test_a_query_that_is_a_name_is_exact(query: str, search: LexicalSearch) -> None:
    """Names and aliases, symbols among them, in whatever quotes and case."""
    found = search.find_now(query)
    assert found.exact
    assert found.rank_of(query.strip("`('").lower()) == 1


def test_more_than_a_name_is_not_exact(search: LexicalSearch) -> None:
    """A name among other words comes first, but the entry is not shown whole."""
    found = search.find_now("how does string/join work")
    assert (found.exact, found.names[0]) == (False, "string/join")


FOREIGN = {
    "a name": ("swap!", "set!", "atom"),
    "in another case": ("SWAP!", "set!", "atom"),
    "with its namespace": ("clojure.string/join", "string/join", "clojure.string/join"),
    "without its namespace": ("clojure.core/atom", "set!", "atom"),
    "with brackets": ("str.join()", "string/join", "clojure.string/join"),
    "among words": ("what is swap! here", "set!", "atom"),
    "a word nobody uses": ("update an atom", "set!", "atom"),
    "with its language": ("clojure remove", "list/reject", "remove"),
    "of two languages": ("javascript remove", "filter", "remove"),
}


@pytest.mark.parametrize(("query", "name", "row"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_name_leads_to_what_does_its_job(
    query: str, name: str, row: str, search: LexicalSearch
) -> None:
    """The table is asked before anything is ranked, and the hit says which row it was."""
    hit = search.find_now(query).hits[0]
    assert hit.name == name
    assert hit.foreign is not None
    assert hit.foreign.names[0] == row


def test_an_english_word_is_no_foreign_name_in_a_sentence() -> None:
    """`remove` asked in a sentence is a word like any other, if our texts use it."""
    entries = (*CORPUS.entries, entry("drop", "Leaves out the first n.", "remove from the front"))
    found = small_search(replace(CORPUS, entries=entries)).find_now("remove from the front")
    assert found.names[0] == "drop"
    assert found.hits[0].foreign is None


def test_notation_is_named_by_the_form_it_stands_for(search: LexicalSearch) -> None:
    """A hit on `#(…)` counts as `fn`, which its entry refers to; the entry is shown as it is."""
    hit = search.find_now("shorthand closure").hits[0]
    assert (hit.entry.name, hit.name) == ("#(…)", "fn")


def test_two_hits_of_one_name_are_one_name(search: LexicalSearch) -> None:
    """The names of a result hold each name once."""
    names = search.find_now("a function inline shorthand", 9).names
    assert len(names) == len(set(names))
    assert "fn" in names


NOTHING = ["", "   ", "qwzx", "?!", "…"]


@pytest.mark.parametrize("query", NOTHING)
def test_nothing_is_found_where_nothing_fits(query: str, search: LexicalSearch) -> None:
    """No hit is made up."""
    assert search.find_now(query).hits == ()


HOSTILE = ["x" * 100_000, "a " * 50_000, "\ud83d", "\x00", "((((", "%s {0}", "(" * 5000, "é ü 漢字"]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_a_query(query: str, search: LexicalSearch) -> None:
    """Whatever a model sends, a result comes back, and only so much of it is read."""
    assert len(search.find_now(query).query) <= MAX_QUERY_CHARS


def test_at_most_n_hits_come_back(search: LexicalSearch) -> None:
    """As many as are asked for, if so many fit."""
    assert len(search.find_now("value element function form", 3).hits) == 3
    assert len(search.find_now("value element function form", 2).hits) == 2


def test_the_same_query_gives_the_same_hits() -> None:
    """Two indexes of one corpus rank alike, ties included."""
    one, other = (small_search().find_now("a value of a function", 9) for _ in range(2))
    assert one == other
