"""The console script `sema-bench`: one module per command group, this one picks.

Exit status: 0 all well, 1 the check found something, 2 the command line is wrong,
3 the world is (no Node, no VM, a file or folder that is not there or cannot be read).
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from pytest_sema_bench import __version__
from pytest_sema_bench.errors import BenchError, SettingsError

COMMANDS = {
    "tasks": ("tasks", "the suite of tasks"),
    "models": ("models", "the models and providers that have a name here"),
    "docs": ("docs", "what Sema offers, and the search in it"),
    "grade": ("grade", "grade answers made elsewhere"),
    "regrade": (
        "regrade",
        "grade a run's stored answers again: another VM, newer tasks or grader",
    ),
    "compare": ("compare", "compare a run with a baseline or an earlier run, task by task"),
    "transcript": ("transcript", "show one conversation of a run"),
    "watch": ("watch", "how a run goes that another shell or machine has started"),
    "merge": ("merge", "make one run of the shards of one"),
    "export": ("export", "a run for Inspect AI, as CSV or Parquet; a suite for Harbor"),
    "import": ("import_log", "a run of a log of Inspect AI, graded again"),
    "collect": ("merge", "make a run folder of a run that machines share in a database"),
    "report": ("report", "make one HTML file of one run or several"),
    "baseline": ("baseline", "keep a run as what later runs are compared with"),
    "power": ("power", "what a comparison of so many tasks and samples can see"),
    "aa-check": ("power", "how often the gate would fire on a run's own, unchanged model"),
    "history": ("history", "list runs and show how each model's rate moved"),
    "dataset": ("dataset", "training data from sources, suites and runs, proven on the VM"),
    "reward": ("reward", "the verdict as a reward to train with, over HTTP"),
    "vm": ("vm", "the Sema VM that grades"),
}
"""Each command's module, which adds it to the parser, and what it is for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, TextIOWrapper):  # what a terminal cannot show is no reason to fail
        sys.stdout.reconfigure(errors="replace")
    try:
        arguments, unknown = _parser(argv[0] if argv else None).parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        status: int = arguments.run(arguments)
    except BenchError as error:
        print(f"sema-bench: {error}", file=sys.stderr)
        return arguments.mistake if isinstance(error, SettingsError) else 3
    except KeyboardInterrupt:
        print("sema-bench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # As it ends, Python flushes standard output again and would complain of it there.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.filename is None:
            raise  # no file that the user has named is at fault
        print(f"sema-bench: {error.filename}: {error.strerror}", file=sys.stderr)
        return 3
    return status


class _Parser(argparse.ArgumentParser):
    """A parser that can be asked for afterwards: `parser` of the arguments is the innermost."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.set_defaults(parser=self)


def _parser(wanted: str | None) -> argparse.ArgumentParser:
    """The parser with all of the wanted command, and of the others what `--help` lists."""
    parser = _Parser(
        prog="sema-bench", description="Tools of pytest-sema-bench, outside of pytest."
    )
    # What a SettingsError ends with; commands whose arguments it may be about say 2.
    parser.set_defaults(mistake=3)
    parser.add_argument("--version", action="version", version=f"sema-bench {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    loaded = COMMANDS[wanted][0] if wanted in COMMANDS else None
    for name, (module, purpose) in COMMANDS.items():
        if module != loaded:
            commands.add_parser(name, help=purpose)
    if loaded is not None:
        import_module(f"{__name__}.{loaded}").add_commands(commands)
    return parser
