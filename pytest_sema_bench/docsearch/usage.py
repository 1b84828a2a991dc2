"""What became of searching, and of names that Sema does not have, as records say it."""

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_sema_bench.docsearch.hints import foreign_row
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


def foreign_use(programs: Sequence[tuple[str, str | None]], version: str) -> list[dict[str, Any]]:
    """Each foreign name once, as records have them (see `Record.foreign`).

    `programs` are sources in order, each with the name it lacked.
    """
    uses: dict[str, dict[str, Any]] = {}
    for place, (source, unbound) in enumerate(programs):
        if unbound is None:
            continue
        foreign = foreign_row(unbound, source, version)
        if foreign is None or foreign[0] in uses:
            continue
        name, row = foreign
        later = [symbols_in(after) for after, _ in programs[place + 1 :]]
        found = any(name not in used and used & set(row.sema) for used in later)
        uses[name] = {"name": name, "from": list(row.languages), "found": found}
    return list(uses.values())
