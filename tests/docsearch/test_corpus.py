"""The corpus as its YAML files tell it, and what a malformed one is answered with."""

from pathlib import Path

import pytest

from pytest_sema_bench.docsearch.check import (
    check_foreign,
    check_words,
    coverage,
    usable_names,
)
from pytest_sema_bench.docsearch.corpus import (
    Corpus,
    check_unique,
    holding,
    load_corpus,
    load_entries,
    load_foreign,
    load_synonyms,
)
from pytest_sema_bench.docsearch.entry import EntryKind
from pytest_sema_bench.errors import FileError
from tests.small_docs import CORPUS, entry

GOOD = """\
module: small
entries:
  - name: twice
    aliases: [double]
    kind: function
    shape: (twice n)
    summary: Two times n.
    edges:
      - {when: n is text, code: '(twice "a")', error: "expected number"}
    examples:
      - {code: "(twice 4)", value: 8}
      - {code: "(print nil)", value: nil, prints: ["  nil"]}
    intents:
      - the same again
      - once more
    see: [thrice]
"""


def written(folder: Path, text: str) -> Path:
    """A file that holds the text."""
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["1.36.0", "2.0.0"])
def corpus(request: pytest.FixtureRequest) -> Corpus:
    """What of the bundled corpus holds for a version."""
    return load_corpus().on(request.param)


def test_an_entry_is_read_whole(tmp_path: Path) -> None:
    """Every key comes back as a value; scalars are the text that stands in the file."""
    (read,) = load_entries(written(tmp_path, GOOD))
    assert (read.name, read.aliases, read.kind) == ("twice", ("double",), EntryKind.FUNCTION)
    assert (read.module, read.shape, read.summary) == ("small", "(twice n)", "Two times n.")
    assert (read.intents, read.see, read.line) == (("the same again", "once more"), ("thrice",), 3)
    (edge,) = read.edges
    assert (edge.when, edge.code, edge.value) == ("n is text", '(twice "a")', None)
    assert (edge.error, edge.line) == ("expected number", 9)
    assert [snippet.value for snippet in read.examples] == ["8", "nil"]
    assert read.examples[1].prints == ("  nil",)


BROKEN = {
    "an unknown key": ("aliases: [double]", "alias: [double]", 4, "unknown key 'alias'"),
    "a missing key": ("    summary: Two times n.\n", "", 3, "'summary' is missing"),
    "a key twice": ("kind: function", "name: thrice", 5, "the key 'name' stands here a second"),
    "an unknown kind": ("kind: function", "kind: verb", 5, "found 'verb', expected one of"),
    "a list for text": ("shape: (twice n)", "shape: [twice, n]", 6, "'n'], expected text"),
    "text for a list": ("aliases: [double]", "aliases: double", 4, "expected a list"),
    "a comment for a value": ("value: 8}", "value: #t\n        }", 11, "write \"#t\" with quotes"),
    "no value and no error": (", value: 8}", "}", 11, "either the `value` that comes back or"),
    "value and error": ("value: 8}", "value: 8, error: x}", 11, "either the `value`"),
    "an edge without when": ("{when: n is text, ", "{", 9, "'when' is missing"),
    "an unclosed brace": ("value: 8}", "value: 8", 12, "not YAML"),
    "no intents": ("      - the same again\n      - once more\n", "      []\n", 13, "at least 1"),
    "another key at the top": ("module: small", "modul: small", 1, "unknown key 'modul'"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "message"), BROKEN.values(), ids=BROKEN)
def test_a_malformed_file_is_answered_with_file_and_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    """The error prints as path:line: message, and the line is that of the fault."""
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(FileError) as caught:
        load_entries(path)
    assert message in caught.value.message
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_an_empty_or_missing_file_is_an_error(tmp_path: Path) -> None:
    """Neither is taken for a corpus without entries."""
    with pytest.raises(FileError, match="found nothing, expected a table with `module`"):
        load_entries(written(tmp_path, "# nothing\n"))
    with pytest.raises(FileError, match="cannot be read"):
        load_entries(tmp_path / "none.yaml")


def test_two_entries_of_one_name_are_an_error() -> None:
    """The message says where the first one stands."""
    with pytest.raises(FileError, match=r"'not' is taken by small\.yaml:1"):
        check_unique([*CORPUS.entries, entry("not", "Again.")])


def test_the_table_of_foreign_names_is_read_whole(tmp_path: Path) -> None:
    """Names, languages, targets, note and example; an unknown key is an error with its line."""
    text = (
        "entries:\n"
        "  - {names: [atom, swap!], from: [clojure], sema: [set!], note: No atoms.,\n"
        '     example: {code: "(+ 1 1)", value: "2"}}\n'
    )
    (row,) = load_foreign(written(tmp_path, text))
    assert (row.names, row.languages, row.sema) == (("atom", "swap!"), ("clojure",), ("set!",))
    assert (row.note, row.line) == ("No atoms.", 2)
    assert row.example is not None
    assert row.example.value == "2"
    with pytest.raises(FileError, match=r"small.yaml:2: .*unknown key 'form'"):
        load_foreign(written(tmp_path, text.replace("from:", "form:")))


def test_a_group_of_the_thesaurus_has_two_words(tmp_path: Path) -> None:
    """One word alone stands for nothing else."""
    assert load_synonyms(written(tmp_path, "groups: [[a, b c]]")) == (("a", "b c"),)
    with pytest.raises(FileError, match="expected at least 2 of them"):
        load_synonyms(written(tmp_path, "groups: [[a]]"))


WORDS = {
    "a long sentence": (entry("a", "x" * 111, *"pqrs"), "the summary has 111 characters"),
    "few intents": (entry("a", "S.", "p", "q"), "2 intents, expected 4 to 8"),
    "an intent twice": (entry("a", "S.", "p q", "P  q", "r", "s"), "an intent stands here twice"),
    "a dead link": (entry("a", "S.", *"pqrs", see=("b",)), "see 'b': there is no such entry"),
    "its own alias": (entry("a", "S.", *"pqrs", aliases=("a",)), "among its own aliases"),
    "a long example": (entry("a", "S.", *"pqrs", code="x" * 90), "91 characters, at most 90"),
}


@pytest.mark.parametrize(("faulty", "message"), WORDS.values(), ids=WORDS)
def test_faults_that_need_no_vm_are_found(faulty: object, message: str) -> None:
    """Lengths, numbers, links and repetitions are checked by reading."""
    assert hasattr(faulty, "name")
    assert any(message in str(problem) for problem in check_words([faulty]))  # type: ignore[list-item]


def test_an_intent_of_two_entries_is_found() -> None:
    """What two entries claim leads to neither."""
    entries = [entry("a", "S.", "p", "q", "r", "s"), entry("b", "S.", "P", "t", "u", "v")]
    (problem,) = check_words(entries)
    assert "the intent 'P' is that of 'a' too" in str(problem)


def test_a_foreign_row_must_lead_to_an_entry() -> None:
    """A target without entry is a problem, and so is one of Sema's own names as a foreign one."""
    problems = [str(p) for p in check_foreign(CORPUS.foreign, [entry("atom", "S.")])]
    assert any("'set!' has no entry" in problem for problem in problems)
    assert any("'atom' is a name of Sema's own" in problem for problem in problems)


def test_the_usable_names_are_the_documented_ones_that_run() -> None:
    """The list is that of the pinned VM, by module, each name once."""
    names = [name for some in usable_names().values() for name in some]
    assert len(names) == len(set(names)) == 687
    assert {"->>", "&", "*", "let*", "list/index-of", "define-record-type"} <= set(names)


def test_the_bundled_corpus_holds_to_its_rules(corpus: Corpus) -> None:
    """Lengths, intents, links, foreign targets: nothing to complain of."""
    problems = [*check_words(corpus.entries), *check_foreign(corpus.foreign, corpus.entries)]
    assert [str(problem) for problem in problems] == []


def test_every_usable_name_has_an_entry(corpus: Corpus) -> None:
    """No module of the documentation has a gap."""
    assert [(c.module, c.missing) for c in coverage(corpus.entries) if c.missing] == []


def test_the_table_has_at_least_300_names(corpus: Corpus) -> None:
    """Names from Lisps, Python and JavaScript."""
    assert len({name.lower() for row in corpus.foreign for name in row.names}) >= 300


VERSIONED = GOOD.replace(
    "value: 8}", "value: 8, until: 2.0.0}\n      - {code: (twice 5), value: 10}"
)


def test_what_holds_for_a_version_is_what_is_left(tmp_path: Path) -> None:
    """Snippets and whole entries are marked; the rest holds for all versions."""
    later = "\n  - {name: thrice, kind: function, shape: (thrice n), summary: S., since: 2.0.0,\n"
    rest = "     examples: [{code: (thrice 1), value: 3}], intents: [three of it]}\n"
    entries = load_entries(written(tmp_path, VERSIONED.rstrip() + later + rest))
    older, newer = (holding(entries, version) for version in ("1.36.0", "2.0.0"))
    assert [entry.name for entry in older] == ["twice"]
    assert [entry.name for entry in newer] == ["twice", "thrice"]
    codes = [[snippet.code for snippet in each[0].examples] for each in (older, newer)]
    assert codes == [["(twice 4)", "(twice 5)", "(print nil)"], ["(twice 5)", "(print nil)"]]


def test_a_version_is_three_numbers(tmp_path: Path) -> None:
    """`until: 2` would be read in more than one way."""
    with pytest.raises(FileError, match=r"small.yaml:11: .*a version of Sema such as 2.0.0"):
        load_entries(written(tmp_path, VERSIONED.replace("2.0.0", "2")))
