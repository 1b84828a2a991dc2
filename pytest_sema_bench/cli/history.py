"""`sema-bench history [DIR]`: the runs of a reports folder, and how each model's rate moved."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pytest_sema_bench.report.history import history_lines
from pytest_sema_bench.tables.history import read_history, sparkline, trends


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `history`."""
    parser = commands.add_parser("history")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("reports"), metavar="DIR")
    parser.add_argument("--ascii", action="store_true", help="no block characters")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    history = read_history(arguments.folder)
    if arguments.json:
        facts = {**asdict(history), "trends": list(map(asdict, trends(history.runs)))}
        print(json.dumps(facts, indent=1))
        return 0
    ascii_only = arguments.ascii or not _can_print(sparkline((0.0, 1.0)))
    for line in history_lines(history, ascii_only=ascii_only):
        print(line)
    return 0


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
