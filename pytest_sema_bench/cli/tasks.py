"""`sema-bench tasks check`: proves a suite on the real VM, without a key."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from pytest_sema_bench.cli.arguments import (
    add_dialect_option,
    add_suite_option,
    add_vm_option,
    opened_vm,
    shown_path,
    there,
    whole_number,
)
from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.grading.proof.check import (
    MAX_MUTANTS,
    MIN_TASK_RATE,
    Graders,
    TaskCheck,
    all_hold,
    caught_rate,
    check_task,
    min_suite_rate,
    n_mutants,
    suite_problems,
)
from pytest_sema_bench.records.suite import OTHER, in_order
from pytest_sema_bench.suite.folder import (
    SUITE_FILE,
    find_task_files,
    incomplete_levels,
    schema_file,
    suite_folder,
    suites_folder,
)
from pytest_sema_bench.suite.task import Task, check_canary, check_unique, load_task


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `tasks` with its sub-commands."""
    group = commands.add_parser("tasks").add_subparsers(required=True, metavar="COMMAND")
    check = group.add_parser(
        "check",
        help="prove that each reference answer passes and that wrong answers fail",
        description="Grades each task's reference answer, its wrong answers and small mutations "
        "of the reference. The exit status is 1 if a reference fails, a wrong answer passes, or "
        f"too few mutants are caught (under {MIN_TASK_RATE:.0%} for a task, under "
        "what its suite demands in all: 95% unless suite.yaml says so).",
    )
    check.add_argument(
        "paths", nargs="*", type=there, help="folders or files (default: the bundled suite `core`)"
    )
    add_suite_option(check)
    check.add_argument("--json", action="store_true", help="print the result as JSON")
    check.add_argument(
        "--no-mutants",
        dest="max_mutants",
        action="store_const",
        const=0,
        default=MAX_MUTANTS,
        help="quick check: do not mutate the reference answers",
    )
    check.add_argument(
        "--max-mutants",
        type=whole_number(0),
        metavar="N",
        default=MAX_MUTANTS,
        help=f"mutants tried per task (default: {MAX_MUTANTS})",
    )
    check.add_argument(
        "--strict",
        action="store_true",
        help="ask of your tasks what the bundled suites ask of their own: a reference, a public "
        "case, three wrong answers and five cases (or what suite.yaml demands); and of a suite "
        "all tasks that it is to have",
    )
    add_dialect_option(check)
    add_vm_option(check)
    check.set_defaults(run=_check)
    schema = group.add_parser("schema", help="print the JSON schema of task files, for editors")
    schema.add_argument("kind", nargs="?", choices=("task", "suite"), default="task")
    schema.set_defaults(run=_schema)


def _schema(arguments: argparse.Namespace) -> int:
    print(schema_file(arguments.kind).read_text("utf-8"), end="")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    if arguments.suite and arguments.paths:
        arguments.parser.error(
            "--suite checks a whole suite: leave it out to check the paths alone"
        )
    paths = arguments.paths or [arguments.suite or suite_folder()]
    tasks, unreadable = _load_all(paths)
    lacks = [line for path in paths for line in incomplete_levels(path)]
    checks = asyncio.run(_check_all(tasks, arguments))
    holds = all_hold(checks) and not unreadable and not (lacks and arguments.strict)
    ok = holds and bool(tasks or lacks)
    if arguments.json:
        found = {"ok": ok, "incomplete": lacks, **_as_json(checks, unreadable)}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        lines = _lines(checks, unreadable) if checks else unreadable
        print("\n".join([*lines, *lacks]))
    return 0 if ok else 1


def _load_all(paths: list[Path]) -> tuple[list[Task], list[str]]:
    tasks: list[Task] = []
    unreadable: list[str] = []
    for path in paths:
        files = find_task_files(path)
        if not files and not (path / SUITE_FILE).is_file():
            unreadable.append(f"{path}: no task files (*.yaml) here")
        for file in files:
            try:
                tasks.append(load_task(file))
                check_canary(tasks[-1])
            except TaskError as error:
                unreadable.append(str(error))
    try:
        check_unique(tasks)
    except TaskError as error:
        unreadable.append(str(error))
    return tasks, unreadable


async def _check_all(tasks: list[Task], arguments: argparse.Namespace) -> list[TaskCheck]:
    ours = suites_folder().resolve()
    async with opened_vm(arguments) as vm:
        graders = Graders(vm, arguments.dialect)
        checks = (
            check_task(
                task,
                graders,
                strict=arguments.strict or task.path.resolve().is_relative_to(ours),
                max_mutants=arguments.max_mutants,
            )
            for task in tasks
        )
        return list(await asyncio.gather(*checks))


def _lines(checks: Sequence[TaskCheck], unreadable: Sequence[str]) -> Iterator[str]:
    """The report for people: what is wrong, with file and line, then the sums."""
    yield from unreadable
    for check in checks:
        for problem in check.problems:
            yield f"{shown_path(check.task.path)}:{check.task.line}: {problem}"
        for survivor in check.survivors:
            line = check.task.reference_line + survivor.mutant.line - 1
            yield f"{shown_path(check.task.path)}:{line}: survives: {survivor.mutant.id}"
    yield from _table(checks)
    yield from suite_problems(checks)
    if n_bad := sum(bool(check.problems) for check in checks) + len(unreadable):
        yield f"{n_bad} tasks have problems" if n_bad > 1 else "1 task has problems"
    elif checks:
        yield "every reference answer passes"


_HEADINGS = ("level", "tasks", "cases", "wrong answers caught", "mutants caught", "equivalent")


def _table(checks: Sequence[TaskCheck]) -> Iterator[str]:
    """A row for each level and one for all, in aligned columns."""
    groups: dict[str, list[TaskCheck]] = {}
    for check in checks:
        groups.setdefault(check.task.level or OTHER, []).append(check)
    rows = [_row(name, groups[name]) for name in in_order(groups)]
    if len(groups) > 1:
        rows.append(_row("all", checks))
    table = tabulate(rows, _HEADINGS, tablefmt="plain", disable_numparse=True)
    yield from map(str.rstrip, table.splitlines())


def _row(name: str, checks: Sequence[TaskCheck]) -> tuple[str, ...]:
    n_caught, n, n_equivalent = n_mutants(checks)
    return (
        name,
        str(len(checks)),
        str(sum(len(check.task.cases) for check in checks)),
        f"{sum(check.n_caught for check in checks)} of {sum(check.n_wrong for check in checks)}",
        f"{n_caught} of {n} ({n_caught / n:.1%})" if n else "n/a",
        str(n_equivalent),
    )


def _as_json(checks: Sequence[TaskCheck], unreadable: Sequence[str]) -> dict[str, object]:
    n_caught, n, n_equivalent = n_mutants(checks)
    return {
        "unreadable": list(unreadable),
        "problems": list(suite_problems(checks)),
        "mutants": {
            "n": n,
            "n_caught": n_caught,
            "n_equivalent": n_equivalent,
            "caught_rate": caught_rate(checks),
            "min_task_rate": MIN_TASK_RATE,
            "min_suite_rate": min_suite_rate(checks),
        },
        "tasks": [_task_as_json(check) for check in checks],
    }


def _task_as_json(check: TaskCheck) -> dict[str, object]:
    n_caught, n, n_equivalent = n_mutants([check])
    return {
        "task": check.task.id,
        "level": check.task.level,
        "file": str(check.task.path),
        "line": check.task.line,
        "task_hash": check.task.task_hash,
        "n_cases": len(check.task.cases),
        "n_wrong": check.n_wrong,
        "n_caught": check.n_caught,
        "n_mutants": n,
        "n_mutants_caught": n_caught,
        "n_mutants_equivalent": n_equivalent,
        "mutants_caught_rate": caught_rate([check]),
        "problems": list(check.problems),
        "mutants": [
            {
                "id": each.mutant.id,
                "operator": each.mutant.operator.value,
                "line": check.task.reference_line + each.mutant.line - 1,
                "before": each.mutant.before,
                "after": each.mutant.after,
                "fate": each.fate.value,
                "why": each.why,
            }
            for each in check.mutants
        ],
    }
