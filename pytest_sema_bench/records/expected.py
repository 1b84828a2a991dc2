"""What a run set out to do: one entry for each item."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An item that the run set out to do."""

    task: str
    level: int | None
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
    names = Expected.__dataclass_fields__
    return [Expected(**{name: entry[name] for name in names}) for entry in entries]
