"""The one reader of a run folder: what it set out to do, what came of it, what run.json says.

Which records count is decided here for everybody who reads a run. A record of a question that the
run does not ask any more, since its task changed before it was taken up again, does not count. Of
several records of an item a graded one counts before a void one, then the first; of several void
ones the last, which says how it ended.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pytest_sema_bench.errors import BenchError, DamagedFile
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import SuiteId
from pytest_sema_bench.settings import DEFAULT_SUITE

T = TypeVar("T")
RUN_FILE, ITEMS_FILE = "run.json", "items.json"
_OLD_SETTINGS = {"tasks": None, "suite": DEFAULT_SUITE, "shard": None}
"""What runs asked that do not say so: the first had one suite and were not divided."""
# `records.jsonl`, then `records-2.jsonl` of a second session, `records-gw1-2_3.jsonl` of a worker's
# third file in it: the number without letters before it is the session's.
_SESSION = re.compile(r"records(?:-[a-z]+\d+)?(?:-(\d+))?[_.]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJson:
    """What run.json says, as far as it is read again. All is absent where there is no run.json."""

    run: str | None = None
    state: RunStatus | None = None
    start: str | None = None
    """ISO 8601."""
    begun: tuple[str, ...] = ()
    """The start of each of its sessions."""
    n_void: int | None = None
    settings: Mapping[str, Any] = field(default_factory=_OLD_SETTINGS.copy)
    """Its options, `tasks`, `suite` and `shard` always among them."""
    levels: tuple[str, ...] = ()
    """Those of its suite, in order; () where it names none."""
    questions: Mapping[str, str] = field(default_factory=dict)
    """By `model-config`, a hash of all that is the same for every task."""
    asked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By `model-config`, the labels of what it puts before the model: prompt, tools, docs …"""
    task_hashes: Mapping[str, str] = field(default_factory=dict)
    grader: int | None = None
    git_commit: str | None = None
    gate: str | None = None
    """The verdict, if the run was judged."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """All of it, for who writes it anew."""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "RunJson":
        """What this content says. Raises AttributeError, TypeError or ValueError if it cannot."""
        return cls(
            run=_text(content.get("run")),
            state=None if content.get("state") is None else RunStatus(content["state"]),
            start=_moment(content.get("start")),
            begun=tuple(content.get("begun") or ()),
            n_void=content.get("n_void"),
            settings={**_OLD_SETTINGS, **(content.get("settings") or {})},
            levels=tuple((content.get("suite") or {}).get("levels") or ()),
            questions=dict(content.get("questions") or {}),
            asked={name: dict(parts) for name, parts in (content.get("asked") or {}).items()},
            task_hashes=dict(content.get("task_hashes") or {}),
            grader=content.get("grader"),
            git_commit=_text(content.get("git_commit")),
            gate=_text((content.get("gate") or {}).get("outcome")),
            content=content,
        )

    @property
    def is_done(self) -> bool:
        """Whether everything in it has a verdict."""
        return self.state is RunStatus.FINISHED and not self.n_void

    @property
    def unfinished(self) -> RunStatus | None:
        """Its state, if it did not get to its end."""
        return None if self.state is RunStatus.FINISHED else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """A run as its folder holds it."""

    path: Path
    manifest: RunJson
    items: tuple[PlannedItem, ...]
    """What it set out to do; () if that is not known."""
    records: tuple[Record, ...]
    """One record for each item that has one."""
    written: tuple[Record, ...]
    """All records, those that do not count too, in the order of its files."""

    @property
    def name(self) -> str:
        """The run's name, by default that of its folder."""
        return self.manifest.run or self.path.resolve().name

    @property
    def suite(self) -> SuiteId | None:
        """The suite that its tasks are from."""
        suites = [*(entry.suite for entry in self.items), *(r.suite for r in self.records)]
        return next((suite for suite in suites if suite is not None), None)

    @property
    def torn(self) -> tuple[str, ...]:
        """Its records files whose last line is half-written, as a killed process leaves it."""
        return tuple(path.name for path in record_files(self.path) if _is_torn(path))


def read_run(path: Path, *, may_be_empty: bool = False) -> RunData:
    """The run in a folder; `may_be_empty` says that it need not have any record yet.

    Raises BenchError if there is none, DamagedFile if one of its files cannot be read.
    """
    if not path.is_dir():
        raise BenchError(f"there is no run folder {path}")
    if not record_files(path) and not may_be_empty:
        raise BenchError(f"{path}: no run folder: it holds no records*.jsonl")
    items = read_items(path)
    written = read_records(path)
    # Items that an older version wrote down have no keys: any record of them is about them.
    asked = {entry.key or entry.item for entry in items}
    return RunData(
        path=path,
        manifest=read_manifest(path),
        items=items,
        records=settled(r for r in written if not items or {r.key, r.item} & asked),
        written=written,
    )


def settled(records: Iterable[Record]) -> tuple[Record, ...]:
    """The record that counts of each item, by the rule that this module opens with."""
    chosen: dict[ItemKey, Record] = {}
    for record in records:
        known = chosen.get(record.item)
        if known is None or not known.graded:
            chosen[record.item] = record
    return tuple(chosen.values())


def read_manifest(run: Path) -> RunJson:
    """What a run's run.json says. Raises DamagedFile."""
    return _read_json(run / RUN_FILE, {}, RunJson.from_json, "what a run writes")


def read_items(run: Path) -> tuple[PlannedItem, ...]:
    """What a run set out to do; () where it did not get that far. Raises DamagedFile."""
    return _read_json(run / ITEMS_FILE, [], _items, "a list of items")


def _items(entries: Iterable[Mapping[str, Any]]) -> tuple[PlannedItem, ...]:
    return tuple(map(PlannedItem.from_json, entries))


def read_records(run: Path) -> tuple[Record, ...]:
    """All whole records of a run folder, in the order of its files. Raises DamagedFile."""
    return tuple(record for path in record_files(run) for record in read_records_file(path))


def read_records_file(path: Path) -> list[Record]:
    """All whole records of a file. Raises DamagedFile for a line that is whole and no record."""
    # Of a half-written last line the last character may be half-written too.
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            if line:
                records.append(Record.from_json(line))
        except BenchError as error:
            raise DamagedFile(path, number, str(error)) from error
    return records


def record_files(run: Path) -> list[Path]:
    """The records files of a run folder, those of its later sessions last."""
    numbered = [(_SESSION.match(path.name), path) for path in run.glob("records*.jsonl")]
    keyed = [(int(found[1] or 1) if found else 1, path.name, path) for found, path in numbered]
    return [path for *_, path in sorted(keyed)]


def _is_torn(path: Path) -> bool:
    content = path.read_bytes()
    return bool(content) and not content.endswith(b"\n")


def _read_json(path: Path, absent: Any, made: Callable[[Any], T], what: str) -> T:
    """What is made of a file's JSON, which is of the type of what stands for an absent file."""
    try:
        if not path.is_file():
            return made(absent)
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        if not isinstance(content, type(absent)):
            raise TypeError(f"it holds a {type(content).__name__}")
        return made(content)
    except json.JSONDecodeError as error:
        raise DamagedFile(path, error.lineno, f"not JSON: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamagedFile(path, 1, f"not {what}: {error!r}") from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(value: object) -> str | None:
    """Raises ValueError for what is no date and time."""
    text = _text(value)
    if text:
        datetime.fromisoformat(text)
    return text
