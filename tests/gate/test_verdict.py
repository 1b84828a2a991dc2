"""The gate's verdict: each outcome with its exit status, the rules, and which outranks which."""

from dataclasses import replace

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.task_results import Results
from pytest_sema_bench.gate.verdict import (
    Confirmation,
    GateOutcome,
    GateRules,
    GateVerdict,
    decide,
    n_broken_to_fire,
)
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.suite.selection import Selection
from tests.samples.outcomes import SETUP, records_of, results_from, results_of, tasks_of

BASE = "p" * 30 + "f" * 10


def verdict(
    base: str, run: str, rules: GateRules | None = None, stopped: str | None = None
) -> GateVerdict:
    """The verdict on one model whose tasks went so."""
    results = replace(results_of(tasks_of(run)), incomplete=stopped)
    compared = compare(results_of(tasks_of(base)), results)
    return decide(results, rules or GateRules(), compared)


def broken(n: int, n_void: int = 0) -> str:
    """The run in which so many of the baseline's tasks broke, and so many were void."""
    return "f" * n + "v" * n_void + BASE[n + n_void :]


OUTCOMES = {
    "nothing changed": (BASE, BASE, "no evidence of regression", 0),
    "four broken": (BASE, broken(4), "no evidence of regression", 0),
    "five broken": (BASE, broken(5), "regressed", 1),
    "five broken, one solved": (BASE, broken(5)[:-1] + "p", "no evidence of regression", 0),
    "all solved": (BASE, "p" * 40, "no evidence of regression", 0),
    "two of forty void": (BASE, broken(0, 2), "no evidence of regression", 0),
    "three of forty void": (BASE, broken(0, 3), "cannot tell", 10),
    "broken, but much is void": (BASE, broken(9, 3), "cannot tell", 10),
    "all void": (BASE, "v" * 40, "cannot tell", 10),
    "tasks missing": (BASE, BASE[:35], "cannot tell", 10),
    "three samples": ("ppp " * 5 + "fff", "ffp " * 5 + "fff", "regressed", 1),
}


@pytest.mark.parametrize(("base", "run", "outcome", "status"), OUTCOMES.values(), ids=OUTCOMES)
def test_the_test_decides(base: str, run: str, outcome: str, status: int) -> None:
    """Each outcome has its exit status."""
    found = verdict(base, run)
    assert (found.outcome.value, found.exit_status) == (outcome, status)


def test_no_common_ground_is_never_a_pass() -> None:
    """Other tasks altogether: cannot tell."""
    run = results_of({"L5-99-list": "p"})
    found = decide(run, GateRules(), compare(results_of({"L1-01-list": "p"}), run))
    assert found.exit_status == 10
    assert found.findings[0].text.endswith(
        "not one task can be compared (the first: L1-01-list: not in the run)"
    )


def test_an_empty_run_is_cannot_tell() -> None:
    """Nothing ran, nothing is known."""
    run = Results(source="x", groups=())
    assert decide(run, GateRules(), compare(results_of(tasks_of("pp")), run)).exit_status == 10


def many(letters: dict[str, str]) -> Results:
    """Results of several models."""
    return results_from(
        r for model, run in letters.items() for r in records_of(tasks_of(run), model=model)
    )


def test_several_models_share_the_five_percent() -> None:
    """Five broken in one of two models are p = 0.0625 after Holm; six are enough."""
    base = many({"m": BASE, "n": BASE})
    five, six = many({"m": broken(5), "n": BASE}), many({"m": broken(6), "n": BASE})
    found = decide(five, GateRules(), compare(base, five))
    assert found.outcome is GateOutcome.NO_EVIDENCE
    assert found.tests[0].p_adjusted == pytest.approx(0.0625)
    assert decide(six, GateRules(), compare(base, six)).outcome is GateOutcome.REGRESSED


def test_a_model_that_cannot_be_judged_does_not_weaken_the_others() -> None:
    """It has no part in Holm's, and the regression of the other outranks it."""
    base, run = many({"m": BASE, "n": BASE}), many({"m": broken(5), "n": "v" * 40})
    found = decide(run, GateRules(), compare(base, run))
    assert found.exit_status == 1
    assert [finding.outcome.value for finding in found.findings] == ["regressed", "cannot tell"]


def test_a_model_without_a_baseline_is_cannot_tell() -> None:
    """It is named, with what the baseline holds."""
    base, run = many({"m": BASE}), many({"m": BASE, "n": BASE})
    found = decide(run, GateRules(), compare(base, run))
    assert found.exit_status == 10
    assert found.findings[0].text == "n-tools: not in the baseline, which holds m-tools"


def test_a_baseline_may_hold_models_that_did_not_run() -> None:
    """One file serves a CI matrix with a job for each model."""
    base, run = many({"m": BASE, "n": BASE}), many({"m": BASE})
    assert decide(run, GateRules(), compare(base, run)).exit_status == 0


def test_a_limited_run_is_judged_on_what_it_did() -> None:
    """With -k the other tasks do not count, if the caller says so."""
    assert verdict(BASE, BASE[:10], GateRules(subset=True)).exit_status == 0
    assert verdict(BASE, broken(5)[:10], GateRules(subset=True)).exit_status == 1


MUST = GateRules(must_pass=Selection.parse("L1-00-list"))
FLOOR = GateRules(fail_under=70)
RULES = {
    "a must-pass task failed": (BASE, broken(1), MUST, 1),
    "another task failed": (BASE, "pf" + BASE[2:], MUST, 0),
    "a must-pass task failed in one of two samples": ("pp " * 2, "pf pp", MUST, 1),
    "a must-pass task is void": (BASE, broken(0, 1), MUST, 10),
    "a must-pass task failed though much is void": (BASE, broken(1, 20), MUST, 1),
    "at the floor": (BASE, BASE[2:] + "ff", FLOOR, 0),
    "below the floor": (BASE, BASE[3:] + "fff", FLOOR, 1),
    "below the floor whatever the void ones would be": (BASE, "v" * 9 + "f" * 31, FLOOR, 1),
    "the void ones could reach the floor": (BASE, "v" * 31 + "f" * 9, FLOOR, 10),
}


@pytest.mark.parametrize(("base", "run", "rules", "status"), RULES.values(), ids=RULES)
def test_plain_rules_stand_beside_the_test(
    base: str, run: str, rules: GateRules, status: int
) -> None:
    """A failure is a fact whatever the coverage; what is void is not."""
    assert verdict(base, run, rules).exit_status == status


def test_rules_need_no_baseline() -> None:
    """Must-pass tasks and the floor judge a run by itself."""
    run = results_of(tasks_of(broken(1)))
    assert decide(run, MUST).exit_status == 1
    assert decide(run, FLOOR).exit_status == 0


def test_a_must_pass_expression_that_means_nothing_here_is_cannot_tell() -> None:
    """A run that was limited to other tasks says nothing about the rule."""
    rules = GateRules(must_pass=Selection.parse("L4"))
    assert decide(results_of(tasks_of("pp")), rules).exit_status == 10


def test_a_must_pass_task_that_was_not_run_is_cannot_tell() -> None:
    """The baseline knows it; unless the run was limited on purpose it is missed."""
    rules = GateRules(must_pass=Selection.parse("L1-39-list or L1-00-list"))
    found = verdict(BASE, BASE[:-1], rules)
    assert found.exit_status == 10
    assert found.findings[0].text == "m-tools: L1-39-list must pass and was not run"
    assert verdict(BASE, BASE[:-1], replace(rules, subset=True)).exit_status == 0


@pytest.mark.parametrize("floor", [-1, 100.5, float("nan")])
def test_a_floor_is_a_percentage(floor: float) -> None:
    """Anything else is refused before a run."""
    with pytest.raises(SettingsError, match="0 to 100"):
        GateRules(fail_under=floor)


PRECEDENCE = {
    "stopped": (BASE, BASE, GateRules(), 11),
    "stopped, much is missing": (BASE, BASE[:10], GateRules(), 11),
    "stopped, and the test fired on enough": (BASE, broken(8, 1), GateRules(), 1),
    "stopped, and a must-pass task failed": (BASE, broken(1, 30), MUST, 1),
}


@pytest.mark.parametrize(("base", "run", "rules", "status"), PRECEDENCE.values(), ids=PRECEDENCE)
def test_facts_outrank_doubts(base: str, run: str, rules: GateRules, status: int) -> None:
    """Regressed, then incomplete, then cannot tell."""
    found = verdict(base, run, rules, stopped="the budget of $1.00 is spent")
    assert found.exit_status == status
    assert any(finding.text == "the budget of $1.00 is spent" for finding in found.findings)


@pytest.mark.parametrize(("n_solved", "least"), [(0, 5), (1, 7), (2, 9), (3, 10), (4, 12)])
def test_what_it_takes_to_fire(n_solved: int, least: int) -> None:
    """The least number of broken tasks, and one less does not do."""
    assert n_broken_to_fire(n_solved, 0.05) == least
    solved = broken(least)[: 40 - n_solved] + "p" * n_solved
    assert verdict(BASE, solved).exit_status == 1
    solved = broken(least - 1)[: 40 - n_solved] + "p" * n_solved
    assert verdict(BASE, solved).exit_status == 0


def test_the_verdict_says_what_it_could_have_seen() -> None:
    """Forty tasks of one sample see no small fall, and more samples are needed for ten points."""
    (test,) = verdict(BASE, BASE).tests
    assert test.smallest_fall is not None
    assert 0.15 < test.smallest_fall < 0.35
    assert test.samples_for_ten is not None
    assert test.samples_for_ten > 1


def confirmed(passes: dict[int, int], n: int = 2) -> GateVerdict:
    """The verdict after seven broken tasks and one solved, with further runs of some."""
    letters = broken(7)[:-1] + "p"
    results = results_of(tasks_of(letters))
    compared = compare(results_of(tasks_of(BASE)), results)
    further = [
        Confirmation(task=TaskKey(task, SETUP), n_pass=passes[i], n_graded=n)
        for i, task in enumerate(tasks_of(letters))
        if i in passes
    ]
    return decide(results, GateRules(), compared, confirmations=further)


CONFIRMED = {
    "all still broken": (dict.fromkeys(range(7), 0), False),
    "all but two right again": (dict.fromkeys(range(5), 2), False),
    "all but one right again, as many as are solved": (dict.fromkeys(range(6), 2), True),
    "all right again": (dict.fromkeys(range(7), 2), True),
    "each right in one of two": (dict.fromkeys(range(7), 1), False),
}


@pytest.mark.parametrize(("passes", "taken_back"), CONFIRMED.values(), ids=CONFIRMED)
def test_further_runs_can_take_an_alarm_back(passes: dict[int, int], taken_back: bool) -> None:
    """It stands while the rate has still fallen with them in place of the first runs."""
    found = confirmed(passes)
    assert found.tests[0].fired
    assert found.tests[0].taken_back is taken_back
    assert found.exit_status == (0 if taken_back else 1)


def test_further_runs_without_a_verdict_change_nothing() -> None:
    """Void says nothing, so the alarm stands."""
    assert confirmed(dict.fromkeys(range(7), 0), n=0).exit_status == 1


@pytest.mark.parametrize("n_pass", [0, 9])
def test_further_runs_never_raise_an_alarm(n_pass: int) -> None:
    """Four broken tasks stay no alarm, whatever comes of them, and nothing is taken back."""
    results = results_of(tasks_of(broken(4)))
    compared = compare(results_of(tasks_of(BASE)), results)
    further = [
        Confirmation(task=TaskKey(pair.task, SETUP), n_pass=n_pass, n_graded=9)
        for pair in compared.comparisons[0].worse
    ]
    found = decide(results, GateRules(), compared, confirmations=further)
    assert found.exit_status == 0
    assert not found.tests[0].taken_back
