"""Whether searching helped: at which place the names that an answer uses had been found."""

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_sema_bench.docsearch.search import Found
from pytest_sema_bench.sema.names import names_bound, symbols_in


def docs_use(blocks: Iterable[str], searches: Sequence[Found]) -> dict[str, Any]:
    """What a record says of the searches of a conversation (see `Record.docs`).

    `blocks` are the sources that were extracted from the answer.
    """
    sources = tuple(blocks)
    used = frozenset().union(*map(symbols_in, sources))
    own = frozenset().union(*map(names_bound, sources))
    return {
        "searches": len(searches),
        "empty": sum(not found.hits for found in searches),
        "fallbacks": sum(found.fallback is not None for found in searches),
        "used": ranks_of_used(used - own, searches),
    }


def ranks_of_used(names: Iterable[str], searches: Sequence[Found]) -> dict[str, int]:
    """The best place of each name among the hits of all searches, without names never found."""
    ranks: dict[str, int] = {}
    for name in sorted(names):
        places = [rank for found in searches if (rank := found.rank_of(name)) is not None]
        if places:
            ranks[name] = min(places)
    return ranks
