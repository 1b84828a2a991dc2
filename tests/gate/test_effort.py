"""Effort on both sides: scipy's signed-rank test, what unsolved items count as."""

from dataclasses import replace
from random import Random

import pytest
from scipy.stats import wilcoxon

from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.effort import Measure
from pytest_sema_bench.gate.stats.signed_rank import signed_rank
from pytest_sema_bench.gate.task_results import Results
from pytest_sema_bench.records.transcript import Tokens
from tests.samples.outcomes import records_of, results_from, tasks_of


@pytest.mark.parametrize("n", [3, 8, 25, 60])
def test_the_test_agrees_with_scipy(n: int) -> None:
    """Without ties scipy's exact distribution gives the same p."""
    random = Random(n)
    differences = [random.gauss(0.2, 1.0) for _ in range(n)]
    found = signed_rank(differences)
    assert found is not None
    assert found.p_two_sided == pytest.approx(wilcoxon(differences, method="exact").pvalue)


def test_ties_are_exact() -> None:
    """1, 1 and -1 have one rank: of the eight signings four are as far out or farther, twice."""
    found = signed_rank([1, 1, -1, 0])
    assert found is not None
    assert found.p_two_sided == 1.0
    assert signed_rank([]) is None


def test_the_interval_holds_the_shift_as_often_as_it_says() -> None:
    """Of 1,000 samples around nothing 930 intervals at least hold nothing."""
    random = Random(7)
    n_held = 0
    for _ in range(1000):
        found = signed_rank([random.gauss(0, 1) for _ in range(12)])
        assert found is not None
        n_held += found.interval[0] <= 0 <= found.interval[1]
    assert n_held > 930


def results(letters: str, tokens: list[int]) -> Results:
    """A run whose items took so many tokens."""
    records = records_of(tasks_of(letters))
    counted = [
        replace(record, tokens=Tokens(prompt=n), rounds=1, cost_usd=None)
        for record, n in zip(records, tokens, strict=True)
    ]
    return results_from(counted)


def test_an_unsolved_item_counts_as_the_most_that_any_took() -> None:
    """To give up at once is no thrift; what nobody knows is left out."""
    base, run = results("pppp", [100, 100, 100, 400]), results("pppf", [120, 120, 120, 1])
    (comparison,) = compare(base, run).comparisons
    changes = {change.measure: change for change in comparison.effort}
    assert set(changes) == {Measure.ROUNDS, Measure.CALLS, Measure.TOKENS}
    tokens = changes[Measure.TOKENS]
    assert (tokens.cap, tokens.base, tokens.run) == (400, 100, 120)
    assert tokens.shift.estimate == pytest.approx(0.2, abs=0.05)
    assert changes[Measure.ROUNDS].shift.estimate == 0.0
