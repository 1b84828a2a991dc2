"""`sema-bench dataset`: training data from sources, suites and runs."""

import argparse

from pytest_sema_bench.cli import dataset_build, dataset_describe, dataset_sources


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `dataset` with its sub-commands."""
    group = commands.add_parser("dataset").add_subparsers(required=True, metavar="COMMAND")
    dataset_sources.add_sources(group)
    dataset_describe.add_command(group)
    dataset_build.add_build_commands(group)
