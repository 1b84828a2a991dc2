"""The commands of `sema-bench dataset` that make rows, each of one source."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from pytest_sema_bench.cli.arguments import (
    add_suite_option,
    add_vm_option,
    opened_vm,
    there,
    whole_number,
)
from pytest_sema_bench.dataset import documented, examples, extract, fuzz, references
from pytest_sema_bench.dataset.benchmark import FLAG
from pytest_sema_bench.dataset.checkout import licence_of
from pytest_sema_bench.dataset.prove import Draft, Sifting, prove, sorted_reasons
from pytest_sema_bench.dataset.row import write_rows
from pytest_sema_bench.dataset.traces import Tracer
from pytest_sema_bench.records.whole_file import check_place
from pytest_sema_bench.report.text import safe, tabulated
from pytest_sema_bench.sema.vm import SemaVM

Drafts = Callable[[argparse.Namespace, SemaVM, Sifting], Awaitable[Iterable[Draft]]]
_PROGRAMS = whole_number(1, 100_000)


def add_sources(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add a command for each source."""
    _add_checkout(_add(group, "extract", _extract, "the cases of the test macros in Rust files"))
    parser = _add(group, "fuzz", _fuzz, "programs of the grammar fuzzer in Sema's repository")
    _add_checkout(parser)
    parser.add_argument("-n", type=_PROGRAMS, default=1000, help="programs to make (default: 1000)")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**31 - 1), default=0, help="of the first (default: 0)"
    )
    parser.add_argument(
        "--depth",
        type=_PROGRAMS,
        default=fuzz.DEFAULT_DEPTH,
        help=f"how deep they nest (default: {fuzz.DEFAULT_DEPTH})",
    )
    _add_checkout(_add(group, "examples", _examples, "the functions of Sema's example files"))
    _add(group, "docs", _documented, "the examples of the bundled documentation")
    parser = _add(group, "tasks", _references, "the reference answers of a suite")
    add_suite_option(parser, required=True)
    add_licence(parser, "what its suite.yaml says")
    add_benchmark(parser)

    parser = _add(group, "traces", _traces, "conversations of runs whose answer is right")
    parser.add_argument("runs", type=Path, metavar="RUN", nargs="+", help="a run folder")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--repaired",
        action="store_true",
        help="only those in which a VM error was seen and mended",
    )
    kind.add_argument(
        "--pairs",
        action="store_true",
        help="instead, pairs of a right and a wrong answer to one question",
    )
    add_licence(parser, "that of the tasks' suite")
    add_benchmark(parser)


async def _extract(arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting) -> Iterable[Draft]:
    return extract.drafts(arguments.source, _licence(arguments), sifting)


async def _fuzz(arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting) -> Iterable[Draft]:
    return await fuzz.drafts(
        arguments.source,
        _licence(arguments),
        vm,
        sifting,
        n=arguments.n,
        seed=arguments.seed,
        depth=arguments.depth,
    )


async def _examples(arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting) -> Iterable[Draft]:
    return examples.drafts(arguments.source, _licence(arguments), sifting)


async def _documented(
    arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting
) -> Iterable[Draft]:
    return documented.drafts((await vm.info()).version)


async def _references(
    arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting
) -> Iterable[Draft]:
    return await references.drafts(
        arguments.suite, arguments.licence, vm, sifting, benchmark=arguments.benchmark
    )


async def _traces(arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting) -> Iterable[Draft]:
    tracer, benchmark = Tracer(vm, sifting, arguments.licence), arguments.benchmark
    if arguments.pairs:
        await tracer.pair(arguments.runs, benchmark=benchmark)
    else:
        await tracer.trace(arguments.runs, benchmark=benchmark, repaired=arguments.repaired)
    return ()


def _licence(arguments: argparse.Namespace) -> str:
    return licence_of(arguments.source, arguments.licence)


def _add(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    drafts: Drafts,
    purpose: str,
) -> argparse.ArgumentParser:
    parser = group.add_parser(
        name,
        help=purpose,
        description=f"Makes rows of {purpose}, runs each program on the VM, and says what was "
        "found, kept and dropped, and why. The exit status is 1 if nothing was kept.",
    )
    add_output(parser)
    add_vm_option(parser)
    parser.set_defaults(run=lambda arguments: _run(arguments, drafts), mistake=2)
    return parser


def _add_checkout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=there, metavar="SOURCE", help="a checkout of Sema's repository"
    )
    add_licence(parser, "what SOURCE/Cargo.toml says")


def add_licence(parser: argparse.ArgumentParser, default: str) -> None:
    """Add `--licence`."""
    parser.add_argument("--licence", metavar="SPDX", help=f"of the rows (default: {default})")


def add_benchmark(parser: argparse.ArgumentParser) -> None:
    """Add the flag by which the benchmark's own tasks are asked for."""
    parser.add_argument(
        FLAG,
        action="store_true",
        help="take tasks of the bundled suites too: who trains on them can no longer measure "
        "with them; their rows are tagged",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `-o`."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="JSON Lines (default: standard output)"
    )


def _run(arguments: argparse.Namespace, drafts: Drafts) -> int:
    sifting = Sifting()
    if arguments.output is not None:
        check_place(arguments.output)
    asyncio.run(_prove(arguments, drafts, sifting))
    return finish(arguments.output, sifting)


async def _prove(arguments: argparse.Namespace, drafts: Drafts, sifting: Sifting) -> None:
    async with opened_vm(arguments) as vm:
        await prove(await drafts(arguments, vm, sifting), vm, sifting)


def finish(output: Path | None, sifting: Sifting) -> int:
    """Write the rows, print the account, and give the exit status."""
    if output is None:
        for row in sifting.kept:
            print(row.to_json())
    else:
        write_rows(output, sifting.kept)
    print("\n".join(_account(sifting)), file=sys.stderr if output is None else sys.stdout)
    return 0 if sifting.kept else 1


def _account(sifting: Sifting) -> Iterator[str]:
    rows = [("found", str(sifting.n_found), ""), ("kept", str(len(sifting.kept)), "")]
    rows += [
        (f"dropped: {why}", str(len(places)), safe(places[0], width=80))
        for why, places in sorted_reasons(sifting)
    ]
    yield from tabulated(("", "programs", "the first of them"), rows, align="lrl")
