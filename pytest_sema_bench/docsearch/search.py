"""What a search is, whatever finds: a query in, hits out. `choose` makes one."""

from dataclasses import dataclass
from typing import Protocol

from pytest_sema_bench.docsearch.entry import Entry, Foreign

N_SHOWN = 5
"""Hits that an agent is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that was found."""

    entry: Entry
    name: str
    """The entry's name; of an entry about notation the form that it is notation for."""
    score: float
    """Comparable within one result only."""
    foreign: Foreign | None = None
    """The row that led here, if the query holds a name of another language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one query gave."""

    query: str
    hits: tuple[Hit, ...]
    """The best first; () if nothing fits."""
    exact: bool = False
    """Whether the query is the name of the first hit, and nothing else."""
    fallback: str | None = None
    """Why the service that was asked could not answer, so that lexical search did."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the hits, the best first, each once."""
        return tuple(dict.fromkeys(hit.name for hit in self.hits))

    def rank_of(self, name: str) -> int | None:
        """The place, from 1, of the hit that bears the name or the alias; None if none does."""
        places = (n for n, hit in enumerate(self.hits, 1) if name in (hit.name, *hit.entry.names))
        return next(places, None)


class Search(Protocol):
    """A way to search the documentation."""

    async def find(self, query: str, n: int = N_SHOWN) -> Found:
        """The `n` best entries at most. Raises only for faults of our own."""
        ...

    async def close(self) -> None:
        """Close connections; it can be called more than once."""
        ...
