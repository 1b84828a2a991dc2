"""Comparisons and verdicts as plain data for JSON: for scripts, and for run.json."""

from dataclasses import asdict
from typing import Any

from pytest_sema_bench.gate.compare import Compared, Comparison, Pair, Rates
from pytest_sema_bench.gate.effort import EffortChange
from pytest_sema_bench.gate.task_results import TaskResult
from pytest_sema_bench.gate.verdict import GateVerdict


def comparison_facts(compared: Compared) -> dict[str, Any]:
    """All that the text says, and the categories and tasks in full."""
    return {
        "baseline": _source(compared, of_run=False),
        "run": _source(compared, of_run=True),
        "comparisons": [_comparison(comparison) for comparison in compared.comparisons],
        "only_in_baseline": list(compared.only_in_base),
        "only_in_run": list(compared.only_in_run),
        "across": compared.meant,
    }


def verdict_facts(verdict: GateVerdict) -> dict[str, Any]:
    """The verdict; `outcome` and `exit_status` decide, the rest explains."""
    return {
        "outcome": verdict.outcome.value,
        "exit_status": verdict.exit_status,
        "alpha": verdict.alpha,
        "findings": [{"outcome": f.outcome.value, "text": f.text} for f in verdict.findings],
        "tests": list(map(asdict, verdict.tests)),
        "confirmed": [
            {
                **asdict(entry.task.setup),
                "task": entry.task.task,
                "n_pass": entry.n_pass,
                "n_graded": entry.n_graded,
            }
            for entry in verdict.confirmed
        ],
    }


def _source(compared: Compared, *, of_run: bool) -> dict[str, Any]:
    results = compared.run if of_run else compared.base
    suite = results.suite and results.suite.as_json()
    return {"source": results.source, "run": results.run, "date": results.date, "suite": suite}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    test, usage = comparison.test, comparison.usage
    return {
        "model": comparison.run.setup.model,
        "config": comparison.run.setup.config,
        "baseline_model": comparison.base.setup.model,
        "baseline_config": comparison.base.setup.config,
        "total": _rates(comparison.total) if comparison.total else None,
        "difference_interval": comparison.interval,
        "p_worse": test.p_worse if test else None,
        "p_two_sided": test.p_two_sided if test else None,
        "coverage": comparison.coverage(),
        "worse": [_pair(pair) for pair in comparison.worse],
        "better": [_pair(pair) for pair in comparison.better],
        "levels": [_rates(rates) for rates in comparison.levels],
        "categories": [_rates(rates) for rates in comparison.categories],
        "usage": {"baseline": usage[0].as_json(), "run": usage[1].as_json()},
        "repaired": comparison.shares("repaired"),
        "first_parses": comparison.shares("first_parses"),
        "effort": [_effort(change) for change in comparison.effort],
        "left_out": [{"task": entry.task, "why": entry.why} for entry in comparison.left_out],
        "added": list(comparison.added),
        "differs": list(comparison.differs),
    }


def _effort(change: EffortChange) -> dict[str, Any]:
    return {
        "measure": change.measure.value,
        "baseline": change.base,
        "run": change.run,
        "cap": change.cap,
        "relative": change.measure.is_relative,
        **asdict(change.shift),
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {**asdict(rates), "difference": rates.difference}


def _pair(pair: Pair) -> dict[str, Any]:
    return {"task": pair.task, "baseline": _side(pair.base), "run": _side(pair.run)}


def _side(task: TaskResult) -> dict[str, Any]:
    return {"n_pass": task.n_pass, "n_graded": len(task.graded), "reasons": list(task.reasons)}
