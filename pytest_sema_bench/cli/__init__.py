"""The console script `sema-bench`: one module per command group, this one picks.

Exit status: 0 all well, 1 the check found something, 2 the command line is wrong,
3 the world is (no Node, no VM, a file that cannot be read).
"""

import argparse
import sys
from collections.abc import Sequence

from pytest_sema_bench import __version__
from pytest_sema_bench.errors import BenchError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    from pytest_sema_bench.cli import (
        baseline,
        compare,
        docs,
        grade,
        history,
        models,
        power,
        regrade,
        report,
        tasks,
        vm,
    )

    parser = argparse.ArgumentParser(
        prog="sema-bench", description="Tools of pytest-sema-bench, outside of pytest."
    )
    parser.add_argument("--version", action="version", version=f"sema-bench {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (
        tasks,
        models,
        docs,
        grade,
        regrade,
        compare,
        report,
        baseline,
        power,
        history,
        vm,
    ):
        module.add_commands(commands)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except BenchError as error:
        print(f"sema-bench: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("sema-bench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return status
