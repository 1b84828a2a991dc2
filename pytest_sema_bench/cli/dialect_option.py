"""`--sema-dialect` as every command that reads or runs code takes it."""

import argparse

from pytest_sema_bench.dialect import Dialect, read_dialect
from pytest_sema_bench.dialect.dialect import OPTION
from pytest_sema_bench.errors import SettingsError


def add_dialect_option(parser: argparse.ArgumentParser) -> None:
    """Add `--sema-dialect`, whose value is a Dialect or None."""
    parser.add_argument(
        OPTION,
        dest="dialect",
        type=_dialect,
        metavar="SEED[:STRENGTH]",
        help="in Sema with other names: `7`, or `7:0.5` for half of them",
    )


def _dialect(text: str) -> Dialect | None:
    try:
        return read_dialect(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix(f"{OPTION}: ")) from None
