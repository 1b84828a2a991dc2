"""`sema-bench export`: runs, and suites, for other tools."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_sema_bench.cli.arguments import suite_type
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.exchange.every_eval_ever import RELATIONSHIPS, write_every_eval_ever
from pytest_sema_bench.exchange.frames import dictionary, write_csv, write_parquet
from pytest_sema_bench.exchange.harbor_tasks import write_harbor_tasks
from pytest_sema_bench.exchange.inspect_log import write_inspect_log
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.reader import RunData, read_run
from pytest_sema_bench.suite.task import load_tasks

_FRAMES = {"csv": write_csv, "parquet": write_parquet}
_EEE = "every-eval-ever"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export`."""
    parser = commands.add_parser(
        "export",
        description="inspect: a log of Inspect AI for each model and configuration, which "
        "`inspect view` opens. csv, parquet: a row for each record; --dictionary says what the "
        "columns mean. every-eval-ever: rates for its datastore, in a folder. harbor: of a suite "
        "a folder for each task.",
    )
    parser.add_argument(
        "source", type=Path, metavar="RUN|SUITE", nargs="?", help="a run folder; for harbor a suite"
    )
    parser.add_argument(
        "--format", choices=("inspect", *_FRAMES, _EEE, "harbor"), default="inspect"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="the file; for harbor, and for inspect where the run has several models or "
        "configurations, a folder",
    )
    parser.add_argument(
        "--organization", metavar="NAME", help=f"for {_EEE}: who ran the evaluation"
    )
    parser.add_argument(
        "--relationship",
        choices=RELATIONSHIPS,
        default="third_party",
        help=f"for {_EEE}: theirs to the model's developer (default: third_party)",
    )
    parser.add_argument("--dictionary", action="store_true", help="print the columns' meanings")
    parser.set_defaults(run=lambda arguments: _export(parser, arguments))


def _export(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    if arguments.dictionary:
        print(dictionary())
        return 0
    if arguments.source is None or arguments.output is None:
        parser.error("name a run folder, or a suite for harbor, and with -o what to write")
    if arguments.format == "harbor":
        try:
            tasks = load_tasks(suite_type(str(arguments.source)))
        except argparse.ArgumentTypeError as error:
            parser.error(str(error))
        write_harbor_tasks(arguments.output, tasks)
        print(f"{arguments.output}: {len(tasks)} tasks")
        return 0
    meant = arguments.output.suffix.removeprefix(".")
    if arguments.format == "inspect" and meant in _FRAMES:
        parser.error(f"{arguments.output} is named after a table: add --format {meant}")
    if arguments.format == _EEE and not arguments.organization:
        parser.error(f"{_EEE} says who ran the evaluation: --organization NAME")
    run = read_run(arguments.source)
    if arguments.format == _EEE:
        told = arguments.organization, arguments.relationship
        for path in write_every_eval_ever(arguments.output, run, *told, int(time.time())):
            print(path)
        return 0
    if arguments.format in _FRAMES:
        _FRAMES[arguments.format](arguments.output, run.records)
        print(f"{arguments.output}: {len(run.records)} records")
        return 0
    for setup, path in _places(run, arguments.output):
        print(f"{path}: {write_inspect_log(path, run, setup)} samples of {setup.name}")
    return 0


def _places(run: RunData, output: Path) -> Sequence[tuple[Setup, Path]]:
    setups = list(dict.fromkeys(record.setup for record in run.records))
    if output.suffix == ".eval":
        if len(setups) > 1:
            names = ", ".join(setup.name for setup in setups)
            raise BenchError(f"a log holds one model, and {run.path} holds {names}: -o FOLDER")
        return [(setup, output) for setup in setups]
    return [
        (setup, output / f"{run.name}_{record.item.file.rsplit('/')[-1].rsplit('-s', 1)[0]}.eval")
        for setup in setups
        for record in [next(r for r in run.records if r.setup == setup)]
    ]
