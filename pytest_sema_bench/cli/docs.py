"""`sema-bench docs`: `search` says what an agent would be told, `check` proves it on the VM."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.cli.arguments import (
    add_dialect_option,
    add_vm_option,
    opened_vm,
    shown_path,
    there,
    vm_name,
    whole_number,
)
from pytest_sema_bench.dialect import Dialect, DialectVM
from pytest_sema_bench.docsearch import check
from pytest_sema_bench.docsearch.check import Coverage
from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.corpus import (
    check_unique,
    corpus_files,
    docs_folder,
    load_entries,
    load_foreign,
    load_hints,
)
from pytest_sema_bench.docsearch.entry import Entry, Foreign, Hint, Row
from pytest_sema_bench.docsearch.in_dialect import row_in
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit, Search
from pytest_sema_bench.docsearch.settings import read_docs_settings
from pytest_sema_bench.docsearch.show import describe
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.sema.vm import SemaVM, create_vm

_N_HOSTS = 2
_N_BATCH = 10
_N_SPARE = 5
"""Hits asked for beyond those printed, as two hits can have one name."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `docs` with its sub-commands."""
    group = commands.add_parser("docs")
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
        type=there,
        help="files to check alone, without coverage (default: all there is)",
    )
    add_dialect_option(proof)
    add_vm_option(proof)
    proof.set_defaults(run=_check)
    _add_search(verbs)


def _check(arguments: argparse.Namespace) -> int:
    chosen = {path.resolve() for path in arguments.paths}
    rows, problems = _load(chosen)
    checked = asyncio.run(_on_vm(rows, chosen, arguments))
    problems += checked.problems
    if chosen:
        problems = [problem for problem in problems if problem.path.resolve() in chosen]
    covered = () if chosen else check.coverage(row for row in rows if isinstance(row, Entry))
    problems.sort(key=lambda each: (each.path, each.line, each.message))
    print("\n".join(_lines(checked, problems, covered)))
    return 1 if problems or any(module.missing for module in covered) else 0


def _load(chosen: set[Path]) -> tuple[list[Row], list[FileError]]:
    """All that can be read, also of files that were not chosen: links may lead there."""
    rows: list[Row] = []
    problems: list[FileError] = []
    files: dict[Path, Callable[[Path], Sequence[Row]]] = dict.fromkeys(corpus_files(), load_entries)
    files[docs_folder() / "foreign.yaml"] = load_foreign
    files[docs_folder() / "hints.yaml"] = load_hints
    known = {path.resolve() for path in files}
    for path, load in {**files, **dict.fromkeys(sorted(chosen - known), load_entries)}.items():
        try:
            rows += load(path)
        except FileError as error:
            problems.append(error)
    try:
        check_unique(row for row in rows if isinstance(row, Entry))
    except FileError as error:
        problems.append(error)
    return rows, problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What was looked at, on which VM, and what is wrong."""

    rows: Sequence[Row]
    version: str
    problems: list[FileError]


async def _on_vm(rows: Sequence[Row], chosen: set[Path], arguments: argparse.Namespace) -> _Checked:
    """Checks what holds for the VM, of all rows or of those in the chosen files."""
    dialect: Dialect | None = arguments.dialect
    async with opened_vm(arguments, _N_HOSTS) as vm:
        version = (await vm.info()).version
        rows = [row.on(version) for row in rows if version in row.versions]
        entries = [row for row in rows if isinstance(row, Entry)]
        mine = [row for row in rows if not chosen or row.path.resolve() in chosen]
        said, speaker = (mine, vm) if dialect is None else _in_dialect(mine, vm, dialect)
        problems = [
            *check.check_words(entries),
            *check.check_foreign([row for row in rows if isinstance(row, Foreign)], entries),
            *await check.check_bound([row for row in said if isinstance(row, Entry)], speaker),
            *await check.check_snippets(said, speaker),
            *await check.check_hints([row for row in mine if isinstance(row, Hint)], vm),
        ]
        return _Checked(rows=mine, version=version, problems=problems)


def _in_dialect(rows: Sequence[Row], vm: SemaVM, dialect: Dialect) -> tuple[Sequence[Row], SemaVM]:
    """The rows as an agent reads them in a dialect, and who understands them."""
    return [row_in(row, dialect) for row in rows], DialectVM(vm, dialect)


def _lines(
    checked: _Checked, problems: Sequence[FileError], covered: Sequence[Coverage]
) -> Iterator[str]:
    for problem in problems:
        yield f"{shown_path(problem.path)}:{problem.line}: {problem.message}"
    for module in covered:
        have = module.n_names - len(module.missing)
        missing = f"  missing: {' '.join(module.missing)}" if module.missing else ""
        yield f"{module.module:<18}{have:>4} of {module.n_names:<4}{missing}".rstrip()
    if covered:
        n = sum(module.n_names for module in covered)
        have = n - sum(len(module.missing) for module in covered)
        yield f"{'all':<18}{have:>4} of {n} usable names have an entry"
    n_of = {
        kind: sum(isinstance(row, kind) for row in checked.rows) for kind in (Entry, Foreign, Hint)
    }
    n_run = sum(len(row.snippets) for row in checked.rows)
    yield (
        f"Sema {checked.version}: {n_of[Entry]} entries, {n_of[Foreign]} foreign rows, "
        f"{n_of[Hint]} hints, {n_run} snippets run, {len(problems)} failures"
    )


def _add_search(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `search` to the commands of `docs`."""
    parser = verbs.add_parser(
        "search",
        help="find the Sema name for what you mean",
        description='Prints what an agent would be told. With --batch, JSON lines {"id", "query"} '
        'on standard input become JSON lines {"id", "names"}, the best name first; a line that '
        "is no such object is reported with its number on standard error and left out, and the "
        "exit status is then 1.",
    )
    parser.add_argument("query", nargs="*", help="what to look for; several words are one query")
    parser.add_argument("--json", action="store_true", help="print the hits as JSON")
    parser.add_argument("--batch", action="store_true", help="read queries from standard input")
    parser.add_argument(
        "--top",
        type=whole_number(1),
        metavar="N",
        help=f"hits per query (default: {N_SHOWN}; {_N_BATCH} with --batch)",
    )
    parser.add_argument(
        "--sema-docs",
        metavar="BACKEND[:MODEL]",
        help="lexical (default), local, openai or sema; over [tool.sema-bench.docs] of the "
        "pyproject.toml in this folder",
    )
    add_dialect_option(parser)
    add_vm_option(parser)
    parser.set_defaults(run=lambda arguments: _search(parser, arguments))


def _search(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    query = " ".join(arguments.query)
    if arguments.batch and query:
        parser.error("--batch reads its queries from standard input; leave out the query")
    if not arguments.batch and not query.strip():
        parser.error("say what to look for, or give --batch")
    return asyncio.run(_batch(arguments) if arguments.batch else _single(query, arguments))


async def _single(query: str, arguments: argparse.Namespace) -> int:
    async with _opened(arguments) as search:
        found = await search.find(query, arguments.top or N_SHOWN)
    if arguments.json:
        print(json.dumps(_as_json(found), indent=2, ensure_ascii=False))
    else:
        print(describe(found))
    return 0


async def _batch(arguments: argparse.Namespace) -> int:
    n_bad = 0
    async with _opened(arguments) as search:
        # In bytes, so that a line that is no UTF-8 is one bad line and does not end the batch.
        for number, outcome in _queries(sys.stdin.buffer):
            if isinstance(outcome, str):
                n_bad += 1
                print(f"sema-bench: line {number}: {outcome}", file=sys.stderr)
                continue
            n = arguments.top or _N_BATCH
            found = await search.find(outcome["query"], n + _N_SPARE)
            line = {"id": outcome["id"], "names": list(found.names[:n])}
            print(json.dumps(line, ensure_ascii=False))
    return 1 if n_bad else 0


def _queries(lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line that is not empty with its number: the object, or what is wrong with it."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON: {error}"
            continue
        if not isinstance(data, dict) or "id" not in data:
            yield number, 'expected an object {"id": …, "query": "…"}'
        elif not isinstance(data.get("query"), str):
            yield number, "'query' is missing or no text"
        else:
            yield number, data


@asynccontextmanager
async def _opened(arguments: argparse.Namespace) -> AsyncIterator[Search]:
    """The search, of what holds for the VM; the pinned one need not be started for that."""
    name = vm_name(arguments)
    settings = read_docs_settings(Path.cwd(), arguments.sema_docs)
    vm = None if name == "wasm" else create_vm(name, n_hosts=1)
    search = make_search(settings, vm=vm, dialect=arguments.dialect)
    try:
        yield search
    finally:
        await search.close()
        if vm is not None:
            await vm.close()


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "query": found.query,
        "exact": found.exact,
        "fallback": found.fallback,
        "hits": [_hit_as_json(hit) for hit in found.hits],
    }


def _hit_as_json(hit: Hit) -> dict[str, Any]:
    entry, row = hit.entry, hit.foreign
    example = entry.examples[0]
    return {
        "name": entry.name,
        "aliases": list(entry.aliases),
        "kind": entry.kind.value,
        "module": entry.module,
        "shape": entry.shape,
        "summary": entry.summary,
        "example": {"code": example.code, "value": example.value, "prints": list(example.prints)},
        "score": hit.score,
        "foreign": row and {"names": list(row.names), "note": row.note},
    }
