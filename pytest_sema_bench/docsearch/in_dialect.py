"""The documentation in a dialect: names, shapes, snippets, and the sentences about them."""

import re
from collections.abc import Iterable
from dataclasses import replace

from pytest_sema_bench.dialect import Dialect, speak
from pytest_sema_bench.dialect.dialect import special_forms
from pytest_sema_bench.dialect.prose import FENCED, TICKED, about_code, shape_in, source_in
from pytest_sema_bench.docsearch.corpus import Corpus, load_corpus
from pytest_sema_bench.docsearch.entry import Entry, Foreign, Hint, Row, Snippet
from pytest_sema_bench.sema.names import symbols_in

# What says in which order arguments stand, a clause at a time: `Text first, then the count;`, but
# not `the function gets the accumulator first`.
_CLAUSE = re.compile(r"(?<=[;.:]) +")
_SENTENCE = re.compile(r"(?<=[;.]) +")
_SAYS_ORDER = re.compile(
    r"\bcomes? (?:first|before|second|last)\b"
    r"|^(?:the )?[\w-]+(?: [\w-]+)? first\b(?=[,;.:]|$| for )"
    r"|^(?:function, start value, list|pattern, replacement, text|text, old, new)"
    r"|\(function first\)"
    r"|\b(?:first|second|last) argument\b(?! of the function)|^the count comes|, the list second",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s()\[\],]+")
_ABOUT_FORMS = ("special-forms", "syntax")
"""Modules whose sentences speak of forms."""


def corpus_in(corpus: Corpus, dialect: Dialect) -> Corpus:
    """All that is searched, in the dialect.

    Sema's own names are found as those of other languages are, and shown as little as they.
    """
    return replace(
        corpus,
        entries=tuple(entry_in(entry, dialect) for entry in corpus.entries),
        foreign=tuple(foreign_in(row, dialect) for row in corpus.foreign),
    )


def prompt_in(text: str, dialect: Dialect) -> str:
    """A system prompt in the dialect.

    A name that its sentences speak of and its code does not show says nothing in a dialect: behind
    the text such names stand with their calls and what they do.
    """
    shown = symbols_in(" ".join(block["body"] for block in FENCED.finditer(text)))
    named = dict.fromkeys(found[2] for found in TICKED.finditer(FENCED.sub("", text)))
    entries = {name: entry for entry in load_corpus().entries for name in entry.names}
    silent = [n for n in named if n in entries and shown.isdisjoint(entries[n].names)]

    def told(line: str) -> str:
        moved = not dialect.orders.keys().isdisjoint(found[2] for found in TICKED.finditer(line))
        return _without_order(line, moved, "", _SENTENCE)

    def meaning(name: str) -> str:
        entry = entry_in(entries[name], dialect)
        call = entry.shape.replace(f"({entry.name} ", f"({dialect.name(name)} ")
        return f"- `{call}`: {entry.summary}"

    said = about_code("\n".join(map(told, text.split("\n"))), dialect, about=["let"]).strip()
    meanings = [meaning(name) for name in silent if name in dialect.words]
    return "\n".join([said, *(["\nOf the names above:\n", *meanings] if meanings else [])])


def row_in(row: Row, dialect: Dialect) -> Row:
    """A row of the documentation in the dialect."""
    if isinstance(row, Entry):
        return entry_in(row, dialect)
    if isinstance(row, Foreign):
        return foreign_in(row, dialect)
    return hint_in(row, dialect)


def hint_in(hint: Hint, dialect: Dialect) -> Hint:
    """A hint in the dialect; what it is about is still found in Sema's words."""
    moved = not dialect.orders.keys().isdisjoint(_WORD.findall(hint.text))
    about = symbols_in(hint.cure.code) | symbols_in(hint.example.code)
    return replace(
        hint,
        text=about_code(_without_order(hint.text, moved, hint.cure.code), dialect, about),
        example=_snippet_in(hint.example, dialect),
        cure=_snippet_in(hint.cure, dialect),
    )


def entry_in(entry: Entry, dialect: Dialect) -> Entry:
    """An entry in the dialect."""
    about = (*entry.names, *entry.see)
    if entry.module in _ABOUT_FORMS:
        about += tuple(special_forms())
    is_notation = entry.module == "syntax"
    names = tuple(
        about_code(name, dialect, [name, *name.split()]) if is_notation else dialect.name(name)
        for name in entry.names
    )
    moved = any(name in dialect.orders for name in entry.names)
    return replace(
        entry,
        name=names[0],
        aliases=names[1:],
        shape=shape_in(entry.shape, dialect, entry.names),
        summary=about_code(_without_order(entry.summary, moved, entry.summary), dialect, about),
        edges=_snippets_in(entry.edges, dialect, about),
        examples=_snippets_in(entry.examples, dialect, about),
        intents=(*entry.intents, *(n for n in entry.names if n in dialect.words)),
        see=tuple(
            dialect.words.get(name) or about_code(name, dialect, name.split()) for name in entry.see
        ),
    )


def foreign_in(row: Foreign, dialect: Dialect) -> Foreign:
    """A row of the table of foreign names in the dialect."""
    moved = any(name in dialect.orders for name in row.sema)
    otherwise = f"Here it is {', '.join(row.sema)}."
    note = about_code(_without_order(row.note, moved, otherwise), dialect, row.sema)
    return replace(
        row,
        sema=tuple(map(dialect.name, row.sema)),
        note=note,
        example=row.example and _snippet_in(row.example, dialect),
    )


def _snippets_in(
    snippets: Iterable[Snippet], dialect: Dialect, about: Iterable[str]
) -> tuple[Snippet, ...]:
    return tuple(_snippet_in(snippet, dialect, about) for snippet in snippets)


def _snippet_in(snippet: Snippet, dialect: Dialect, about: Iterable[str] = ()) -> Snippet:
    code = source_in(snippet.code, dialect)
    speech = speak(dialect, [code])
    return replace(
        snippet,
        code=code,
        value=snippet.value and speech.value(snippet.value),
        # A part of a message; one word alone is hardly a name.
        error=snippet.error
        and (snippet.error if snippet.error.isalpha() else speech.shown(snippet.error)),
        prints=tuple(map(speech.shown, snippet.prints)),
        when=snippet.when and about_code(snippet.when, dialect, about),
    )


def _without_order(
    text: str, moved: bool, otherwise: str, between: re.Pattern[str] = _CLAUSE
) -> str:
    """The text without what would not be true where arguments have changed places."""
    if not moved:
        return text
    kept = [clause for clause in between.split(text) if not _SAYS_ORDER.search(clause)]
    return " ".join(kept).rstrip(";") or otherwise
