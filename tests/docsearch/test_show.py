"""What an agent reads of a result: compact, cut only between parts, and never empty."""

from dataclasses import replace

import pytest

from pytest_sema_bench.docsearch.entry import Snippet
from pytest_sema_bench.docsearch.lexical import LexicalSearch
from pytest_sema_bench.docsearch.search import Found, Hit
from pytest_sema_bench.docsearch.show import LIST_CHARS, describe, short_list, whole
from tests.small_docs import CORPUS, entry, small_search


@pytest.fixture(scope="module")
def search() -> LexicalSearch:
    """The search over the small documentation."""
    return small_search()


def hits(n: int, summary: str, code: str) -> tuple[Hit, ...]:
    """So many hits, each with this sentence and this example."""
    entries = [entry(f"name-{number}", summary, code=code) for number in range(n)]
    return tuple(Hit(entry=each, name=each.name, score=1.0) for each in entries)


def test_a_hit_is_shown_with_shape_sentence_and_example(search: LexicalSearch) -> None:
    """Three lines: number, name and call; what it does; an example with its value."""
    lines = describe(search.find_now("glue words with commas")).splitlines()
    assert lines[:3] == [
        "1. string/join  (string/join x)",
        "   One string of all, with a separator between them.",
        "   (+ 1 2) => 3",
    ]


def test_a_name_alone_shows_its_entry_whole(search: LexicalSearch) -> None:
    """Kind, module, aliases, call, examples, edges and links."""
    assert describe(search.find_now("string-join")).splitlines() == [
        "string/join (function, small)",
        "Also: string-join",
        "Call: (string/join x)",
        "One string of all, with a separator between them.",
        "  (+ 1 2) => 3",
        "  nothing is given: (+) => 0",
    ]
    assert describe(search.find_now("filter")).endswith("See also: list/reject")


def test_a_foreign_name_is_answered_with_what_differs(search: LexicalSearch) -> None:
    """The note and its example come first, then the entries."""
    lines = describe(search.find_now("swap!")).splitlines()
    assert lines[:3] == [
        "swap!: There are no atoms; a variable is set.",
        "   (define x 1) (set! x 2) x => 2",
        "1. set!  (set! x)",
    ]


def test_nothing_found_says_so_and_how_to_ask(search: LexicalSearch) -> None:
    """The query is quoted only in part."""
    text = describe(search.find_now("qwzx" * 100))
    assert text.startswith("Nothing found for 'qwzx")
    assert "Say in a few plain words what the code should do" in text
    assert len(text) < 400


def test_a_fallback_is_said(search: LexicalSearch) -> None:
    """The agent learns that another search answered than the one it has."""
    found = replace(search.find_now("glue words"), fallback="Semantic search failed: no reply")
    lines = describe(found).splitlines()
    assert lines[0] == "(Semantic search failed: no reply; searched by words instead.)"
    assert lines[1].startswith("1. string/join")


def test_a_list_keeps_to_its_size() -> None:
    """Five ordinary hits fit; examples go before hits do, and the last hits before the first."""
    five = short_list(hits(5, "x" * 80, "y" * 60))
    assert len(five) <= LIST_CHARS
    assert five.count("x" * 80) == 5
    assert five.count("y" * 60) == 5
    long = short_list(hits(5, "x" * 110, "y" * 120))
    assert len(long) <= LIST_CHARS
    assert (long.count("x" * 110), long.count("y" * 120)) == (5, 4)
    longest = short_list(hits(5, "x" * 400, "y" * 60))
    assert len(longest) <= LIST_CHARS
    assert longest.startswith("1. name-0")
    assert longest.count("x" * 400) == 2


def test_one_hit_is_shown_however_long_it_is() -> None:
    """A list is never empty."""
    assert short_list(hits(1, "x" * 3000, "y")).startswith("1. name-0")


def test_an_entry_with_much_to_say_is_cut_between_lines() -> None:
    """The links stay, and no line is cut."""
    edges = tuple(Snippet(code="z" * 400, value="1", when=f"case {n}") for n in range(20))
    text = whole(replace(CORPUS.entries[2], edges=edges))
    assert len(text) < 2500
    assert text.endswith("\nSee also: list/reject")
    assert all(line.endswith("=> 1") for line in text.splitlines() if line.startswith("  case"))


def test_errors_and_output_are_part_of_an_example() -> None:
    """What is printed and what goes wrong is shown beside the code."""
    failing = Snippet(code="(car 5)", error="expected list")
    printing = Snippet(code='(println "a")', value="nil", prints=("a",))
    shown = whole(replace(CORPUS.entries[0], examples=(printing,), edges=(failing,)))
    assert '(println "a") => nil ; prints a' in shown
    assert "(car 5) => error: expected list" in shown


def test_an_empty_result_of_a_fallback_has_both_sentences() -> None:
    """Neither hides the other."""
    text = describe(Found(query="x", hits=(), fallback="Semantic search failed: no reply"))
    assert "searched by words instead" in text
    assert "Nothing found for 'x'" in text
