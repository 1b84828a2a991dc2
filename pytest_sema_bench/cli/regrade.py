"""`sema-bench regrade RUN`: the stored answers of a run, graded again."""

import argparse
import asyncio
from pathlib import Path

from pytest_sema_bench.cli.arguments import add_vm_option, vm_name
from pytest_sema_bench.dialect import Dialect, read_dialect
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.grading.regrade import Cause, Regrading, new_folder, regrade, tasks_of
from pytest_sema_bench.grading.scoring import AnswerGrader
from pytest_sema_bench.records.folder import write_records
from pytest_sema_bench.records.reader import RunData, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.summary import table_lines
from pytest_sema_bench.report.text import printable
from pytest_sema_bench.suite.task import Task, load_tasks
from pytest_sema_bench.tables.levels import make_tables


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `regrade`."""
    parser = commands.add_parser(
        "regrade",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--tasks", type=Path, help="folder or file (default: the run's own)")
    add_vm_option(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    path: Path = arguments.run_folder
    run = read_run(path, may_be_empty=True)
    if not run.records:
        raise BenchError(f"{path} holds no records")
    tasks = load_tasks(arguments.tasks or tasks_of(run))
    regrading = asyncio.run(_regrade(run.records, tasks, vm_name(arguments), dialect_of(run)))
    folder = new_folder(path)
    folder.mkdir()
    write_records(folder / "records.jsonl", regrading.records)
    tables = make_tables(regrading.records)
    lines = "\n".join(table_lines(tables, markdown=True))
    (folder / "summary.md").write_text(f"# {path.name}, {folder.name}\n\n{lines}\n", "utf-8")
    _print(regrading, folder)
    return 0


def dialect_of(run: RunData) -> Dialect | None:
    """The dialect that the run's answers are in. Raises BenchError if it is another one today."""
    dialect = read_dialect(run.manifest.settings.get("dialect"))
    label = dialect.label if dialect else None
    if then := sorted({r.dialect or "" for r in run.records if r.answer and r.dialect != label}):
        raise BenchError(
            f"its answers are in the dialect {then[0] or 'plain Sema'}, which this version makes "
            f"{label or 'plain Sema'} of; regrade with the version that made the run"
        )
    return dialect


async def _regrade(
    records: tuple[Record, ...], tasks: tuple[Task, ...], vm: str, dialect: Dialect | None
) -> Regrading:
    grader = AnswerGrader(tasks, backend=vm, dialect=dialect)
    try:
        return await regrade(records, grader)
    finally:
        await grader.close()


def _print(regrading: Regrading, folder: Path) -> None:
    flips = [one for one in regrading.regraded if one.before.outcome is not one.after.outcome]
    print(f"{len(regrading.regraded)} answers graded again, {len(flips)} flips")
    for cause in Cause:
        members = [flip for flip in flips if flip.causes[0] is cause]
        if not members and cause is Cause.NONE:
            continue
        print(f"{cause.value}: {len(members)} flips")
        for flip in members:
            after = flip.after
            also = ", ".join(other.value for other in flip.causes[1:])
            moved = f"{flip.before.outcome} -> {after.outcome} ({after.reason})"
            print(f"  {after.item}: {moved}" + (f"; {also} too" if also else ""))
            case = next((case for case in after.cases if not case["pass"]), None)
            if case is not None:
                got = case.get("error") or case["got"]
                shown = f"{case['call']} gave {got}, expected {case['expected']}"
                print(f"    {printable(' '.join(shown.split()))}")
    if regrading.kept:
        print(f"{len(regrading.kept)} records without an answer (void) are kept as they are")
    for record in regrading.unknown:
        print(f"left out: {record.task} is not among the tasks any more")
    print(f"new records: {folder}")
