"""The run folder: records, transcripts, run.json and summary.md, as DESIGN section 4 lays out.

Each process appends to a records file and a file of conversations of its own; both are synced to
disk before an item counts as done. Keys are removed by value from everything that is written.
"""

import json
import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from errno import ENOENT
from io import FileIO
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_sema_bench.errors import CannotWrite, SettingsError
from pytest_sema_bench.records.conversations import pack, place_of
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.reader import ITEMS_FILE, RUN_FILE
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.redaction import Redactor

Ended = tuple[Record, dict[str, Any]]
"""An item that has ended: its record and its conversation."""
_STOP = ".stop"
_LOCK = ".lock"
_GITIGNORE = ".gitignore"
_IGNORE = "# Run folders are results, not sources; baselines are kept.\n*\n!.gitignore\n"


class RunFolder:
    """A run's folder, as one process writes to it.

    `process` names one of several, `session` counts how often the run has been begun.
    """

    def __init__(
        self,
        path: Path,
        *,
        redactor: Redactor | None = None,
        process: str | None = None,
        session: int = 1,
    ) -> None:
        self.path = path
        self.redactor = redactor or Redactor()
        self.process = process
        self.session = session
        suffix = f"-{session}" if session > 1 else ""
        self._suffix = f"-{process}{suffix}" if process else suffix
        self._lock = threading.Lock()
        self._in_use: FileLock | None = None
        self._made_parent = False
        self._files: tuple[FileIO, FileIO] | None = None
        """Of records and of conversations."""
        self._failure: CannotWrite | None = None

    def make(self) -> None:
        """Create the folder; its parent gets a .gitignore if it had to be created too."""
        parent = self.path.parent
        if not parent.exists():
            parent.mkdir(parents=True, exist_ok=True)
            (parent / _GITIGNORE).write_text(_IGNORE)
            self._made_parent = True
        self.path.mkdir(exist_ok=True)

    def take(self) -> None:
        """Claim the folder for this run, until `close`. Raises SettingsError if in use."""
        if self._in_use is not None:
            return
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise SettingsError(f"the run {self.path.name} is still under way") from None
        except OSError as error:
            raise SettingsError(f"the run {self.path} cannot be taken up: {error}") from error
        self._in_use = lock

    def check_free(self) -> None:
        """Raises SettingsError if a run in it is under way."""
        self.take()
        self.close()

    def discard(self) -> None:
        """Remove a folder that nothing was written to, and its parent if that was made for it."""
        self.close()
        if self.path.is_dir():
            for name in (_LOCK, _STOP):
                (self.path / name).unlink(missing_ok=True)
            if not any(self.path.iterdir()):
                self.path.rmdir()
        parent = self.path.parent
        if self._made_parent and [path.name for path in parent.iterdir()] == [_GITIGNORE]:
            (parent / _GITIGNORE).unlink()
            parent.rmdir()
            self._made_parent = False

    def keep(self, ended: Sequence[Ended]) -> list[Record]:
        """Write conversations, then their records, and sync both; the records as written.

        Raises CannotWrite, and from then on every time: what comes after half a line is lost.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                return self._keep(ended)
            except OSError as error:
                self._failure = CannotWrite(self.path, error)
                raise self._failure from error

    def _keep(self, ended: Sequence[Ended]) -> list[Record]:
        if not self.path.is_dir():  # to make it anew would hide that all before is gone
            raise FileNotFoundError(ENOENT, "the folder is gone")
        self._files = self._files or self._open_files()
        in_records, in_talks = self._files
        offset = os.fstat(in_talks.fileno()).st_size
        members, lines, kept = [], [], []
        for made, transcript in ended:
            content = _json({"record": made.key, "task": made.task, **transcript})
            members.append(pack(self.redactor.clean(content)))
            record = replace(made, transcript=place_of(Path(in_talks.name).name, offset))
            offset += len(members[-1])
            line = record.to_json()
            lines.append(self.redactor.clean(line))
            # Where a key was taken out, who goes on with the record must not have it either.
            kept.append(record if lines[-1] == line else Record.from_json(lines[-1]))
        # Before the records that name them: none may lead to a conversation that is not there.
        _append(in_talks, b"".join(members))
        _append(in_records, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        return kept

    def write_items(self, items: Iterable[PlannedItem]) -> None:
        """Write items.json: what the run set out to do, before it does it."""
        lines = (json.dumps(entry.to_json()) for entry in items)
        self._write(ITEMS_FILE, "[\n" + ",\n".join(lines) + "\n]\n")

    def write_run(self, content: dict[str, Any]) -> None:
        """Write run.json anew, so that a reader never sees half of it."""
        self._write(RUN_FILE, _dump(content))

    def write_summary(self, text: str) -> None:
        """Write summary.md."""
        self._write("summary.md", text)

    def ask_to_stop(self) -> None:
        """Tell the other processes of the run to end early."""
        if self.path.is_dir():
            with suppress(OSError):  # of a full disk each process hears by itself
                (self.path / _STOP).touch()

    def forget_stop(self) -> None:
        """Take back `ask_to_stop`, once the others have ended."""
        (self.path / _STOP).unlink(missing_ok=True)

    @property
    def asks_to_stop(self) -> bool:
        """Whether another process asked to end early."""
        return (self.path / _STOP).exists()

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files or ():
                file.close()
            self._files = None
        if self._in_use is not None:
            self._in_use.release()
            self._in_use = None

    def _open_files(self) -> tuple[FileIO, FileIO]:
        """Files of this process alone: the last line of earlier ones may be torn."""
        number, suffix = 1, self._suffix
        while True:
            with suppress(FileExistsError):
                # Without a buffer: what is written outlives a process that is killed.
                records = (self.path / f"records{suffix}.jsonl").open("xb", buffering=0)
                talks = (self.path / f"transcripts{suffix}.jsonl.gz").open("ab", buffering=0)
                return records, talks
            number += 1
            suffix = f"{self._suffix}_{number}"

    def _write(self, name: str, text: str) -> None:
        with whole_file(self.path / name) as file:
            file.write(self.redactor.clean(text))


def _append(file: FileIO, content: bytes) -> None:
    """Write all of it and sync or, where that cannot be, write nothing. Raises OSError."""
    size = os.fstat(file.fileno()).st_size
    left = memoryview(content)
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            os.ftruncate(file.fileno(), size)
        raise


def check_writable(folder: Path) -> None:
    """Raises OSError if nothing can be written to a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe-{os.getpid()}"
    probe.touch()
    probe.unlink()


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
