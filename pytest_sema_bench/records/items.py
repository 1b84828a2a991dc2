"""What a run set out to do: its items, which are the entries of items.json."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.records.identity import ItemKey, Setup
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import SuiteId, level_name

Pairing = tuple["PlannedItem", Record | None]
"""An item and its record, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """An item that a run set out to do."""

    item: ItemKey
    suite: SuiteId | None = None
    level: str | None
    key: str | None = None
    """Content hash of what is asked, as in records; older runs did not write it down."""
    task_hash: str | None = None

    @classmethod
    def of(cls, record: Record) -> "PlannedItem":
        """The item that a record is about."""
        return cls(
            item=record.item,
            suite=record.suite,
            level=record.level,
            key=record.key,
            task_hash=record.task_hash,
        )

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "PlannedItem":
        """The item of an entry. Raises KeyError or TypeError for what is none."""
        setup = Setup(entry["model"], entry["config"])
        return cls(
            item=ItemKey(entry["task"], setup, entry["sample"]),
            suite=SuiteId.from_json(entry.get("suite")),
            level=level_name(entry["level"]),
            key=entry.get("key"),
            task_hash=entry.get("task_hash"),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry of items.json."""
        return {
            "key": self.key,
            "suite": self.suite and self.suite.as_json(),
            "task": self.item.task,
            "level": self.level,
            "model": self.item.setup.model,
            "config": self.item.setup.config,
            "sample": self.item.sample,
            "task_hash": self.task_hash,
        }


def paired(records: Iterable[Record], planned: Iterable[PlannedItem] = ()) -> list[Pairing]:
    """Each item with its record, None where it has none; what has a record is an item too."""
    by_item = {record.item: record for record in records}
    items = {entry.item: entry for entry in planned}
    for item, record in by_item.items():
        items.setdefault(item, PlannedItem.of(record))
    return [(entry, by_item.get(item)) for item, entry in items.items()]
