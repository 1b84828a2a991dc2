"""`sema-bench grade`: grades answers made elsewhere, JSON lines in, the same lines out."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from pytest_sema_bench.cli.arguments import add_suite_option, add_vm_option, vm_name
from pytest_sema_bench.grading.scoring import AnswerGrader, LineFault, grade_lines
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `grade`."""
    parser = commands.add_parser(
        "grade",
        description=(
            'Reads one JSON object a line, {"task": id, "answer": text} and any other fields, and '
            "writes the same object with outcome, score, reason, extracted and cases. "
            '"truncated": true says that the token limit cut the answer off.'
        ),
    )
    parser.add_argument("answers", nargs="?", help="a file of JSON lines; `-` is standard input")
    add_suite_option(parser)
    parser.add_argument("--tasks", type=Path, help="folder or file (default: the suite `core`)")
    parser.add_argument(
        "-o", "--output", type=Path, help="file to write (default: standard output)"
    )
    parser.add_argument("--list-tasks", action="store_true", help="print the ids that there are")
    add_vm_option(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    tasks = load_tasks(arguments.tasks or arguments.suite or suite_folder())
    if arguments.list_tasks:
        for task in tasks:
            print(task.id)
        return 0
    if arguments.answers is None:
        print("sema-bench grade: name a file of answers, or `-`", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        lines: Iterable[str] = (
            sys.stdin
            if arguments.answers == "-"
            else stack.enter_context(Path(arguments.answers).open(encoding="utf-8"))
        )
        output: IO[str] = (
            stack.enter_context(whole_file(arguments.output)) if arguments.output else sys.stdout
        )
        n_faults = asyncio.run(_grade(lines, output, tasks, arguments))
    return 1 if n_faults else 0


async def _grade(
    lines: Iterable[str], output: IO[str], tasks: tuple[Task, ...], arguments: argparse.Namespace
) -> int:
    grader = AnswerGrader(tasks, backend=vm_name(arguments))
    n_lines = n_pass = n_faults = 0
    try:
        async for result in grade_lines(lines, grader):
            if isinstance(result, LineFault):
                n_faults += 1
                where = f"{arguments.answers}:{result.line}"
                print(f"{where}: {result.message}; the line is skipped", file=sys.stderr)
                continue
            n_lines += 1
            n_pass += result["outcome"] is Outcome.PASS
            output.write(json.dumps(result, ensure_ascii=False) + "\n")
    finally:
        await grader.close()
    print(f"{n_lines} answers graded, {n_pass} right, {n_faults} lines skipped", file=sys.stderr)
    return n_faults
