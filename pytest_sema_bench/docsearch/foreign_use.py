"""Names that Sema does not have: where they come from, and whether the right one followed."""

from collections.abc import Sequence
from typing import Any

from pytest_sema_bench.docsearch.hints import foreign_row
from pytest_sema_bench.sema.names import symbols_in


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
