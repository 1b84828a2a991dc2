"""`sema-bench power` and `sema-bench aa-check`: what the gate can see, and how often it errs."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `power` and `aa-check`."""
    power = commands.add_parser("power")
    power.add_argument("--tasks", type=int, default=60, metavar="N")
    power.add_argument("--samples", type=int, default=1, metavar="K", help="of each task, in a run")
    power.add_argument(
        "--base-samples", type=int, metavar="K", help="in the baseline (default: as in the run)"
    )
    power.add_argument(
        "--rate", type=float, default=0.6, help="pass rate before, 0 to 1 (default: 0.6)"
    )
    power.set_defaults(run=_power)
    check = commands.add_parser("aa-check")
    check.add_argument(
        "run_path", type=Path, metavar="RUN", help="with several samples of each task"
    )
    check.set_defaults(run=_aa_check)
    for parser in (power, check):
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", action="store_true")


def _power(arguments: argparse.Namespace) -> int:
    wrong = _wrong_size(arguments)
    if wrong:
        print(f"sema-bench power: {wrong}", file=sys.stderr)
        return 2
    # NumPy is imported when it is needed, here and below: the other commands start without it.
    from pytest_sema_bench.gate.power import SIMULATIONS, Design, power
    from pytest_sema_bench.report.power import power_lines

    design = Design(
        n_tasks=arguments.tasks,
        n_base=arguments.base_samples or arguments.samples,
        n_run=arguments.samples,
        rate=arguments.rate,
    )
    found = power(design, seed=arguments.seed)
    if arguments.json:
        facts = {**asdict(found), "seed": arguments.seed, "n_simulations": SIMULATIONS}
        print(json.dumps(facts, indent=1))
    else:
        print("\n".join(power_lines(found, n=SIMULATIONS, seed=arguments.seed)))
    return 0


def _wrong_size(arguments: argparse.Namespace) -> str | None:
    for name, value, most in (
        ("--tasks", arguments.tasks, 2000),
        ("--samples", arguments.samples, 20),
        ("--base-samples", arguments.base_samples or 1, 20),
    ):
        if not 1 <= value <= most:
            return f"{name} is {value}; expected 1 to {most}"
    if not 0 < arguments.rate < 1:
        return f"--rate is {arguments.rate:g}; expected a share between 0 and 1, such as 0.6"
    return "--seed must not be negative" if arguments.seed < 0 else None


def _aa_check(arguments: argparse.Namespace) -> int:
    from pytest_sema_bench.gate.aa_check import SPLITS, aa_check
    from pytest_sema_bench.gate.load import load_results
    from pytest_sema_bench.report.power import aa_lines

    if arguments.seed < 0:
        print("sema-bench aa-check: --seed must not be negative", file=sys.stderr)
        return 2
    checks = aa_check(load_results(arguments.run_path), seed=arguments.seed)
    if arguments.json:
        facts = {"seed": arguments.seed, "n_splits": SPLITS, "models": list(map(asdict, checks))}
        print(json.dumps(facts, indent=1))
    else:
        print("\n".join(aa_lines(checks, n=SPLITS, seed=arguments.seed)))
    return 0
