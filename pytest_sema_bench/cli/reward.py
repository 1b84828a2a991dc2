"""`sema-bench reward serve`: the benchmark's verdict as a reward, over HTTP."""

import argparse
import asyncio
import os

from pytest_sema_bench.cli.arguments import add_suite_option, add_vm_option, vm_name, whole_number
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.reward.scale import Mode, RewardSettings
from pytest_sema_bench.reward.serve import ServeSettings, serve


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `reward` with its sub-command."""
    group = commands.add_parser("reward").add_subparsers(required=True, metavar="COMMAND")
    parser = group.add_parser(
        "serve",
        help="answer POST / with the reward of an answer, GET /health",
        description=(
            'POST / takes {"task" or "ground_truth": …, "completion": text or messages} and the '
            'original experiment\'s {"problem": {"input", "expected"}, "completion"}. It answers '
            "503 where the VM fails. docs/reward.md has the rest."
        ),
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    parser.add_argument("--port", type=int, default=8080, help="0 for any free one")
    parser.add_argument(
        "--token-env", metavar="NAME", help="environment variable with the token to ask for"
    )
    parser.add_argument(
        "--mode", type=Mode, choices=tuple(Mode), default=Mode.PASS, help="default: pass"
    )
    parser.add_argument(
        "--concurrency",
        type=whole_number(1),
        default=256,
        metavar="N",
        help="requests under way at most",
    )
    parser.add_argument("--max-body", type=whole_number(1), default=2**20, metavar="BYTES")
    add_suite_option(parser)
    add_vm_option(parser)
    parser.set_defaults(run=_serve, mistake=2)


def _serve(arguments: argparse.Namespace) -> int:
    settings = ServeSettings(
        host=arguments.host,
        port=arguments.port,
        token=_token(arguments.token_env),
        max_body_bytes=arguments.max_body,
        n_under_way=arguments.concurrency,
    )
    rewards = RewardSettings(
        mode=arguments.mode,
        vm=vm_name(arguments),
        suites=(str(arguments.suite),) if arguments.suite else (),
    )
    asyncio.run(serve(settings, rewards, _listening))
    return 0


def _listening(address: str) -> None:
    print(f"listening on {address}", flush=True)


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    if not os.environ.get(name):
        raise SettingsError(f"--token-env {name}: that environment variable is not set, or empty")
    return os.environ[name]
