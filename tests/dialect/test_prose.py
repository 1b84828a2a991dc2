"""Sentences about code: names change where they are meant, words do not."""

import pytest

from pytest_sema_bench.agent.loop import system_prompt
from pytest_sema_bench.dialect.dialect import Word, all_names, make_dialect
from pytest_sema_bench.dialect.prose import about_code, shape_in
from pytest_sema_bench.docsearch.corpus import docs_folder, load_corpus, load_hints
from pytest_sema_bench.docsearch.in_dialect import corpus_in, hint_in
from pytest_sema_bench.docsearch.lexical import LexicalSearch
from pytest_sema_bench.docsearch.show import describe
from pytest_sema_bench.sema.names import symbols_in
from pytest_sema_bench.settings import Config

DIALECT = make_dialect(7, 1.0)
W = DIALECT.words
TEXTS = {
    "backticks": ("`map` maps", f"`{W['map']}` maps"),
    "a call in backticks": ("`(car xs)` is", f"`({W['car']} xs)` is"),
    "a function that turns": ("use `nth`", f"use `{W['nth']}`"),
    "a call in brackets": ("write (car xs).", f"write ({W['car']} xs)."),
    "a remark": ("a string (list or vector) is", "a string (list or vector) is"),
    "no word": ("set! changes it, string/join too.", None),
    "a word": ("take the first of the list and map it", "take the first of the list and map it"),
    "a sum": ("for n = 0 and n + 1", "for n = 0 and n + 1"),
    "points of a list": ("- one\n- two", "- one\n- two"),
    "a fence": ("```sema\n(car x) ; => (list 1)\n```", None),
    "another language": ("```python\ndef car(x): map\n```", "```python\ndef car(x): map\n```"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_names_change_where_they_are_meant(text: str, expected: str | None) -> None:
    """In backticks, brackets and fences, and where nothing else can be meant."""
    changed = about_code(text, DIALECT)
    if expected is not None:
        assert changed == expected
    elif text.startswith("```"):
        assert changed == f"```sema\n({W['car']} x) ; => ({W['list']} 1)\n```"
    else:
        assert changed == f"{W['set!']} changes it, {W['string/join']} too."


def test_a_shape_has_the_dialect_s_order() -> None:
    """Parameters are no names, whatever they are called."""
    assert DIALECT.orders["nth"] == (1, 0)
    assert shape_in("(nth list index)", DIALECT, ["nth"]) == f"({W['nth']} index list)"
    assert shape_in("(last list)", DIALECT, ["last"]) == f"({W['last']} list)"


def test_neither_primer_nor_documentation_shows_an_old_name() -> None:
    """Of names that cannot be words; data in examples, and parameters, are none."""
    names = {n.text for n in all_names() if n.is_documented and n.word is Word.NO}
    corpus = corpus_in(load_corpus(), DIALECT)
    texts = [entry.summary for entry in corpus.entries] + [row.note for row in corpus.foreign]
    texts += [f"{e.name} {' '.join(e.see)}" for e in corpus.entries]
    texts += [hint_in(h, DIALECT).text for h in load_hints(docs_folder() / "hints.yaml")]
    texts.append(system_prompt(Config(name="tools"), dialect=DIALECT))
    for text in texts:
        assert names.isdisjoint(text.replace("(", " ").replace(")", " ").split()), text
    heads = {code.split()[0][1:] for e in corpus.entries for s in e.examples for code in [s.code]}
    assert names.isdisjoint(heads)


def test_names_that_a_primer_only_lists_stand_with_what_they_do() -> None:
    """In plain Sema they speak for themselves; what its code shows is told by that."""
    text = system_prompt(Config(name="bare"), dialect=DIALECT)
    told = text.split("Of the names above:")[1]
    assert f"- `({W['vals']} map)`: List of all the values of a map" in told
    assert f"- `({W['car']} list)`: First element" in told
    assert f"({W['foldl']} " not in told
    assert f"({W['lambda']} " not in told


def test_what_would_not_be_true_of_another_order_is_left_out() -> None:
    """Neither the summary of a moved function nor a foreign row speaks of the old order."""
    corpus = corpus_in(load_corpus(), DIALECT)
    nth = next(entry for entry in corpus.entries if entry.name == W["nth"])
    assert nth.summary == "Element at an index counted from 0"
    row = next(row for row in corpus.foreign if "list-ref" in row.names)
    assert "Sequence first" not in row.note


def test_search_speaks_the_dialect() -> None:
    """An old name leads to its entry as one of another language does, and is not shown."""
    search = LexicalSearch.bundled("1.36.0", DIALECT)
    for query in ("foldl", "fold a list with a start value", "Array.prototype.reduce"):
        found = search.find_now(query)
        assert W["foldl"] in found.names[:2], query
        assert "foldl" not in describe(found)
    assert search.find_now(W["foldl"]).exact
    assert not search.find_now("foldl").exact


def test_an_example_in_the_dialect_uses_its_names_alone() -> None:
    """Every name in the code of an example is bound there, a word of the dialect, or unchanged."""
    old = set(W)
    corpus = corpus_in(load_corpus(), DIALECT)
    for entry in corpus.entries:
        for snippet in entry.examples:
            left = symbols_in(snippet.code) & old
            assert all(name.isalpha() and len(name) < 9 for name in left), (entry.name, left)


FOUND_BY_A_READER = {
    "else": (["case", "guard", "match"], []),
    "throw": (["try"], []),
    "[pattern …]": (["match"], []),
    "let [a b & rest]": (["define"], []),
    "angle": ([], ["angle"]),
    "when-let": ([], ["unless"]),
}


@pytest.mark.parametrize("name", FOUND_BY_A_READER)
def test_sentences_about_forms_name_them_and_others_stay_english(name: str) -> None:
    """`a handler of try` is about the form, `an angle in radians` about an angle."""
    named, words = FOUND_BY_A_READER[name]
    plain = load_corpus()
    at = next(i for i, entry in enumerate(plain.entries) if name in entry.names)
    before = plain.entries[at].summary
    after = corpus_in(plain, DIALECT).entries[at].summary.replace(",", "").replace(".", "").split()
    for old in named:
        assert old in before
        assert old not in after
        assert W[old] in after
    assert all((word in before) == (word in after) for word in words)


def test_a_note_about_orders_alone_says_what_there_is_instead() -> None:
    """Where nothing else is left, the name is."""
    dialect = make_dialect(11, 1.0)
    row = next(row for row in corpus_in(load_corpus(), dialect).foreign if "takef" in row.names)
    assert row.note == f"Here it is {dialect.words['take-while']}, {dialect.words['drop-while']}."
