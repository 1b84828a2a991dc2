"""Two runs side by side: what is paired, what is left out and why, and the figures."""

from dataclasses import replace

import pytest

from pytest_sema_bench.gate.compare import Comparison, compare
from pytest_sema_bench.gate.task_results import Results
from tests.samples.outcomes import records_of, results_from, results_of, tasks_of


def only(base: Results, run: Results) -> Comparison:
    """The only comparison of two results."""
    (comparison,) = compare(base, run).comparisons
    return comparison


BEFORE = {"L1-01-list": "p", "L1-02-map": "p", "L2-01-list": "f", "L2-02-map": "f"}
AFTER = {"L1-01-list": "f", "L1-02-map": "p", "L2-01-list": "p", "L2-02-map": "f"}


def test_what_changed_is_named_with_its_reason() -> None:
    """Newly broken and newly solved, and the test of them."""
    comparison = only(results_of(BEFORE), results_of(AFTER))
    assert [pair.task for pair in comparison.worse] == ["L1-01-list"]
    assert [pair.task for pair in comparison.better] == ["L2-01-list"]
    assert comparison.worse[0].run.reasons == ("wrong value",)
    assert comparison.test is not None
    assert (comparison.test.p_worse, comparison.test.p_two_sided) == (0.75, 1.0)
    assert comparison.interval is not None
    assert comparison.interval[0] < 0 < comparison.interval[1]


def test_levels_and_categories_are_cut_out() -> None:
    """Each with its tasks, rates and changes."""
    comparison = only(results_of(BEFORE), results_of(AFTER))
    rows = [(r.label, r.n_tasks, r.base, r.run, r.n_worse, r.n_better) for r in comparison.levels]
    assert rows == [("L1", 2, 1.0, 0.5, 1, 0), ("L2", 2, 0.0, 0.5, 0, 1)]
    assert [row.label for row in comparison.categories] == ["list", "map"]
    assert comparison.total is not None
    assert comparison.total.difference == 0


def test_several_samples_are_compared_by_rate() -> None:
    """A task that passes twice instead of three times got worse, by a third."""
    comparison = only(results_of({"L1-01-list": "ppp"}), results_of({"L1-01-list": "pfp"}))
    assert comparison.worse[0].difference == pytest.approx(-1 / 3)
    assert not comparison.single


CHANGED = {
    "another task": ({"task_hash": "new"}, "the task changed: h, now new"),
    "another VM": ({"vm": "wasm 2"}, "the VM changed: wasm 1, now wasm 2"),
    "another grader": ({"grader": 2}, "the grader changed: 1, now 2"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_was_asked_or_graded_otherwise_is_left_out(name: str) -> None:
    """It is named with what differs, and enters no figure."""
    fields, why = CHANGED[name]
    records = records_of(AFTER)
    run = results_from([replace(records[0], **fields), *records[1:]])  # type: ignore[arg-type]
    comparison = only(results_of(BEFORE), run)
    assert [(entry.task, entry.why) for entry in comparison.left_out] == [("L1-01-list", why)]
    assert len(comparison.pairs) == 3
    assert not comparison.worse


def test_tasks_without_a_verdict_are_left_out_on_either_side() -> None:
    """Void is no statement about the model, missing neither."""
    base = results_of({"L1-01-list": "v", "L1-02-list": "p", "L1-03-list": "p"})
    run = results_of({"L1-01-list": "p", "L1-02-list": "v", "L1-04-list": "p"})
    comparison = only(base, run)
    assert {entry.task: entry.why for entry in comparison.left_out} == {
        "L1-01-list": "the baseline has no verdict on it",
        "L1-02-list": "the run has no verdict on it (api error)",
        "L1-03-list": "not in the run",
    }
    assert comparison.added == ("L1-04-list",)
    assert comparison.test is None
    assert comparison.total is None


COVERAGE = {
    "all": ("pppp", "pppp", 1.0),
    "one void": ("pppp", "pppv", 0.75),
    "one void in the baseline": ("pppv", "pppp", 0.75),
    "half of the samples void": ("pp pp", "pv pv", 0.5),
    "a task without any verdict": ("pp pp", "pp vv", 0.5),
    "more samples than before": ("pp", "pp", 1.0),
}


@pytest.mark.parametrize(("base", "run", "share"), COVERAGE.values(), ids=COVERAGE)
def test_coverage_counts_what_is_compared(base: str, run: str, share: float) -> None:
    """Of the baseline's tasks, in the run's samples."""
    comparison = only(results_of(tasks_of(base)), results_of(tasks_of(run)))
    assert comparison.coverage() == pytest.approx(share)


def test_a_limited_run_covers_what_it_set_out_to_do() -> None:
    """With -k or -m the other tasks do not count, if the caller says that it was on purpose."""
    comparison = only(results_of(tasks_of("pppp")), results_of(tasks_of("pp")))
    assert comparison.coverage() == 0.5
    assert comparison.coverage(subset=True) == 1.0


def test_new_tasks_do_not_lower_the_coverage() -> None:
    """What the baseline never had cannot be missing from the comparison."""
    comparison = only(results_of(tasks_of("pp")), results_of(tasks_of("pppp")))
    assert comparison.coverage() == 1.0


def test_models_are_paired_by_name() -> None:
    """What only one side has is named."""
    base = results_from([*records_of(BEFORE), *records_of(BEFORE, model="old")])
    run = results_from([*records_of(AFTER), *records_of(AFTER, model="new")])
    compared = compare(base, run)
    assert [comparison.name for comparison in compared.comparisons] == ["m-tools"]
    assert compared.only_in_base == ("old-tools",)
    assert compared.only_in_run == ("new-tools",)


def test_one_model_on_each_side_makes_a_pair_whatever_its_name() -> None:
    """An old model and a new one can be compared; the note says that the names differ."""
    comparison = only(results_of(BEFORE, model="old"), results_of(AFTER, model="new"))
    assert comparison.note == "new-tools is compared with old-tools, its only counterpart"
    assert len(comparison.pairs) == 4


def test_usage_is_that_of_the_compared_tasks() -> None:
    """What was left out costs nothing here."""
    base = results_of({"L1-01-list": "p", "L1-02-list": "p"})
    run = results_of({"L1-01-list": "p", "L1-02-list": "v"})
    before, after = only(base, run).usage
    assert (before.n_items, before.cost_usd, before.n_tokens) == (1, 0.5, after.n_tokens)
    assert before.tool_calls == (("eval_code", 2),)
    assert before.vm_errors == (("unbound", 1),)


def test_an_unknown_price_makes_the_cost_unknown() -> None:
    """Not nought."""
    records = records_of({"L1-01-list": "pp"})
    run = results_from([records[0], replace(records[1], cost_usd=None)])
    assert only(run, run).usage[0].cost_usd is None
