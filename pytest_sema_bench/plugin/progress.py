"""What the user is told besides the table: a line at the time, or now and then how it goes."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import BenchError, DatabaseAway
from pytest_sema_bench.limits import account_of, open_ledger
from pytest_sema_bench.records.follow import Follower
from pytest_sema_bench.report.progress import progress_line
from pytest_sema_bench.run.run import Run
from pytest_sema_bench.settings import Settings

EVERY_S = 15.0
_LOOK_S = 1.0
"""How soon a note is told."""


def say(config: pytest.Config, line: str) -> None:
    """A line for the user, on standard error where pytest has no terminal to write it to."""
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        print(f"sema-bench: {line}", file=sys.stderr)
    else:
        reporter.write_line(f"sema-bench: {line}")


class Terminal:
    """Writes lines past pytest's capture, which is on while an item waits for its verdict."""

    def __init__(self, config: pytest.Config) -> None:
        """To be made while capture is suspended, as it is between collection and the items."""
        self._writer = config.get_terminal_writer()
        try:
            self._fd: int | None = os.dup(sys.__stdout__.fileno() if sys.__stdout__ else -1)
        except (OSError, ValueError):
            self._fd = None

    def write_line(self, line: str) -> None:
        """A line of its own among pytest's dots."""
        start = "\n" if self._writer.width_of_current_line else ""
        if self._fd is not None:
            os.write(self._fd, f"{start}{line}\n".encode())

    def close(self) -> None:
        """Nothing is written after this."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@contextmanager
def shown_progress(config: pytest.Config, run: Run) -> Iterator[None]:
    """Show how a run goes, until this ends, where there is a terminal to show it."""
    if not config.pluginmanager.hasplugin("terminalreporter") or config.option.verbose <= -2:
        yield
        return
    terminal = Terminal(config)
    progress = Progress(run.folder.path, terminal.write_line, settings=run.plan.settings)
    progress.start()
    try:
        yield
    finally:
        progress.stop()
        terminal.close()


class Progress:
    """Prints a line every 15 seconds in which something has changed, and notes as they come.

    It does so from a thread of its own, and reads the ledger and the run's folder, where all
    processes of the run meet.
    """

    def __init__(
        self,
        folder: Path,
        write_line: Callable[[str], None],
        *,
        settings: Settings | None = None,
    ) -> None:
        self._folder = folder
        self._url = settings.ledger if settings else None
        self._is_away = False
        self._run = account_of(folder, settings.run if settings else None)
        self._write_line = write_line
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sema-progress", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End it; no line is printed after this."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        try:
            ledger = open_ledger(self._url)
        except BenchError:
            return  # the run itself says so
        follower, shown, n_told, looks = Follower(self._folder), "", 0, 0
        try:
            while not self._over.wait(_LOOK_S):
                looks += 1
                try:
                    notes, state = ledger.book.notes(self._run), ledger.book.state(self._run)
                except DatabaseAway as away:
                    self._tell_away(f"{away}; nothing new is asked until it is back")
                    continue
                self._tell_away(None)
                for note in notes[n_told:]:
                    n_told += 1
                    self._write_line(f"sema-bench: {note}")
                if looks % (EVERY_S // _LOOK_S):
                    continue
                line = progress_line(follower.look(), state)
                if line != shown:
                    shown = line
                    self._write_line(f"sema-bench: {line}")
        except BenchError:
            return  # what cannot be read is told at the end
        finally:
            ledger.close()

    def _tell_away(self, why: str | None) -> None:
        """Say once that the database is away, and once that it is back."""
        if self._is_away != (why is not None):
            self._is_away = not self._is_away
            self._write_line(f"sema-bench: {why or 'the database is back'}")
