"""`--sema-vm` as every command that evaluates takes it: one declaration, one default."""

import argparse
from pathlib import Path

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.options import read_file
from pytest_sema_bench.sema.vm import FORMS, OPTION, read_choice


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
