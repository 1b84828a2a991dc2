"""`sema-bench dataset describe FILE --model NAME`: prompts for programs, written by a model."""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from pytest_sema_bench.cli.arguments import add_vm_option, there
from pytest_sema_bench.cli.dataset_sources import finish
from pytest_sema_bench.dataset.answers import Answers, journal_of
from pytest_sema_bench.dataset.describe import describe
from pytest_sema_bench.dataset.prove import Sifting
from pytest_sema_bench.dataset.row import Row, read_rows
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.options import OPTIONS, read_settings
from pytest_sema_bench.records.whole_file import check_place
from pytest_sema_bench.run.plan import Plan, make_plan
from pytest_sema_bench.settings import DEFAULT_SUITE, Settings

_ASKING = ["base-url", "api-key-env", "concurrency", "timeout", "max-cost", "record", "replay"]
"""The options of a run that hold here too."""


def add_command(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `describe`."""
    parser = group.add_parser(
        "describe",
        help="a sentence for each program, by a model",
        description="Has a model say in a sentence what each program of FILE does, which becomes "
        "the row's prompt. An interrupted command, repeated, asks only what is missing. The exit "
        "status is 3 if some could not be asked about, 1 if nothing was kept.",
    )
    parser.add_argument(
        "file", type=there, metavar="FILE", help="rows, as the other commands write"
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="the model that describes")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", required=True)
    parser.add_argument(
        "--check",
        action="store_true",
        help="ask for code by each sentence alone, run it, and drop the row if it does otherwise",
    )
    for option in OPTIONS:
        if option.name in _ASKING:
            parser.add_argument(f"--{option.name}", **option.declaration)
    add_vm_option(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    sifting = Sifting()
    check_place(arguments.output)
    try:
        rows = read_rows(arguments.file)
        plan = make_plan(_settings(arguments), Path.cwd())
    except SettingsError as error:
        told = str(error).replace("--sema-", "--")
        print(f"sema-bench dataset describe: {told}", file=sys.stderr)
        return 2
    n_void = asyncio.run(_describe(rows, plan, arguments, sifting))
    status = finish(arguments.output, sifting)
    if n_void:
        print(
            f"{n_void} programs could not be asked about; the same command asks for them again, "
            f"and takes what was answered from {journal_of(arguments.output)}",
            file=sys.stderr,
        )
        return 3
    return status


def _settings(arguments: argparse.Namespace) -> Settings:
    """What is asked; of pyproject.toml what concerns the asking. Raises SettingsError."""
    given = {name: getattr(arguments, name.replace("-", "_")) for name in _ASKING}
    given |= {"model": [arguments.model], "vm": arguments.sema_vm}
    settings = replace(read_settings(given, Path.cwd()), configs=("bare",), samples=1)
    settings = replace(settings, suite=DEFAULT_SUITE, tasks=None, baseline=None, across=None)
    settings = replace(settings, must_pass=None, fail_under=None, dialect=None)
    if len(settings.models) != 1 or settings.models == ("reference",):
        raise SettingsError(
            f"--model: found {arguments.model!r}, expected one model that can write"
        )
    return settings


async def _describe(
    rows: list[Row], plan: Plan, arguments: argparse.Namespace, sifting: Sifting
) -> int:
    answers = await Answers.open(plan, journal_of(arguments.output))
    n_void: int | None = None
    try:
        n_void = await describe(
            rows, answers, sifting, model=plan.models[0].name, check=arguments.check
        )
    finally:
        await answers.close(done=n_void == 0)
    return n_void
