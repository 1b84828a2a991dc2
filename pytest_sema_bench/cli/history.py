"""`sema-bench history [DIR]`: the runs of a reports folder, and how each model's rate moved."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pytest_sema_bench.report.history import history_lines
from pytest_sema_bench.tables.history import read_history, trends


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `history`."""
    parser = commands.add_parser("history")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("reports"), metavar="DIR")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    history = read_history(arguments.folder)
    if arguments.json:
        facts = {**asdict(history), "trends": list(map(asdict, trends(history.runs)))}
        print(json.dumps(facts, indent=1))
        return 0
    for line in history_lines(history):
        print(line)
    return 0
