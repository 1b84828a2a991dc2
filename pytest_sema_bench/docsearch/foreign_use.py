"""Names that Sema does not have: where they come from, and whether the right one followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.docsearch.hints import foreign_row
from pytest_sema_bench.sema.names import symbols_in


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignUse:
    """A name of another language that was unbound in a program."""

    name: str
    languages: tuple[str, ...]
    """Where it comes from, as the table of foreign names says."""
    found: bool
    """Whether a later program did without it and used a name that Sema has instead."""

    def as_json(self) -> dict[str, Any]:
        """What a record holds."""
        return {"name": self.name, "from": list(self.languages), "found": self.found}


def foreign_use(programs: Sequence[tuple[str, str | None]], version: str) -> tuple[ForeignUse, ...]:
    """Each foreign name once; `programs` are sources in order, each with the name it lacked."""
    uses: dict[str, ForeignUse] = {}
    for place, (source, unbound) in enumerate(programs):
        if unbound is None:
            continue
        foreign = foreign_row(unbound, source, version)
        if foreign is None or foreign[0] in uses:
            continue
        name, row = foreign
        later = [symbols_in(after) for after, _ in programs[place + 1 :]]
        found = any(name not in used and used & set(row.sema) for used in later)
        uses[name] = ForeignUse(name=name, languages=row.languages, found=found)
    return tuple(uses.values())
