"""The default search: names first, then the short texts of each entry, ranked by BM25.

The score of an entry is that of its best text, plus what each term of the query finds anywhere
in it. A word that no text holds stands for the words it may be a misspelling of. A synonym
counts only for what is found anywhere, and for less than the word itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

from pytest_sema_bench.docsearch.corpus import Corpus
from pytest_sema_bench.docsearch.entry import Entry, Foreign
from pytest_sema_bench.docsearch.index import Index, Parts, Scores, build_index
from pytest_sema_bench.docsearch.index_cache import open_index
from pytest_sema_bench.docsearch.lookup import NameBook, Named
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit
from pytest_sema_bench.docsearch.thesaurus import Thesaurus
from pytest_sema_bench.docsearch.words import is_telling, terms_of, tokens_of, without_preamble

MAX_QUERY_CHARS = 400
"""More of a query is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How what matches is weighed, found on the development queries."""

    spread: float = 1.5
    """Weight of what the terms find anywhere in an entry, beside its best text."""
    synonym: float = 0.5
    near_term: float = 0.7
    bare_name: float = 0.2
    """Weight of a word that is a name as well, such as `first`, times the best score."""
    near_name: float = 1.0
    """Weight of a misspelt name, times the best score of all entries."""


class LexicalSearch:
    """Search without network and without a model."""

    def __init__(
        self,
        corpus: Corpus,
        index: Index,
        parts: Parts | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        parts = parts or Parts()
        self._corpus = corpus
        self._index = index
        self._parts = parts
        self._tuning = tuning or Tuning()
        self._numbers = {entry.name: n for n, entry in enumerate(corpus.entries)}
        self._vocabulary = [term for term in index.vocabulary if term.isalpha()]
        self._thesaurus = Thesaurus(corpus.synonyms if parts.synonyms else ())
        self._names = NameBook(corpus, index.own_terms, foreign=parts.foreign)

    @classmethod
    def bundled(cls) -> "LexicalSearch":
        """Search in the corpus of the package, its index from the cache. Raises DocsError."""
        return cls(*open_index())

    @classmethod
    def without(cls, corpus: Corpus, parts: Parts) -> "LexicalSearch":
        """Search that makes use of `parts` only, its index built anew."""
        return cls(corpus, build_index(corpus, parts), parts)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that can be found."""
        return self._corpus.entries

    async def find(self, query: str, n: int = N_SHOWN) -> Found:
        """See Search.find."""
        return self.find_now(query, n)

    async def close(self) -> None:
        """Nothing is open."""

    def find_now(self, query: str, n: int = N_SHOWN) -> Found:
        """The same without an event loop."""
        query = query[:MAX_QUERY_CHARS]
        named = self._names.look_up(query) if self._parts.short_texts else Named()
        scores = self.scores(query)
        self._lift(scores, named)
        order = np.lexsort((np.arange(len(scores)), -scores))[:n]
        rows = {entry.name: row for entry, row in named.first}
        hits = tuple(
            self.hit(number, float(scores[number]), rows) for number in order if scores[number] > 0
        )
        return Found(query=query, hits=hits, exact=named.exact is not None)

    def hit(
        self, number: int, score: float, rows: Mapping[str, Foreign | None] | None = None
    ) -> Hit:
        """The hit of an entry, given by its place; `rows` says which foreign row led there."""
        entry = self.entries[number]
        return Hit(
            entry=entry,
            name=self._names.to_call(entry),
            score=round(score, 4),
            foreign=(rows or {}).get(entry.name),
        )

    def scores(self, query: str) -> Scores:
        """The score of every entry for the words of a query, 0 for no match."""
        index = self._index
        in_text = np.zeros(len(index.weights), dtype=np.float32)
        anywhere = np.zeros(len(index.starts), dtype=np.float32)
        terms = terms_of(without_preamble(query), split=self._parts.splitting)
        for term in dict.fromkeys(terms):
            by_text = self._scores_of(self._spellings(term))
            in_text += by_text
            by_text = np.maximum(by_text, self._scores_of(self._synonyms(term)))
            anywhere += index.best_by_entry(by_text * index.weights)
        for stems in self._thesaurus.phrases(query):
            by_text = self._scores_of(dict.fromkeys(stems, self._tuning.synonym))
            anywhere += index.best_by_entry(by_text * index.weights)
        scores = index.best_by_entry(in_text * index.weights) + self._tuning.spread * anywhere
        if self._parts.short_texts:
            self._lift_bare_names(scores, query)
        return scores

    def _lift_bare_names(self, scores: Scores, query: str) -> None:
        """A lead for entries whose name is a plain word of the query, such as `first`."""
        lead = self._tuning.bare_name * float(scores.max(initial=0.0))
        for token in tokens_of(query):
            if is_telling(token) and (entry := self._names.own(token)):
                scores[self._numbers[entry.name]] += lead

    def _scores_of(self, meaning: Mapping[str, float]) -> Scores:
        """What the best of several terms adds to each text."""
        scores = np.zeros(len(self._index.weights), dtype=np.float32)
        for term, weight in meaning.items():
            texts, found = self._index.postings(term)
            scores[texts] = np.maximum(scores[texts], np.float32(weight) * found)
        return scores

    def _spellings(self, term: str) -> dict[str, float]:
        """The term, or terms of the index that an unknown word resembles, with weights."""
        if term in self._index.vocabulary or not term.isalpha():
            return {term: 1.0}
        return dict.fromkeys(self._near_terms(term), self._tuning.near_term)

    def _synonyms(self, term: str) -> dict[str, float]:
        """What can stand for a term; for `text>number` the pairs of what can stand for either."""
        before, arrow, after = term.partition(">")
        if not (before and arrow and after):
            return dict.fromkeys(self._thesaurus.words(term), self._tuning.synonym)
        froms = (before, *self._thesaurus.words(before))
        tos = (after, *self._thesaurus.words(after))
        return {f"{one}>{other}": self._tuning.synonym for one in froms for other in tos}

    def _near_terms(self, term: str) -> list[str]:
        """Terms of the index that an unknown word resembles."""
        if len(term) < 4:
            return []
        near = process.extract(term, self._vocabulary, scorer=fuzz.ratio, score_cutoff=80, limit=3)
        return [match[0] for match in near]

    def _lift(self, scores: Scores, named: Named) -> None:
        """Put what was named before all else, in its order, and what nearly was among the best."""
        top = float(scores.max(initial=0.0)) + 1.0
        for entry, similarity in named.near:
            scores[self._numbers[entry.name]] += self._tuning.near_name * similarity**2 * top
        top = float(scores.max(initial=0.0)) + 1.0
        for place, (entry, _) in enumerate(named.first):
            scores[self._numbers[entry.name]] = top + len(named.first) - place
