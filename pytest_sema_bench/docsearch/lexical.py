"""The default search: names first, then the short texts of each entry, ranked by BM25.

The score of an entry is that of its best text, plus what each term of the query finds anywhere
in it. A word that no text holds stands for the words it may be a misspelling of. A synonym
counts only for what is found anywhere, and for less than the word itself.
"""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from rapidfuzz import fuzz, process

from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.docsearch.corpus import Corpus, load_corpus
from pytest_sema_bench.docsearch.entry import Entry, Foreign
from pytest_sema_bench.docsearch.in_dialect import corpus_in
from pytest_sema_bench.docsearch.index import Scores, build_index
from pytest_sema_bench.docsearch.lookup import Named, NameLookup
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit
from pytest_sema_bench.docsearch.subject import subjects
from pytest_sema_bench.docsearch.words import (
    ParsedQuery,
    Thesaurus,
    is_telling,
    stem,
    terms_of,
    tokens_of,
)

_MIN_JOINED = 6
"""Letters of two words that may be one: `sub string`, not `a list`."""
MAX_QUERY_CHARS = 400
"""More of a query is not read."""


# How what matches is weighed, found on the development queries.
_SPREAD = 1.5
"""Weight of what the terms find anywhere in an entry, beside its best text."""
_SYNONYM = 0.5
_NEAR_TERM = 0.7
_BARE_NAME = 0.1
"""Weight of a word that is a name as well, times the best score."""
_SUBJECT = 0.6
"""Weight of a name that the query asks about, times the best score."""
_WHOLE_TEXT = 0.2
"""Weight of a text that says just what the query says, times the best score."""
_NEAR_NAME = 1.0
"""Weight of a misspelt name, times the best score of all entries."""
_TEST, _MIN_MET = 1.4, 0.25
"""What the score of a name in `?` is multiplied by where a yes or no is wanted, if its entry has
such a share of the query's terms."""
_N_KEPT, _FAR_BELOW = 2, 0.55
"""After so many hits, one with less than this share of the best score is filler."""


class LexicalSearch:
    """Search without network and without a model."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._index = build_index(corpus)
        self._tests = {
            n for n, e in enumerate(corpus.entries) if any(name.endswith("?") for name in e.names)
        }
        self._numbers = {entry.name: n for n, entry in enumerate(corpus.entries)}
        self._vocabulary = [term for term in self._index.by_text if term.isalpha()]
        self._thesaurus = Thesaurus(corpus.synonyms)
        self._names = NameLookup(corpus, self._index.own_terms)

    @classmethod
    def bundled(cls, version: str | None = None, dialect: Dialect | None = None) -> "LexicalSearch":
        """Search in all of the corpus, or in what holds for a version of Sema. Raises FileError."""
        # The garbage collector would walk the growing corpus again and again, for nothing: a
        # third of the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            corpus = load_corpus()
            corpus = corpus if version is None else corpus.on(version)
            return cls(corpus if dialect is None else corpus_in(corpus, dialect))
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
        named = self._names.look_up(query)
        scores = self.scores(query)
        self._lift(scores, named)
        rows = {entry.name: row for entry, row in named.first}
        hits = tuple(self.hit(number, scores[number], rows) for number in _fitting(scores, n))
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
        index, question = self._index, ParsedQuery.of(query)
        in_text: defaultdict[int, float] = defaultdict(float)
        scores: defaultdict[int, float] = defaultdict(float)
        n_met: Counter[int] = Counter()
        terms = tuple(self._terms(question))
        for term in terms:
            own = self._spellings(term)
            _add(in_text, _best_of(index.by_text, own))
            found = _best_of(index.by_entry, self._synonyms(term) | own)
            n_met.update(found.keys())
            _add(scores, found, _SPREAD)
        for stems in self._thesaurus.phrases(question.text):
            meant = dict.fromkeys(stems, _SYNONYM)
            _add(scores, _best_of(index.by_entry, meant), _SPREAD)
        best_text: dict[int, float] = {}
        for number, score in in_text.items():
            owner = index.owners[number]
            best_text[owner] = max(best_text.get(owner, 0.0), score)
        _add(scores, best_text)
        about = self._about(query)
        if question.wants_yes_or_no and not about:
            for number in self._tests & scores.keys():
                if n_met[number] >= _MIN_MET * len(terms):
                    scores[number] *= _TEST
        best = max(scores.values(), default=0.0)
        if not (about and question.wants_yes_or_no):
            _add(scores, self._leads(question, terms), best)
        _add(scores, about, best)
        return scores

    def _terms(self, question: ParsedQuery) -> Iterator[str]:
        """The terms of a question, each once; `white space` is `whitespace` as well."""
        terms = dict.fromkeys(terms_of(question.terse))
        yield from terms
        for one, other in pairwise(question.terse.lower().split()):
            together = stem(one + other)
            if len(together) >= _MIN_JOINED and together in self._index.by_text.keys() - terms:
                yield together

    def _about(self, query: str) -> dict[int, float]:
        """The entries that the query names and asks about."""
        found = subjects(query, self._names.own)
        return {self._numbers[entry.name]: _SUBJECT for entry in found}

    def _leads(self, question: ParsedQuery, terms: Sequence[str]) -> dict[int, float]:
        """Entries with a text of just these terms or a name among the words, such as `first`."""
        leads = dict.fromkeys(self._index.by_whole.get(frozenset(terms), ()), _WHOLE_TEXT)
        for token in tokens_of(question.terse):
            if is_telling(token) and (entry := self._names.own(token)):
                number = self._numbers[entry.name]
                leads[number] = leads.get(number, 0.0) + _BARE_NAME
        if question.wants_yes_or_no:
            leads = {number: lead for number, lead in leads.items() if number in self._tests}
        return leads

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


def _fitting(scores: Scores, n: int) -> list[int]:
    """The `n` best at most, without filler; of equals the lower number first."""
    best = sorted(scores, key=lambda number: (-scores[number], number))[:n]
    least = _FAR_BELOW * scores[best[0]] if best else 0.0
    return [
        number for place, number in enumerate(best) if place < _N_KEPT or scores[number] >= least
    ]


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
