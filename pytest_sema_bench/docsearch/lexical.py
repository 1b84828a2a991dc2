"""The default search: names first, then the short texts of each entry, ranked by BM25.

The score of an entry is that of its best text, plus what each term of the query finds anywhere
in it. A word that no text holds stands for the words it may be a misspelling of. A synonym
counts only for what is found anywhere, and for less than the word itself.
"""

import gc
from collections import defaultdict
from collections.abc import Mapping

from rapidfuzz import fuzz, process

from pytest_sema_bench.docsearch.corpus import Corpus, load_corpus
from pytest_sema_bench.docsearch.entry import Entry, Foreign
from pytest_sema_bench.docsearch.index import Parts, Scores, build_index
from pytest_sema_bench.docsearch.lookup import NameBook, Named
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit
from pytest_sema_bench.docsearch.words import (
    Thesaurus,
    is_telling,
    terms_of,
    tokens_of,
    without_preamble,
)

MAX_QUERY_CHARS = 400
"""More of a query is not read."""


# How what matches is weighed, found on the development queries.
_SPREAD = 1.5
"""Weight of what the terms find anywhere in an entry, beside its best text."""
_SYNONYM = 0.5
_NEAR_TERM = 0.7
_BARE_NAME = 0.2
"""Weight of a word that is a name as well, such as `first`, times the best score."""
_NEAR_NAME = 1.0
"""Weight of a misspelt name, times the best score of all entries."""


class LexicalSearch:
    """Search without network and without a model."""

    def __init__(self, corpus: Corpus, parts: Parts | None = None) -> None:
        self._corpus = corpus
        self._parts = parts or Parts()
        self._index = build_index(corpus, self._parts)
        self._numbers = {entry.name: n for n, entry in enumerate(corpus.entries)}
        self._vocabulary = [term for term in self._index.by_text if term.isalpha()]
        self._thesaurus = Thesaurus(corpus.synonyms if self._parts.synonyms else ())
        self._names = NameBook(corpus, self._index.own_terms, foreign=self._parts.foreign)

    @classmethod
    def bundled(cls) -> "LexicalSearch":
        """Search in the corpus of the package, read and indexed anew. Raises DocsError."""
        # The garbage collector would walk the growing corpus again and again, for nothing: a
        # third of the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            return cls(load_corpus())
        finally:
            if collects:
                gc.enable()

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
        rows = {entry.name: row for entry, row in named.first}
        hits = tuple(self.hit(number, scores[number], rows) for number in best(scores, n))
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

    def scores(self, query: str) -> defaultdict[int, float]:
        """The scores of the entries that a query's words lead to, by their number."""
        index = self._index
        in_text: defaultdict[int, float] = defaultdict(float)
        scores: defaultdict[int, float] = defaultdict(float)
        terms = terms_of(without_preamble(query), split=self._parts.splitting)
        for term in dict.fromkeys(terms):
            own = self._spellings(term)
            _add(in_text, _best_of(index.by_text, own))
            _add(scores, _best_of(index.by_entry, self._synonyms(term) | own), _SPREAD)
        for stems in self._thesaurus.phrases(query):
            meant = dict.fromkeys(stems, _SYNONYM)
            _add(scores, _best_of(index.by_entry, meant), _SPREAD)
        best_text: dict[int, float] = {}
        for number, score in in_text.items():
            owner = index.owners[number]
            best_text[owner] = max(best_text.get(owner, 0.0), score)
        _add(scores, best_text)
        if self._parts.short_texts:
            self._lift_bare_names(scores, query)
        return scores

    def _lift_bare_names(self, scores: defaultdict[int, float], query: str) -> None:
        """A lead for entries whose name is a plain word of the query, such as `first`."""
        lead = _BARE_NAME * max(scores.values(), default=0.0)
        for token in tokens_of(query):
            if is_telling(token) and (entry := self._names.own(token)):
                scores[self._numbers[entry.name]] += lead

    def _spellings(self, term: str) -> dict[str, float]:
        """The term, or terms of the index that an unknown word resembles, with weights."""
        if term in self._index.by_text or not term.isalpha():
            return {term: 1.0}
        return dict.fromkeys(self._near_terms(term), _NEAR_TERM)

    def _synonyms(self, term: str) -> dict[str, float]:
        """What can stand for a term; for `text>number` the pairs of what can stand for either."""
        before, arrow, after = term.partition(">")
        if not (before and arrow and after):
            return dict.fromkeys(self._thesaurus.words(term), _SYNONYM)
        froms = (before, *self._thesaurus.words(before))
        tos = (after, *self._thesaurus.words(after))
        return {f"{one}>{other}": _SYNONYM for one in froms for other in tos}

    def _near_terms(self, term: str) -> list[str]:
        """Terms of the index that an unknown word resembles."""
        if len(term) < 4:
            return []
        near = process.extract(term, self._vocabulary, scorer=fuzz.ratio, score_cutoff=80, limit=3)
        return [match[0] for match in near]

    def _lift(self, scores: defaultdict[int, float], named: Named) -> None:
        """Put what was named before all else, in its order, and what nearly was among the best."""
        top = max(scores.values(), default=0.0) + 1.0
        for entry, similarity in named.near:
            scores[self._numbers[entry.name]] += _NEAR_NAME * similarity**2 * top
        top = max(scores.values(), default=0.0) + 1.0
        for place, (entry, _) in enumerate(named.first):
            scores[self._numbers[entry.name]] = top + len(named.first) - place


def best(scores: Scores, n: int) -> list[int]:
    """The numbers with the highest scores, the best first, of equals the lower number first."""
    return sorted(scores, key=lambda number: (-scores[number], number))[:n]


def _best_of(postings: Mapping[str, Scores], meaning: Mapping[str, float]) -> dict[int, float]:
    """What the best of several terms, each with its weight, adds to each text or entry."""
    found: dict[int, float] = {}
    for term, weight in meaning.items():
        for number, score in postings.get(term, {}).items():
            if (weighted := weight * score) > found.get(number, 0.0):
                found[number] = weighted
    return found


def _add(scores: defaultdict[int, float], more: Mapping[int, float], weight: float = 1.0) -> None:
    for number, score in more.items():
        scores[number] += weight * score
