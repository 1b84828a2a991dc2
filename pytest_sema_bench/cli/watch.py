"""`sema-bench watch RUN`: how a run goes that another shell, machine or CI has started."""

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path

from pytest_sema_bench.errors import BenchError, DatabaseAway
from pytest_sema_bench.limits import AnyLedger, account_of, open_ledger
from pytest_sema_bench.records.follow import Follower, Headway
from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.records.reader import RUN_FILE, read_manifest, record_files
from pytest_sema_bench.report.progress import progress_line
from pytest_sema_bench.report.text import printable
from pytest_sema_bench.settings import DatabaseUrl

_EVERY_S, _EVERY_LINE_S = 1.0, 15.0
_CLEAR = "\r\x1b[K"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `watch`."""
    parser = commands.add_parser(
        "watch",
        description="In a terminal one line that renews itself, elsewhere a line every 15 seconds "
        "in which something has changed, until the run has ended. Calls in flight and waits are "
        "known where the run keeps count: on its machine, or in the database of its --sema-ledger.",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--once", action="store_true", help="say how it goes now, and end")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    path: Path = arguments.run_folder
    if not path.is_dir():
        raise BenchError(f"there is no run folder {path}")
    if not record_files(path) and not (path / RUN_FILE).exists():
        raise BenchError(f"{path}: no run folder: it holds no records*.jsonl")
    ledger = _ledger(path)
    try:
        return _watch(path, ledger, once=arguments.once)
    finally:
        if ledger is not None:
            ledger.close()


def _watch(path: Path, ledger: "AnyLedger | None", *, once: bool) -> int:
    follower, shown = Follower(path), ""
    live = sys.stdout.isatty() and not once
    while True:
        headway = follower.look()
        line = _line(headway, ledger, path, bar=live)
        over = once or headway.state is not RunStatus.RUNNING
        if live:
            print(f"{_CLEAR}{line}", end="\n" if over else "", flush=True)
        elif line != shown:
            print(line, flush=True)
        shown = line
        if over:
            if headway.state is not None and headway.state is not RunStatus.RUNNING:
                print(f"the run is {headway.state}")
            return 0
        time.sleep(_EVERY_S if live else _EVERY_LINE_S)


def _line(headway: Headway, ledger: "AnyLedger | None", path: Path, *, bar: bool) -> str:
    is_running = headway.state is RunStatus.RUNNING
    state = None
    if ledger is not None and is_running:
        with suppress(DatabaseAway):  # it is looked at again
            name = read_manifest(path).settings.get("run")
            state = ledger.book.state(account_of(path.resolve(), name))
    return printable(progress_line(headway, state, bar=bar))


def _ledger(path: Path) -> "AnyLedger | None":
    """What is known of runs where this one counts its calls; nothing of it is needed."""
    try:
        url = read_manifest(path).settings.get("ledger")
        return open_ledger(DatabaseUrl(url) if url else None)
    except BenchError:
        return None
