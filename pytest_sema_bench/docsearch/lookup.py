"""Names that a query holds: Sema's own, those of other languages, and near misses of either.

Asked before anything is ranked: who types a name wants what it is here, or what does its job.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from pytest_sema_bench.docsearch.corpus import Corpus
from pytest_sema_bench.docsearch.entry import Entry, Foreign, without_namespace
from pytest_sema_bench.docsearch.subject import counterpart
from pytest_sema_bench.docsearch.words import (
    is_telling,
    looks_like_name,
    split_name,
    stem,
    tokens_of,
)

_LANGUAGES = frozenset(
    {"clojure", "clojurescript", "scheme", "racket", "common-lisp", "lisp", "elisp", "emacs"}
    | {"python", "javascript", "js", "typescript", "ruby", "java", "haskell"}
)
_NEAR = 80.0
"""Similarity in percent from which a name may be a misspelling of another."""
_N_NEAR = 3
# The name that a shape calls: `fn` of `(fn (x) …)`; one such as `#(…)` calls none.
_HEAD = re.compile(r"\(([^\s()\[\]{}]+)\s")


NOTATION = "syntax"
"""The module of entries that are about notation, such as `#(…)`, and bear no name to call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the names in a query lead to."""

    exact: Entry | None = None
    """The entry whose name the query is, and nothing else."""
    first: tuple[tuple[Entry, Foreign | None], ...] = ()
    """Entries to show first, with the row that led to each if it was a foreign name."""
    near: tuple[tuple[Entry, float], ...] = ()
    """Entries whose names resemble a name in the query, with a similarity of 0 to 1."""


class NameLookup:
    """All names, ready to be looked up."""

    def __init__(self, corpus: Corpus, vocabulary: Iterable[str]) -> None:
        self._entries = {name: entry for entry in corpus.entries for name in entry.names}
        self._lower = {name.lower(): entry for name, entry in self._entries.items()}
        self._rows: dict[str, list[Foreign]] = {}
        self._bare_rows: dict[str, list[Foreign]] = {}
        for row in corpus.foreign:
            for name in row.names:
                self._rows.setdefault(_plain(name), []).append(row)
                for bare in without_namespace(_plain(name)):
                    self._bare_rows.setdefault(bare, []).append(row)
        self._vocabulary = frozenset(vocabulary)
        self._all_names = [*self._entries, *self._rows]
        self._squeezed = [_squeeze(name) for name in self._all_names]

    def own(self, token: str) -> Entry | None:
        """The entry that bears a name, in whatever case it is written."""
        return self._entries.get(token) or self._lower.get(token.lower())

    def to_call(self, entry: Entry) -> str:
        """The entry's name; for notation the form that it stands for: `fn` for `#(…)`."""
        if entry.module != NOTATION:
            return entry.name
        head = _HEAD.match(entry.shape)
        for name in (*(head.groups() if head else ()), *entry.see):
            other = self._entries.get(name)
            if other is not None and other.module != NOTATION:
                return name
        return entry.name

    def look_up(self, query: str) -> Named:
        """What the names in the query lead to; empty where there are none."""
        tokens = [*self._without_slashes(tokens_of(query))]
        whole = tokens[0] if len(tokens) == 1 else None
        if whole is not None and (entry := self.own(whole)):
            return Named(exact=entry, first=((entry, None),))
        refused = counterpart(query, self.own)
        named = [token for token in tokens if refused is None or token != refused[0]]
        found: list[tuple[Entry, Foreign | None]] = [(refused[1], None)] if refused else []
        found += [hit for token in named for hit in self._own_in(token)]
        found += [hit for token in named for hit in self._foreign_in(token, tokens)]
        if found:
            return Named(first=_distinct(found))
        unknown = [
            token for token in tokens if self._is_unknown_name(token, alone=len(tokens) == 1)
        ]
        return Named(near=tuple(self._near(unknown)))

    def _without_slashes(self, tokens: Sequence[str]) -> Iterator[str]:
        """The tokens without a `/` that only stands between two names: `flet / labels`."""
        for before, word, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
            if word != "/" or not (self._is_known(before) and self._is_known(after)):
                yield word

    def _is_known(self, token: str) -> bool:
        return self.own(token) is not None or _plain(token) in self._rows

    def _own_in(self, token: str) -> Iterator[tuple[Entry, Foreign | None]]:
        if looks_like_name(token) and (entry := self.own(token)):
            yield entry, None

    def _foreign_in(
        self, token: str, tokens: Sequence[str]
    ) -> Iterator[tuple[Entry, Foreign | None]]:
        """The entries that a token leads to as a name of another language.

        An English word counts as such only if it is the whole query, if the query names a
        language, or if no text of the corpus uses it.
        """
        languages = {other.lower() for other in tokens} & _LANGUAGES
        strange = looks_like_name(token) or self._is_unknown_word(token)
        if not (strange or languages or len(tokens) == 1) or token.lower() in _LANGUAGES:
            return
        row = self._row(token, languages)
        if row is not None:
            for name in row.sema:
                if entry := self._entries.get(name):
                    yield entry, row
        elif strange:
            for bare in without_namespace(_plain(token)):
                if entry := self.own(bare):
                    yield entry, None
                    return

    def _row(self, token: str, languages: set[str]) -> Foreign | None:
        """The row of a name, of one of the languages where there are several."""
        name = _plain(token)
        rows = self._rows.get(name, [])
        for bare in without_namespace(name):
            rows = rows or self._rows.get(bare, [])
        rows = rows or (self._bare_rows.get(name, []) if not self.own(token) else [])
        spoken = [row for row in rows if languages & {name.lower() for name in row.languages}]
        return next(iter(spoken or rows), None)

    def _is_unknown_name(self, token: str, *, alone: bool) -> bool:
        return looks_like_name(token) or (alone and self._is_unknown_word(token))

    def _is_unknown_word(self, token: str) -> bool:
        return is_telling(token) and stem(token.lower()) not in self._vocabulary

    def _near(self, tokens: Sequence[str]) -> Iterator[tuple[Entry, float]]:
        for token in tokens:
            matches = process.extract(
                _squeeze(token),
                self._squeezed,
                scorer=fuzz.ratio,
                score_cutoff=_NEAR,
                limit=_N_NEAR,
            )
            for _, similarity, number in matches:
                name = self._all_names[number]
                targets = [name] if name in self._entries else self._rows[name][0].sema
                for target in targets:
                    if entry := self._entries.get(target):
                        yield entry, similarity / 100


def _plain(name: str) -> str:
    return name.lower().removesuffix("()")


def _squeeze(name: str) -> str:
    return " ".join(split_name(name)) or name


def _distinct(
    found: Sequence[tuple[Entry, Foreign | None]],
) -> tuple[tuple[Entry, Foreign | None], ...]:
    seen: dict[str, tuple[Entry, Foreign | None]] = {}
    for entry, row in found:
        seen.setdefault(entry.name, (entry, row))
    return tuple(seen.values())
