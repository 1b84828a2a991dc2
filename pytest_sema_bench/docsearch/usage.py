"""Whether searching helped: at which place the names that an answer uses had been found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.docsearch.search import Found
from pytest_sema_bench.sema.names import names_bound, symbols_in


@dataclass(frozen=True, slots=True, kw_only=True)
class DocsUse:
    """What the searches of one conversation came to."""

    n_searches: int = 0
    n_empty: int = 0
    """Searches that found nothing."""
    n_fallbacks: int = 0
    """Searches that the service could not answer, so that the lexical search did."""
    ranks: tuple[tuple[str, int], ...] = ()
    """Names of the answer that searches had shown, each with the best place it had, from 1."""

    def as_json(self) -> dict[str, Any]:
        """What a record holds."""
        return {
            "searches": self.n_searches,
            "empty": self.n_empty,
            "fallbacks": self.n_fallbacks,
            "used": dict(self.ranks),
        }


def docs_use(blocks: Iterable[str], searches: Sequence[Found]) -> DocsUse:
    """What became of the searches in an answer, given as the sources that were extracted."""
    sources = tuple(blocks)
    used = frozenset().union(*map(symbols_in, sources)) if sources else frozenset()
    own = frozenset().union(*map(names_bound, sources)) if sources else frozenset()
    return DocsUse(
        n_searches=len(searches),
        n_empty=sum(not found.hits for found in searches),
        n_fallbacks=sum(found.fallback is not None for found in searches),
        ranks=tuple(ranks_of_used(used - own, searches).items()),
    )


def ranks_of_used(names: Iterable[str], searches: Sequence[Found]) -> dict[str, int]:
    """The best place of each name among the hits of all searches, without names never found."""
    ranks: dict[str, int] = {}
    for name in sorted(names):
        places = [rank for found in searches if (rank := found.rank_of(name)) is not None]
        if places:
            ranks[name] = min(places)
    return ranks
