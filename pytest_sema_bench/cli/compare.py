"""`sema-bench compare BASE RUN…`: what changed between two runs, and the gate outside of pytest."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_sema_bench.cli.arguments import add_format_option
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.across import Across, read_across
from pytest_sema_bench.gate.bars import BarVerdict, bars_outcome, judge_bars, read_bar
from pytest_sema_bench.gate.compare import Compared, compare
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.task_results import Results, merge
from pytest_sema_bench.gate.verdict import GateOutcome, GateRules, GateVerdict, decide
from pytest_sema_bench.report.as_json import comparison_facts, verdict_facts
from pytest_sema_bench.report.compare import comparison_lines
from pytest_sema_bench.report.gate import bar_facts, bar_lines, verdict_lines
from pytest_sema_bench.suite.selection import Selection, names_of

_RULES = "these are rules of the gate: they need --gate"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `compare`."""
    parser = commands.add_parser(
        "compare",
        description=(
            "BASE and RUN are run folders, records files or baseline files. Several RUNs are "
            "taken together as one: shards, or models that ran on different days. With --gate "
            "the exit status is 0 for no evidence of a regression, 1 regressed, 10 cannot tell, "
            "11 the run is incomplete; with --require 0 for every bar met, 1 missed, 10 and 11 "
            "likewise; without either 0."
        ),
    )
    parser.add_argument("base", type=Path, metavar="BASE")
    parser.add_argument("runs", type=Path, metavar="RUN", nargs="+")
    parser.add_argument(
        "--across",
        metavar="WHAT",
        help="the differences that are meant, of vm, dialect, docs, prompt, tools, config, with "
        "commas between: they are compared all the same, and nothing else may differ",
    )
    parser.add_argument("--gate", action="store_true", help="judge, and end with the gate's status")
    parser.add_argument(
        "--require",
        action="append",
        metavar="BAR",
        default=[],
        help="what must have changed, with certainty: 'pass >= +10', 'repair_rate >= -5', "
        "'tokens[L3] <= +20'; of pass, repair_rate (points), rounds, tool_calls (an item), "
        "tokens, cost (per cent), of a level, model or configuration; may be repeated",
    )
    parser.add_argument("--must-pass", metavar="EXPR", help="tasks that must pass: 'L1 or reverse'")
    parser.add_argument("--fail-under", metavar="PCT", type=float, help="floor of the pass rate")
    parser.add_argument(
        "--subset",
        action="store_true",
        help="the run was limited on purpose: tasks that it left out do not lower its coverage",
    )
    add_format_option(parser)
    parser.set_defaults(run=_run, mistake=2)


def _run(arguments: argparse.Namespace) -> int:
    rules, bars = _rules(arguments), [read_bar(text) for text in arguments.require]
    across = frozenset[Across]()
    if arguments.across is not None:
        across = read_across(arguments.across, "--across")
    base = load_results(arguments.base)
    run = merge([load_results(path) for path in arguments.runs])
    if rules and rules.must_pass:
        rules.must_pass.check(_known_names(base, run))
    compared = compare(base, run, across=across)
    verdict = decide(compared.run, rules, compared) if rules else None
    held = judge_bars(compared, bars, subset=arguments.subset)
    accepted = bars_outcome(held, compared.run.incomplete) if bars else None
    for line in _lines(compared, verdict, held, accepted, arguments.format):
        print(line)
    outcomes = [outcome for outcome in (verdict and verdict.outcome, accepted) if outcome]
    # The gate's outcomes stand in the order of their weight.
    return next((outcome.exit_status for outcome in GateOutcome if outcome in outcomes), 0)


def _known_names(*sources: Results) -> list[frozenset[str]]:
    tasks = [task for results in sources for group in results.groups for task in group.tasks]
    return [names_of(task.task, task.level, task.category) for task in tasks]


def _rules(arguments: argparse.Namespace) -> GateRules | None:
    if not arguments.gate:
        lone_subset = arguments.subset and not arguments.require
        if arguments.must_pass or arguments.fail_under is not None or lone_subset:
            raise SettingsError(f"--must-pass, --fail-under, --subset: {_RULES}")
        return None
    expression: str | None = arguments.must_pass
    return GateRules(
        must_pass=Selection.parse(expression) if expression is not None else None,
        fail_under=arguments.fail_under,
        subset=arguments.subset,
    )


def _lines(
    compared: Compared,
    verdict: GateVerdict | None,
    held: Sequence[BarVerdict],
    accepted: GateOutcome | None,
    style: str,
) -> Iterator[str]:
    if style == "json":
        facts = comparison_facts(compared)
        if verdict is not None:
            facts["gate"] = verdict_facts(verdict)
        if accepted is not None:
            facts["require"] = bar_facts(held, accepted)
        yield json.dumps(facts, indent=1)
        return
    yield from comparison_lines(compared, markdown=style == "markdown")
    if verdict is not None:
        yield from verdict_lines(verdict, markdown=style == "markdown")
    if accepted is not None:
        yield from bar_lines(held, accepted, markdown=style == "markdown")
