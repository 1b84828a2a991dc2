"""The index: each entry as many short texts, scored apart by BM25.

A name, a sentence and each intent are texts of their own, so that a query that meets one
intent well is not drowned by the words of all the others. How the scores of single terms are
put together is decided in `lexical`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from math import log

from pytest_sema_bench.docsearch.corpus import Corpus
from pytest_sema_bench.docsearch.entry import Entry
from pytest_sema_bench.docsearch.words import split_name, terms_of

_K1, _B = 0.9, 0.5
_SPELLED_OUT = {"char": "character", "chars": "characters", "vals": "values", "fn": "function"}
"""Parts of names that nobody says as they are written."""

Scores = Mapping[int, float]
"""By number of a text or an entry; what is not there has the score 0."""


class TextKind(Enum):
    """Which part of an entry a text is."""

    NAME = "name"
    SUMMARY = "summary"
    INTENT = "intent"
    SHAPE = "shape"
    EDGE = "edge"
    FOREIGN = "foreign"


WEIGHTS = {
    TextKind.NAME: 1.15,
    TextKind.SUMMARY: 1.0,
    TextKind.INTENT: 1.0,
    TextKind.SHAPE: 0.4,
    TextKind.EDGE: 0.3,
    TextKind.FOREIGN: 0.8,
}
"""How much a match in a text counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What each term adds to the texts and entries that hold it, in the order of the entries."""

    owners: tuple[int, ...]
    """By text, the number of its entry."""
    by_text: Mapping[str, Scores]
    by_entry: Mapping[str, Scores]
    """The best that a term adds to any text of an entry."""
    by_whole: Mapping[frozenset[str], frozenset[int]]
    """The entries that have a text of just these terms."""
    own_terms: frozenset[str]
    """The terms that a text of ours holds, and not only a name of another language."""


def build_index(corpus: Corpus) -> Index:
    """The index of a corpus: BM25 as Lucene has it, times the weight of the kind of text."""
    abroad: dict[str, list[str]] = {}
    for row in corpus.foreign:
        for name in dict.fromkeys(row.sema):
            abroad.setdefault(name, []).append(" ".join(row.names))
    owners: list[int] = []
    texts: list[tuple[TextKind, Counter[str]]] = []
    for number, entry in enumerate(corpus.entries):
        for kind, text in _texts(entry, abroad):
            owners.append(number)
            texts.append((kind, Counter(terms_of(text))))
    n_holding = Counter(term for _, counts in texts for term in counts)
    rarity = {term: log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for term, n in n_holding.items()}
    n_terms = [counts.total() for _, counts in texts]
    mean = sum(n_terms) / max(len(texts), 1) or 1.0
    by_text: dict[str, dict[int, float]] = {term: {} for term in sorted(n_holding)}
    by_entry: dict[str, dict[int, float]] = {term: {} for term in sorted(n_holding)}
    for number, (kind, counts) in enumerate(texts):
        owner, weight = owners[number], WEIGHTS[kind]
        damping = _K1 * (1 - _B + _B * n_terms[number] / mean)
        for term, n in counts.items():
            score = weight * rarity[term] * n / (n + damping)
            by_text[term][number] = score
            by_entry[term][owner] = max(by_entry[term].get(owner, 0.0), score)
    by_whole: dict[frozenset[str], set[int]] = {}
    for owner, (_, counts) in zip(owners, texts, strict=True):
        by_whole.setdefault(frozenset(counts), set()).add(owner)
    own = (term for kind, counts in texts if kind is not TextKind.FOREIGN for term in counts)
    return Index(
        owners=tuple(owners),
        by_text=by_text,
        by_entry=by_entry,
        by_whole={terms: frozenset(found) for terms, found in by_whole.items()},
        own_terms=frozenset(own),
    )


def _said(name: str) -> str:
    """A name as one would say it, where marks in it are words; "" where there are none."""
    parts = split_name(name.replace("->", "/to-").removeprefix("/"))
    words = " ".join(_SPELLED_OUT.get(part, part) for part in parts)
    if name.endswith("?") and words:
        return f"{words} predicate"
    if " to " in words:
        return f"convert {words}"
    return "" if _SPELLED_OUT.keys().isdisjoint(parts) else words


def _texts(entry: Entry, abroad: Mapping[str, list[str]]) -> Iterator[tuple[TextKind, str]]:
    """The texts of an entry; `abroad` has the foreign names that lead to each of Sema's."""
    for name in entry.names:
        yield TextKind.NAME, name
        if said := _said(name):
            yield TextKind.NAME, said
    yield TextKind.SUMMARY, entry.summary
    yield TextKind.SHAPE, entry.shape
    for edge in entry.edges:
        yield TextKind.EDGE, edge.when or ""
    for intent in (*entry.intents, *entry.asked):
        yield TextKind.INTENT, intent
    for names in abroad.get(entry.name, ()):
        yield TextKind.FOREIGN, names
