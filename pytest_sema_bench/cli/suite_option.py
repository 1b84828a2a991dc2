"""`--suite` as every command that reads tasks takes it."""

import argparse
from pathlib import Path

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder


def add_suite_option(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add `--suite`, whose value is the folder of the suite."""
    parser.add_argument(
        "--suite",
        required=required,
        type=_folder,
        metavar="NAME|FOLDER",
        help=f"a bundled suite ({', '.join(bundled_suites())}) or a folder with a suite.yaml",
    )


def _folder(text: str) -> Path:
    try:
        return suite_folder(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--sema-suite: ")) from None
