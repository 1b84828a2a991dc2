"""The commands of `sema-bench dataset` that make rows, each of one source."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pytest_sema_bench.cli.vm_option import add_vm_option, vm_name
from pytest_sema_bench.dataset import extract
from pytest_sema_bench.dataset.checkout import licence_of
from pytest_sema_bench.dataset.prove import Draft, Sifting, prove, sorted_reasons
from pytest_sema_bench.dataset.row import write_rows
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.report.text import safe, tabulated
from pytest_sema_bench.sema.vm import SemaVM, create_vm

Drafts = Callable[[argparse.Namespace, SemaVM, Sifting], Iterable[Draft]]


def add_sources(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add a command for each source."""
    parser = _add(group, "extract", _extract, "the cases of Sema's own test macros in Rust files")
    _add_checkout(parser)


def _extract(arguments: argparse.Namespace, vm: SemaVM, sifting: Sifting) -> Iterable[Draft]:
    return extract.drafts(arguments.source, _licence(arguments), sifting)


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
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="JSON Lines (default: standard output)"
    )
    add_vm_option(parser)
    parser.set_defaults(run=lambda arguments: _run(arguments, drafts))
    return parser


def _add_checkout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a checkout of Sema's repository"
    )
    parser.add_argument(
        "--licence", metavar="SPDX", help="of the rows (default: what SOURCE/Cargo.toml says)"
    )


def _run(arguments: argparse.Namespace, drafts: Drafts) -> int:
    sifting = Sifting()
    try:
        asyncio.run(_prove(arguments, drafts, sifting))
    except SettingsError as error:
        print(f"sema-bench dataset: {error}", file=sys.stderr)
        return 2
    return finish(arguments.output, sifting)


async def _prove(arguments: argparse.Namespace, drafts: Drafts, sifting: Sifting) -> None:
    vm = create_vm(vm_name(arguments), n_hosts=os.cpu_count() or 1)
    try:
        await prove(drafts(arguments, vm, sifting), vm, sifting)
    finally:
        await vm.close()


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
