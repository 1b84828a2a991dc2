"""`sema-bench baseline save RUN -o FILE`: what later runs are compared with."""

import argparse
from pathlib import Path

from pytest_sema_bench.gate.baseline import write_baseline
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.task_results import Group, merge
from pytest_sema_bench.gate.verdict import MIN_COVERAGE


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `baseline save`."""
    parser = commands.add_parser("baseline")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    save = verbs.add_parser("save", help="write a small file to review and keep in git")
    save.add_argument("runs", type=Path, metavar="RUN", nargs="+", help="taken together as one")
    save.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    save.set_defaults(run=_save)


def _save(arguments: argparse.Namespace) -> int:
    results = merge([load_results(path) for path in arguments.runs])
    write_baseline(arguments.output, results)
    n_bytes = arguments.output.stat().st_size
    print(f"{arguments.output}: {len(results.groups)} models, {n_bytes:,} bytes")
    for group in results.groups:
        print(_line(group))
    return 0


def _line(group: Group) -> str:
    n_graded = sum(len(task.graded) for task in group.tasks)
    n = sum(len(task.samples) for task in group.tasks)
    n_pass = sum(task.n_pass for task in group.tasks)
    line = f"  {group.name}: {len(group.tasks)} tasks, {n_pass} of {n_graded} passed"
    if n_graded < MIN_COVERAGE * n:
        line += f"; {n - n_graded} of {n} items have no verdict: too many for the gate to judge by"
    return line
