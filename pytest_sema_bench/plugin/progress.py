"""What the user is told besides the table: a line at the time, or now and then how it goes."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.limits import RunState, open_ledger
from pytest_sema_bench.limits.throttle import Wait
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.reader import read_items

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
def shown_progress(config: pytest.Config, folder: RunFolder) -> Iterator[None]:
    """Show how the run in a folder goes, until this ends, where there is a terminal to show it."""
    if not config.pluginmanager.hasplugin("terminalreporter") or config.option.verbose <= -2:
        yield
        return
    terminal = Terminal(config)
    progress = Progress(str(folder.path), lambda: len(read_items(folder.path)), terminal.write_line)
    progress.start()
    try:
        yield
    finally:
        progress.stop()
        terminal.close()


class Progress:
    """Prints a line every 15 seconds in which something has changed, and notes as they come.

    It does so from a thread of its own, and reads the ledger, where all processes of the run meet.
    """

    def __init__(self, run: str, n_items: Callable[[], int], write_line: Callable[[str], None]):
        self._run = run
        self._n_items = n_items
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
            ledger = open_ledger()
        except BenchError:
            return  # the run itself says so
        shown, n_told, looks = None, 0, 0
        try:
            while not self._over.wait(_LOOK_S):
                looks += 1
                for note in ledger.book.notes(self._run)[n_told:]:
                    n_told += 1
                    self._write_line(f"sema-bench: {note}")
                state = ledger.book.state(self._run) if looks % (EVERY_S // _LOOK_S) == 0 else None
                if state is not None and state != shown:
                    shown = state
                    self._write_line(progress_line(state, self._n_items()))
        finally:
            ledger.close()


def progress_line(state: RunState, n_items: int) -> str:
    """`sema-bench: 24 of 60 graded, 3 void, 8 calls in flight, 5 retries, $0.12 of $0.50`."""
    parts = [
        f"{state.n_graded} of {n_items or '?'} graded",
        f"{state.n_void} void",
        f"{state.in_flight} calls in flight",
        f"{state.n_retries} retries",
        f"${state.spent_usd:.4f}" + (f" of ${state.cap_usd:g}" if state.cap_usd else "") + " spent",
    ]
    return "; ".join(["sema-bench: " + ", ".join(parts), *map(_wait_text, state.waits)])


def _wait_text(wait: Wait) -> str:
    """`all wait 12 s more: host: the server answered 429: slow down`."""
    if wait.left_s:
        return f"all wait {wait.left_s:.0f} s more: {wait.reason}"
    return f"all wait, for {wait.since_s:.0f} s so far: {wait.reason}"
