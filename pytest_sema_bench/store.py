"""The run folder: records, transcripts, run.json and summary.md, as DESIGN section 4 lays out.

Each process appends to a records file of its own; a line is synced to disk before its item
counts as done. Keys are removed by value from everything that is written.
"""

import json
import os
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pytest_sema_bench.record import Record
from pytest_sema_bench.settings import SHORTEST_SECRET_CHARS

_REDACTED = "[key removed]"
_STOP = ".stop"
_IGNORE = "# Run folders are results, not sources; baselines are kept.\n*\n!.gitignore\n"


class RunFolder:
    """A run's folder, as one process writes to it."""

    def __init__(self, path: Path, *, keys: Sequence[str] = (), process: str | None = None) -> None:
        self.path = path
        self._keys = tuple(key for key in keys if len(key) >= SHORTEST_SECRET_CHARS)
        self._records = path / (f"records-{process}.jsonl" if process else "records.jsonl")
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def make(self) -> None:
        """Create the folder; its parent gets a .gitignore if it had to be created too."""
        parent = self.path.parent
        if not parent.exists():
            parent.mkdir(parents=True, exist_ok=True)
            (parent / ".gitignore").write_text(_IGNORE)
        self.path.mkdir(exist_ok=True)

    def keep(self, name: str, record: Record, transcript: dict[str, Any]) -> Record:
        """Write the transcript, then the record and sync it; the record with its path."""
        relative = Path("transcripts") / _file_name(record.task) / f"{_file_name(name)}.json"
        record = replace(record, transcript=relative.as_posix())
        content = {"record": record.key, "task": record.task, **transcript}
        path = self.path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._clean(_dump(content)), encoding="utf-8", errors="replace")
        with self._lock:
            if self._file is None:
                self._file = self._records.open("a", encoding="utf-8", errors="replace")
            self._file.write(self._clean(record.to_json()) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        return record

    def write_items(self, items: Sequence[dict[str, Any]]) -> None:
        """Write items.json: what the run set out to do, before it does it."""
        self._write("items.json", "[\n" + ",\n".join(map(json.dumps, items)) + "\n]\n")

    def read_items(self) -> list[dict[str, Any]]:
        """What the run set out to do; [] if it did not get that far."""
        path = self.path / "items.json"
        items: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
        return items

    def write_run(self, content: dict[str, Any]) -> None:
        """Write run.json anew, so that a reader never sees half of it."""
        self._write("run.json", _dump(content))

    def write_summary(self, text: str) -> None:
        """Write summary.md."""
        self._write("summary.md", text)

    def ask_to_stop(self) -> None:
        """Tell the other processes of the run to end early."""
        if self.path.is_dir():
            (self.path / _STOP).touch()

    def forget_stop(self) -> None:
        """Take back `ask_to_stop`, once the others have ended."""
        (self.path / _STOP).unlink(missing_ok=True)

    @property
    def asks_to_stop(self) -> bool:
        """Whether another process asked to end early."""
        return (self.path / _STOP).exists()

    def close(self) -> None:
        """Close the records file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _write(self, name: str, text: str) -> None:
        temporary = self.path / f".{name}.tmp"
        temporary.write_text(self._clean(text), encoding="utf-8", errors="replace")
        temporary.replace(self.path / name)

    def _clean(self, text: str) -> str:
        for key in self._keys:
            text = text.replace(key, _REDACTED).replace(json.dumps(key)[1:-1], _REDACTED)
        return text


def read_records(run: Path) -> tuple[Record, ...]:
    """All whole records of a run folder, in the order of its files.

    A half-written last line, as a killed process leaves it, is left out.
    Raises BenchError for a line that is whole and no record.
    """
    records = []
    for path in sorted(run.glob("records*.jsonl")):
        # Of a half-written line the last character may be half-written too.
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = text.split("\n")
        records += [Record.from_json(line) for line in lines[:-1] if line]
    return tuple(records)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a file of records at once."""
    text = "".join(record.to_json() + "\n" for record in records)
    path.write_text(text, encoding="utf-8", errors="replace")


def _dump(content: dict[str, Any]) -> str:
    """JSON with a line for each entry and each element of a list: git and people can follow it.

    Python's own indentation would do, but takes ten times as long.
    """
    lines = []
    for name, value in content.items():
        if isinstance(value, list) and value:
            shown = "[\n  " + ",\n  ".join(map(_json, value)) + "\n ]"
        else:
            shown = _json(value)
        lines.append(f" {_json(name)}: {shown}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _file_name(text: str) -> str:
    """The text with what no file system minds: letters, digits, dot, dash, underscore."""
    return re.sub(r"[^\w.-]+", "_", text).strip(".") or "_"
