"""The index: each entry as many short texts, scored apart by BM25.

A name, a sentence and each intent are texts of their own, so that a query that meets one
intent well is not drowned by the words of all the others. The scores of single terms come
from `bm25s`; how they are put together is decided in `lexical`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import bm25s
import numpy as np
from numpy.typing import NDArray

from pytest_sema_bench.docsearch.corpus import Corpus
from pytest_sema_bench.docsearch.entry import Entry
from pytest_sema_bench.docsearch.words import split_name, terms_of

_K1, _B = 0.9, 0.5

Scores = NDArray[np.float32]
_NOWHERE = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))


class TextKind(Enum):
    """Which part of an entry a text is."""

    NAME = "name"
    SUMMARY = "summary"
    INTENT = "intent"
    SHAPE = "shape"
    EDGE = "edge"
    FOREIGN = "foreign"
    BODY = "body"
    """All parts in one, as plain BM25 has them."""


WEIGHTS = {
    TextKind.NAME: 1.15,
    TextKind.SUMMARY: 1.0,
    TextKind.INTENT: 1.0,
    TextKind.SHAPE: 0.4,
    TextKind.EDGE: 0.3,
    TextKind.FOREIGN: 0.8,
    TextKind.BODY: 1.0,
}
"""How much a match in a text counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the search makes use of; all of it, except when the worth of a part is measured."""

    intents: bool = True
    foreign: bool = True
    splitting: bool = True
    synonyms: bool = True
    short_texts: bool = True
    """False puts each entry into one text, as plain BM25 does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Term scores of all texts, in the order of their entries."""

    bm25: bm25s.BM25
    weights: Scores
    """By text."""
    starts: NDArray[np.int64]
    """Where the texts of each entry begin."""
    own: NDArray[np.bool_]
    """By term, whether a text of ours holds it, and not only a name of another language."""

    @property
    def vocabulary(self) -> dict[str, int]:
        """The terms and their ids."""
        terms: dict[str, int] = self.bm25.vocab_dict
        return terms

    @property
    def own_terms(self) -> frozenset[str]:
        """The terms that texts of ours hold."""
        return frozenset(term for term, number in self.vocabulary.items() if self.own[number])

    def postings(self, term: str) -> tuple[NDArray[np.int32], Scores]:
        """The texts that hold a term, each once, and what the term adds to each of them."""
        number = self.vocabulary.get(term)
        if number is None:
            return _NOWHERE
        start, end = self.bm25.scores["indptr"][number : number + 2]
        return self.bm25.scores["indices"][start:end], self.bm25.scores["data"][start:end]

    def best_by_entry(self, by_text: Scores) -> Scores:
        """For each entry the highest number among its texts."""
        best: Scores = np.maximum.reduceat(by_text, self.starts)
        return best


def build_index(corpus: Corpus, parts: Parts) -> Index:
    """The index of a corpus, made anew."""
    terms: list[list[str]] = []
    kinds: list[TextKind] = []
    starts: list[int] = []
    for entry in corpus.entries:
        starts.append(len(terms))
        texts = list(_texts(entry, corpus, parts))
        if not parts.short_texts:
            texts = [(TextKind.BODY, " ".join(text for _, text in texts))]
        for kind, text in texts:
            terms.append(terms_of(text, split=parts.splitting))
            kinds.append(kind)
    bm25 = bm25s.BM25(k1=_K1, b=_B, method="lucene")
    scores, vocabulary = _scores(bm25, terms)
    bm25.scores, bm25.vocab_dict = scores, vocabulary
    return Index(
        bm25=bm25,
        weights=np.array([WEIGHTS[kind] for kind in kinds], dtype=np.float32),
        starts=np.array(starts, dtype=np.int64),
        own=_are_own(vocabulary, terms, kinds),
    )


def _are_own(
    vocabulary: Mapping[str, int], terms: Sequence[Sequence[str]], kinds: Sequence[TextKind]
) -> NDArray[np.bool_]:
    own = np.zeros(len(vocabulary), dtype=np.bool_)
    for text, kind in zip(terms, kinds, strict=True):
        if kind is not TextKind.FOREIGN:
            own[[vocabulary[term] for term in text]] = True
    return own


def _scores(bm25: bm25s.BM25, terms: list[list[str]]) -> tuple[dict[str, object], dict[str, int]]:
    """The term matrix, with term numbers in alphabetic order so that two builds are equal."""
    vocabulary = {term: n for n, term in enumerate(sorted({t for text in terms for t in text}))}
    ids = [[vocabulary[term] for term in text] for text in terms]
    scores = bm25.build_index_from_ids(list(vocabulary.values()), ids, show_progress=False)
    return scores, vocabulary


def _said(name: str) -> str:
    """A name as one would say it, where marks in it are words; "" where there are none."""
    words = " ".join(split_name(name.replace("->", "/to-").removeprefix("/")))
    if name.endswith("?") and words:
        return f"{words} predicate"
    return f"convert {words}" if " to " in words else ""


def _texts(entry: Entry, corpus: Corpus, parts: Parts) -> Iterator[tuple[TextKind, str]]:
    for name in entry.names:
        yield TextKind.NAME, name
        if parts.splitting and (said := _said(name)):
            yield TextKind.NAME, said
    yield TextKind.SUMMARY, entry.summary
    yield TextKind.SHAPE, entry.shape
    for edge in entry.edges:
        yield TextKind.EDGE, edge.when or ""
    if parts.intents:
        for intent in entry.intents:
            yield TextKind.INTENT, intent
    if parts.foreign:
        for row in corpus.foreign:
            if entry.name in row.sema:
                yield TextKind.FOREIGN, " ".join(row.names)
