"""`sema-bench report RUN…`: one HTML file from one run or several."""

import argparse
import sys
from pathlib import Path

from pytest_sema_bench.gate.compare import Compared, compare
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.verdict import GateRules, GateVerdict, decide
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.report.html import write_report
from pytest_sema_bench.report.runs import Merged, merge_runs


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `report`."""
    parser = commands.add_parser(
        "report",
        description=(
            "The file opens from disk and needs no network. Several RUNs are taken together as "
            "one: shards, or models that ran on different days. Of two records of an item a "
            "verdict counts before a void one, else the newer run."
        ),
    )
    parser.add_argument("runs", type=Path, metavar="RUN", nargs="+", help="a run folder")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: report.html in the first RUN"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="what to compare with: a baseline or a run"
    )
    parser.set_defaults(run=_run, mistake=2)


def _run(arguments: argparse.Namespace) -> int:
    runs: list[Path] = arguments.runs
    output: Path = arguments.output or runs[0] / "report.html"
    merged = merge_runs([read_run(path) for path in runs])
    if not merged.entries:
        print(f"sema-bench report: {runs[0]} holds no records", file=sys.stderr)
        return 2
    verdict, compared = _judged(merged, arguments.baseline)
    write_report(merged, output, verdict=verdict, compared=compared)
    n_items, size_mb = len(merged.entries), output.stat().st_size / 1e6
    print(f"{output}: {n_items} items, {size_mb:.1f} MB")
    return 0


def _judged(merged: Merged, baseline: Path | None) -> tuple[GateVerdict | None, Compared | None]:
    """The gate's verdict and the comparison, where there is a baseline."""
    if baseline is None:
        return None, None
    results = merged.results()
    compared = compare(load_results(baseline), results)
    return decide(results, GateRules(), compared), compared
