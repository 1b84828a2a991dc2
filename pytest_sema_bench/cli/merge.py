"""`sema-bench merge` and `collect`: what several machines have done made one run."""

import argparse
from pathlib import Path

from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.report.counted import CountedRun
from pytest_sema_bench.report.html import write_report
from pytest_sema_bench.report.runs import merge_runs
from pytest_sema_bench.run.collect import collect_run
from pytest_sema_bench.run.merge import merge_shards
from pytest_sema_bench.settings import DatabaseUrl


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `merge` and `collect`."""
    parser = commands.add_parser(
        "merge",
        description=(
            "The RUNs were made with --sema-shard=1/N to N/N and the same other options. What is "
            "made of them is a run as any other, which --sema-resume can take up."
        ),
    )
    parser.add_argument("runs", type=Path, metavar="RUN", nargs="+", help="the run of a shard")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="RUN", required=True, help="a new run folder"
    )
    parser.set_defaults(
        run=_run, mistake=2, make=lambda given: merge_shards(given.runs, given.output)
    )
    parser = commands.add_parser(
        "collect",
        description=(
            "NAME is what --sema-run says, URL what --sema-ledger says. It can be done at any "
            "time, and again. What is made is a run as any other, which --sema-resume can take up."
        ),
    )
    parser.add_argument("url", type=DatabaseUrl, metavar="URL", help="the database")
    parser.add_argument("name", metavar="NAME", help="the run's name there")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="RUN", required=True, help="a new run folder"
    )
    parser.set_defaults(
        run=_run,
        mistake=2,
        make=lambda given: collect_run(given.url, given.name, given.output),
    )


def _run(arguments: argparse.Namespace) -> int:
    output: Path = arguments.output
    run: RunData = arguments.make(arguments)
    counted = CountedRun.of(run)
    summary = "\n".join([f"# {output.name}\n", *counted.lines(markdown=True)])
    with whole_file(output / "summary.md") as file:
        file.write(summary)
    write_report(merge_runs([run]), output / "report.html")
    for line in counted.lines():
        print(line)
    print(f"run folder: {output}")
    return 0
