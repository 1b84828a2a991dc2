"""`sema-bench transcript RUN ITEM`: one conversation, to read or as JSON."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.item_text import talk_lines
from pytest_sema_bench.report.text import printable

_MOST_NAMED = 20


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `transcript`."""
    parser = commands.add_parser(
        "transcript",
        description="Also of a run that is under way. `zcat transcripts*.jsonl.gz` has them all.",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "item",
        metavar="ITEM",
        help="L2-05-palindrome/kimi-k2.6-tools-s1, palindrome[kimi-k2.6-tools], or a part of it",
    )
    parser.add_argument("--json", action="store_true", help="as it is stored")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    path: Path = arguments.run_folder
    found = _named(read_run(path).records, arguments.item)
    if len(found) != 1:
        many = f"{len(found)} items are called so" if found else "there is no such item, or not yet"
        print(f"sema-bench transcript: {arguments.item}: {many}", file=sys.stderr)
        for record in found[:_MOST_NAMED]:
            print(f"  {record.item.file}", file=sys.stderr)
        return 2
    (record,) = found
    try:
        talk = read_transcript(path, record.transcript or "")
    except (OSError, ValueError) as error:
        raise BenchError(f"the transcript {record.transcript} cannot be read: {error}") from error
    if arguments.json:
        print(json.dumps(talk, indent=1))
        return 0
    print(printable(f"{record.item}: {record.outcome} ({record.reason})"))
    for line in talk_lines(talk):
        print(line)
    return 0


def _named(records: Sequence[Record], name: str) -> list[Record]:
    """The records of the item, or of all whose names hold every part of this one."""
    exact = [record for record in records if name in (record.item.file, str(record.item))]
    # `tasks/L2/05-palindrome.yaml::palindrome[m-tools-s2]`, as pytest prints it.
    parts = re.split(r"[][\s/]+", name.rpartition("::")[2])
    return exact or [r for r in records if all(part in r.item.file for part in parts)]
