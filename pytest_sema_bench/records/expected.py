"""What a run set out to do: one entry for each item."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import level_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An item that the run set out to do."""

    task: str
    level: str | None
    model: str
    config: str
    sample: int

    @classmethod
    def of(cls, record: Record) -> "Expected":
        """The item that a record is about."""
        return cls(
            task=record.task,
            level=record.level,
            model=record.model,
            config=record.config,
            sample=record.sample,
        )


def expected_items(entries: Iterable[Mapping[str, Any]]) -> list[Expected]:
    """The items that a run set out to do, from the entries of items.json.

    Raises KeyError or TypeError for what is no such entry.
    """
    names = [name for name in Expected.__dataclass_fields__ if name != "level"]
    return [
        Expected(level=level_name(entry["level"]), **{name: entry[name] for name in names})
        for entry in entries
    ]
