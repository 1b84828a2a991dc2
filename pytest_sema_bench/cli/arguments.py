"""What several commands take: `--suite`, `--sema-vm`, `--sema-dialect`, `--format`, numbers."""

import argparse
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pytest_sema_bench.dialect import Dialect, read_dialect
from pytest_sema_bench.dialect.dialect import OPTION as DIALECT_OPTION
from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.options import read_file
from pytest_sema_bench.sema.vm import FORMS, OPTION, SemaVM, create_vm, read_choice
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder


def add_vm_option(parser: argparse.ArgumentParser) -> None:
    """Add `--sema-vm`, whose value is checked here; `vm_name` gives it."""
    parser.add_argument(
        "--sema-vm",
        type=vm_type,
        metavar="VM",
        help=f"{', '.join(FORMS)} (default: `vm` of [tool.sema-bench] in this folder's "
        "pyproject.toml, else wasm)",
    )


def vm_name(arguments: argparse.Namespace) -> str:
    """The VM that was asked for, here or in pyproject.toml. Raises SettingsError."""
    if arguments.sema_vm is not None:
        return str(arguments.sema_vm)
    return str(read_file(Path.cwd()).get("vm", "wasm"))


def vm_type(text: str) -> str:
    """A VM's name as argparse checks it."""
    try:
        return str(read_choice(text))
    except SettingsError as error:
        found = str(error).removeprefix(OPTION).removeprefix(f"={text}").removeprefix(": ")
        raise argparse.ArgumentTypeError(f"{text!r}: {found}") from error


@asynccontextmanager
async def opened_vm(
    arguments: argparse.Namespace, n_hosts: int | None = None
) -> AsyncIterator[SemaVM]:
    """The VM that was asked for, with a host for each processor unless `n_hosts` says otherwise."""
    vm = create_vm(vm_name(arguments), n_hosts=n_hosts or os.cpu_count() or 1)
    try:
        yield vm
    finally:
        await vm.close()


def there(text: str) -> Path:
    """The path of a file or folder to read. Raises BenchError where nothing is."""
    path = Path(text)
    if not path.exists():
        raise BenchError(f"there is no {path}")
    return path


def add_suite_option(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add `--suite`, whose value is the folder of the suite."""
    parser.add_argument(
        "--suite",
        required=required,
        type=suite_type,
        metavar="NAME|FOLDER",
        help=f"a bundled suite ({', '.join(bundled_suites())}) or a folder with a suite.yaml",
    )


def suite_type(text: str) -> Path:
    """The folder of a suite as argparse reads its name."""
    try:
        return suite_folder(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--sema-suite: ")) from None


def add_dialect_option(parser: argparse.ArgumentParser) -> None:
    """Add `--sema-dialect`, whose value is a Dialect or None."""
    parser.add_argument(
        DIALECT_OPTION,
        dest="dialect",
        type=_dialect,
        metavar="SEED[:STRENGTH]",
        help="in Sema with other names: `7`, or `7:0.5` for half of them",
    )


def _dialect(text: str) -> Dialect | None:
    try:
        return read_dialect(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix(f"{DIALECT_OPTION}: ")) from None


def add_format_option(parser: argparse.ArgumentParser) -> None:
    """Add `--format`, and `--json`, which is short for one of its values."""
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="short for --format json"
    )


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """What argparse reads a whole number with, from `least` and up to `most` if there is one."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if number < least or (most is not None and number > most):
            up_to = "" if most is None else f" to {most}"
            raise argparse.ArgumentTypeError(
                f"found {text!r}, expected a whole number from {least}{up_to}"
            )
        return number

    return read


def shown_path(path: Path) -> Path:
    """A path as people see it: relative to this folder where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
