"""`sema-bench vm info` and `sema-bench vm eval CODE`: the VM for people."""

import argparse
import asyncio
import sys

from pytest_sema_bench.cli import vm_compare
from pytest_sema_bench.cli.arguments import add_vm_option, opened_vm
from pytest_sema_bench.sema.vm import Evaluation
from pytest_sema_bench.settings import Limits


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `vm` with its sub-commands."""
    group = commands.add_parser("vm").add_subparsers(required=True, metavar="COMMAND")
    vm_compare.add_command(group)
    info = group.add_parser("info", help="which VM answers, installing it on first use")
    info.set_defaults(run=_info)
    evaluate = group.add_parser("eval", help="evaluate Sema code in a fresh interpreter")
    evaluate.add_argument(
        "code", nargs="+", help="one source each, run in order; `-` reads standard input"
    )
    evaluate.set_defaults(run=_eval)
    for parser in (info, evaluate):
        add_vm_option(parser)


def _info(arguments: argparse.Namespace) -> int:
    async def ask() -> None:
        async with opened_vm(arguments, n_hosts=1) as vm:
            info = await vm.info()
        print(f"backend  {info.backend}")
        print(f"version  {info.version}")
        print(f"build    {info.build}")
        print(f"host     {info.host}")
        for line in info.confinement:
            print(f"confined {line}")

    asyncio.run(ask())
    return 0


def _eval(arguments: argparse.Namespace) -> int:
    sources = [_read_stdin() if code == "-" else code for code in arguments.code]

    async def ask() -> tuple[Evaluation, ...]:
        async with opened_vm(arguments, n_hosts=1) as vm:
            return await vm.evaluate(sources, Limits())

    evaluations = asyncio.run(ask())
    for evaluation in evaluations:
        for line in evaluation.output:
            print(line)
        if evaluation.error is not None and evaluation.error_class is not None:
            print(f"{evaluation.error_class.value} error: {evaluation.error}", file=sys.stderr)
        elif evaluation.value is not None:
            print(evaluation.value)
    return 1 if any(evaluation.error for evaluation in evaluations) else 0


def _read_stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")
