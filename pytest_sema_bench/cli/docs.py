"""`sema-bench docs check`: proves the documentation on the VM. `docs search` is in docs_search."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_sema_bench.cli import docs_search
from pytest_sema_bench.docsearch import check
from pytest_sema_bench.docsearch.check import Coverage, Problem
from pytest_sema_bench.docsearch.corpus import (
    check_unique,
    corpus_files,
    docs_folder,
    load_entries,
    load_foreign,
)
from pytest_sema_bench.docsearch.entry import Entry, Foreign
from pytest_sema_bench.docsearch.reading import DocsError
from pytest_sema_bench.sema.vm import BACKENDS, create_vm

_N_HOSTS = 2


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `docs` with its sub-commands."""
    group = commands.add_parser("docs", help="what Sema offers, and the search in it")
    verbs = group.add_subparsers(required=True, metavar="COMMAND")
    proof = verbs.add_parser(
        "check",
        help="prove the documentation on the VM",
        description="Runs every example and every edge, checks that each name is bound, that "
        "links lead somewhere, and that each usable name has an entry. The exit status is 1 if "
        "something is wrong or missing.",
    )
    proof.add_argument(
        "paths",
        nargs="*",
        type=Path,
        help="files to check alone, without coverage (default: all there is)",
    )
    proof.add_argument("--sema-vm", choices=BACKENDS, default=BACKENDS[0])
    proof.set_defaults(run=_check)
    docs_search.add_command(verbs)


def _check(arguments: argparse.Namespace) -> int:
    chosen = {path.resolve() for path in arguments.paths}
    entries, foreign, problems = _load(chosen)
    problems += check.check_words(entries)
    problems += check.check_foreign(foreign, entries)
    mine = [entry for entry in entries if not chosen or entry.path.resolve() in chosen]
    rows = [row for row in foreign if not chosen or row.path.resolve() in chosen]
    problems += asyncio.run(_on_vm(mine, rows, arguments.sema_vm))
    if chosen:
        problems = [problem for problem in problems if problem.path.resolve() in chosen]
        covered: tuple[Coverage, ...] = ()
    else:
        covered = check.coverage(entries)
    print("\n".join(_lines(mine, rows, sorted(problems), covered)))
    return 1 if problems or any(module.missing for module in covered) else 0


def _load(chosen: set[Path]) -> tuple[list[Entry], list[Foreign], list[Problem]]:
    """All that can be read, also of files that were not chosen: links may lead there."""
    entries: list[Entry] = []
    foreign: list[Foreign] = []
    problems: list[Problem] = []
    bundled = corpus_files()
    table = docs_folder() / "foreign.yaml"
    extra = sorted(chosen - {path.resolve() for path in (*bundled, table)})
    for path in (*bundled, *extra):
        try:
            entries += load_entries(path)
        except DocsError as error:
            problems.append(_as_problem(error))
    try:
        if table.is_file():
            foreign += load_foreign(table)
        check_unique(entries)
    except DocsError as error:
        problems.append(_as_problem(error))
    return entries, foreign, problems


def _as_problem(error: DocsError) -> Problem:
    return Problem(path=error.path, line=error.line, message=error.message)


async def _on_vm(
    entries: Sequence[Entry], foreign: Sequence[Foreign], backend: str
) -> list[Problem]:
    vm = create_vm(backend, n_hosts=_N_HOSTS)
    try:
        return [
            *await check.check_bound(entries, vm),
            *await check.check_snippets([*entries, *foreign], vm),
        ]
    finally:
        await vm.close()


def _lines(
    entries: Sequence[Entry],
    foreign: Sequence[Foreign],
    problems: Sequence[Problem],
    covered: Sequence[Coverage],
) -> Iterator[str]:
    for problem in problems:
        yield f"{_shown(problem.path)}:{problem.line}: {problem.message}"
    for module in covered:
        have = module.n_names - len(module.missing)
        missing = f"  missing: {' '.join(module.missing)}" if module.missing else ""
        yield f"{module.module:<18}{have:>4} of {module.n_names:<4}{missing}".rstrip()
    if covered:
        n = sum(module.n_names for module in covered)
        have = n - sum(len(module.missing) for module in covered)
        yield f"{'all':<18}{have:>4} of {n} usable names have an entry"
    n_run = check.n_snippets([*entries, *foreign])
    yield (
        f"{len(entries)} entries, {len(foreign)} foreign rows, {n_run} snippets run, "
        f"{len(problems)} failures"
    )


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
