"""`sema-bench import`: another tool's log as a run."""

import argparse
import asyncio
import sys
from pathlib import Path

from pytest_sema_bench.cli.arguments import add_suite_option, add_vm_option, vm_name
from pytest_sema_bench.exchange.inspect_import import import_log
from pytest_sema_bench.report.summary import table_lines
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks
from pytest_sema_bench.tables.levels import make_tables


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import`."""
    parser = commands.add_parser(
        "import",
        description="Makes a run of an Inspect AI log (.eval or .json) whose samples are named "
        "after tasks of the suite: each last answer is graded again, on the VM.",
    )
    parser.add_argument("log", type=Path, metavar="LOG")
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="the run folder to make")
    add_suite_option(parser)
    parser.add_argument("--tasks", type=Path, help="folder or file (default: the suite `core`)")
    add_vm_option(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    tasks = load_tasks(arguments.tasks or arguments.suite or suite_folder())
    folder = arguments.output or Path("reports") / arguments.log.stem
    imported = asyncio.run(import_log(arguments.log, tasks, folder, vm_name(arguments)))
    for line in table_lines(make_tables(imported.records)):
        print(line)
    for sample in imported.unknown:
        print(f"left out: {sample} is no task of the suite", file=sys.stderr)
    print(f"run folder: {folder}")
    return 0
