"""Suites and levels as records name them: which tasks these were, how levels are ordered."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from pytest_sema_bench.errors import SettingsError

L = TypeVar("L", bound=str | None)
_DIGITS = re.compile(r"(\d+)")
OTHER = "other"
"""What tables call the tasks that belong to no level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteId:
    """The suite that a task is from."""

    name: str
    version: int
    hash: str
    """Of the bytes of suite.yaml and all task files: equal hashes are equal files."""

    @property
    def label(self) -> str:
        """`core 2`, for people."""
        return f"{self.name} {self.version}"

    def as_json(self) -> dict[str, Any]:
        """What is written down of it."""
        return {"name": self.name, "version": self.version, "hash": self.hash}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "SuiteId | None":
        """What was written down; None for what was before there were suites, or has none."""
        return None if data is None else _shared(data["name"], data["version"], data["hash"])


@lru_cache
def _shared(name: str, version: int, hash_: str) -> SuiteId:
    """Kept in memory once, as thousands of records say the same."""
    return SuiteId(name=str(name), version=int(version), hash=str(hash_))


def hash_of_tasks(task_hashes: Mapping[str, str | None]) -> str | None:
    """A hash of tasks in their versions: equal ones can be compared. None for no tasks."""
    text = "\n".join(f"{task} {task_hashes[task]}" for task in sorted(task_hashes))
    return hashlib.sha256(text.encode()).hexdigest()[:16] if task_hashes else None


def one_suite(sources: Iterable[tuple[str, SuiteId | None]]) -> SuiteId | None:
    """The suite of runs that are taken together, each with its name; None if none of them has one.

    Versions may differ, as tasks are compared only where they are the same. Raises SettingsError
    for two suites.
    """
    first: tuple[str, SuiteId] | None = None
    for source, suite in sources:
        if suite is None:
            continue
        first = first or (source, suite)
        if suite.name != first[1].name:
            raise SettingsError(
                f"{first[0]} is of the suite {first[1].name} and {source} of {suite.name}, which "
                "have no task in common; compare runs of one suite"
            )
    return first and first[1]


def level_name(level: int | str | None) -> str | None:
    """A level's name; what was written before there were suites holds its number, 2 for L2."""
    return f"L{level}" if isinstance(level, int) else level


def in_order(levels: Iterable[L], known: Sequence[str] = ()) -> list[L]:
    """Each level once: as `known`, a suite's levels, has them, then others, then None or OTHER."""
    ranks = {name: rank for rank, name in enumerate(known)}

    def key(level: L) -> tuple[object, ...]:
        name = OTHER if level is None else str(level)
        # L10 comes behind L9: digits by their number, at the odd places of what is split.
        words = [int(p) if index % 2 else p for index, p in enumerate(_DIGITS.split(name))]
        return name == OTHER, ranks.get(name, len(ranks)), words

    return sorted(dict.fromkeys(levels), key=key)
