"""The paired test: against values by hand, against scipy, and by its properties."""

import itertools
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, hypergeom, permutation_test

from pytest_sema_bench.gate.stats.paired import PairedCounts, holm, paired_test, tails


def counts(base_pass: int, run_pass: int, n_base: int = 1, n_run: int = 1) -> PairedCounts:
    """One task's counts."""
    return PairedCounts(base_pass=base_pass, n_base=n_base, run_pass=run_pass, n_run=n_run)


def single(n_broken: int, n_solved: int, n_same: int = 10) -> list[PairedCounts]:
    """Tasks of one sample, so many of them changed."""
    return [counts(1, 0)] * n_broken + [counts(0, 1)] * n_solved + [counts(1, 1)] * n_same


BY_HAND = {
    "five broken is the least that fires": (5, 0, 1 / 32, 1 / 16),
    "four do not": (4, 0, 1 / 16, 1 / 8),
    "seven against one": (7, 1, 9 / 256, 18 / 256),
    "as many": (3, 3, 42 / 64, 1.0),
    "all solved": (0, 5, 1.0, 1 / 16),
    "nothing changed": (0, 0, 1.0, 1.0),
}


@pytest.mark.parametrize(
    ("n_broken", "n_solved", "one_sided", "two_sided"), BY_HAND.values(), ids=BY_HAND
)
def test_one_sample_gives_the_sign_test(
    n_broken: int, n_solved: int, one_sided: float, two_sided: float
) -> None:
    """Tails of coin tosses, counted by hand."""
    test = paired_test(single(n_broken, n_solved))
    assert (test.p_worse, test.p_two_sided) == pytest.approx((one_sided, two_sided))
    assert (test.n_worse, test.n_better) == (n_broken, n_solved)


@pytest.mark.parametrize(("n_broken", "n_solved"), [(5, 0), (12, 3), (3, 12), (20, 19), (31, 29)])
def test_one_sample_agrees_with_scipy(n_broken: int, n_solved: int) -> None:
    """The binomial test of scipy gives the changed tasks the same p, one-sided and two-sided."""
    test = paired_test(single(n_broken, n_solved))
    n = n_broken + n_solved
    assert test.p_worse == pytest.approx(binomtest(n_solved, n, alternative="less").pvalue)
    assert test.p_two_sided == pytest.approx(binomtest(n_solved, n).pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_several_samples_agree_with_scipy(seed: int) -> None:
    """The exact permutation test of scipy for paired samples flips the same signs."""
    rng = np.random.default_rng(seed)
    base, run = rng.integers(0, 4, (2, 11))
    tasks = [counts(int(b), int(r), 3, 3) for b, r in zip(base, run, strict=True)]

    def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray((x - y).mean(axis=axis))

    expected = permutation_test(
        (run, base),
        statistic,
        permutation_type="samples",
        vectorized=True,
        alternative="less",
        n_resamples=np.inf,
    )
    assert paired_test(tasks).p_worse == pytest.approx(expected.pvalue)


def test_unequal_samples_agree_with_scipy() -> None:
    """One task, three samples before and two after: a hypergeometric tail."""
    test = paired_test([counts(3, 0, 3, 2)])
    assert test.p_worse == pytest.approx(hypergeom(5, 3, 2).cdf(0))


TASKS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
        lambda n: st.builds(
            counts, st.integers(0, n[0]), st.integers(0, n[1]), st.just(n[0]), st.just(n[1])
        )
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(TASKS)
def test_the_tails_are_those_of_all_deals(tasks: list[PairedCounts]) -> None:
    """Multiplying out every deal of every task gives the same two tails."""
    terms = [task.null for task in tasks]
    observed = sum((task.difference for task in tasks), Fraction(0))
    low = high = total = 0
    for deal in itertools.product(*terms):
        weight = int(np.prod([w for _, w in deal]))
        value = sum((v for v, _ in deal), Fraction(0))
        total += weight
        low += weight * (value <= observed)
        high += weight * (value >= observed)
    expected = Fraction(low, total), Fraction(high, total)
    assert tails(terms, [task.difference for task in tasks]) == expected


@settings(max_examples=60, deadline=None)
@given(TASKS, st.randoms(use_true_random=False))
def test_the_order_of_tasks_does_not_matter(tasks: list[PairedCounts], random: Random) -> None:
    """Shuffled tasks give the same p."""
    shuffled = list(tasks)
    random.shuffle(shuffled)
    assert paired_test(tasks).p_worse == paired_test(shuffled).p_worse


@given(TASKS)
def test_one_more_broken_task_never_raises_p(tasks: list[PairedCounts]) -> None:
    """Evidence of a fall counts as such."""
    more = [*tasks, counts(2, 0, 2, 2)]
    assert paired_test(more).p_worse <= paired_test(tasks).p_worse


def test_many_ragged_tasks_stay_affordable_and_nearly_the_same() -> None:
    """What is rounded to a grid differs from the normal approximation by little."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(6, 11, (60, 2))
    tasks = [
        counts(int(rng.binomial(b, 0.6)), int(rng.binomial(r, 0.55)), int(b), int(r))
        for b, r in sizes
    ]
    mean = variance = 0.0
    for task in tasks:
        weights = np.array([w for _, w in task.null], dtype=float)
        values = np.array([float(v) for v, _ in task.null])
        centre = float(np.average(values, weights=weights))
        mean += centre
        variance += float(np.average((values - centre) ** 2, weights=weights))
    z = (float(sum(task.difference for task in tasks)) - mean) / variance**0.5
    drawn = np.random.default_rng(1).standard_normal(200_000)
    assert paired_test(tasks).p_worse == pytest.approx(float((drawn <= z).mean()), abs=0.02)


HOLM = {
    # Holm (1979): the smallest times n, the next times n - 1, and never falling.
    "the steps": ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
    "one is left alone": ([0.04], [0.04]),
    "none": ([], []),
    "never above one": ([0.9, 0.8], [1.0, 1.0]),
    "equal": ([0.02, 0.02], [0.04, 0.04]),
}


@pytest.mark.parametrize(("ps", "adjusted"), HOLM.values(), ids=HOLM)
def test_holm_multiplies_and_never_falls(ps: list[float], adjusted: list[float]) -> None:
    """The published procedure, in the order given."""
    assert holm(ps) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_false_discovery_and_bonferroni(ps: list[float]) -> None:
    """It is stricter than scipy's Benjamini and Hochberg, and milder than n times p."""
    adjusted = holm(ps)
    for p, ours, milder in zip(ps, adjusted, false_discovery_control(ps), strict=True):
        assert milder - 1e-12 <= ours <= min(1.0, len(ps) * p) + 1e-12
