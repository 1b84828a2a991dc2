"""Intervals of pass rates, against published values and by their properties."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sema_bench.gate.stats.interval import clustered_interval, wilson_interval

KNOWN = {
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    "81 of 263": (81, 263, 0.2553, 0.3662),
    "15 of 148": (15, 148, 0.0624, 0.1605),
    "0 of 20": (0, 20, 0.0000, 0.1611),
    "1 of 29": (1, 29, 0.0061, 0.1718),
    # By hand: with nothing passed the upper end is z² / (n + z²), and the mirror image of it.
    "0 of 1": (0, 1, 0.0, 3.841459 / 4.841459),
    "1 of 1": (1, 1, 1 / 4.841459, 1.0),
    "60 of 60": (60, 60, 60 / 63.841459, 1.0),
    "nothing": (0, 0, 0.0, 1.0),
}


@pytest.mark.parametrize(("n_pass", "n", "low", "high"), KNOWN.values(), ids=KNOWN)
def test_wilson_gives_the_published_values(n_pass: int, n: int, low: float, high: float) -> None:
    """The intervals of the literature come out to all their digits."""
    assert wilson_interval(n_pass, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_surrounds_the_rate_and_mirrors(counts: tuple[int, int]) -> None:
    """The rate lies inside, the ends in [0, 1], and failures have the mirrored interval."""
    n_pass, n = counts
    low, high = wilson_interval(n_pass, n)
    assert 0 <= low <= n_pass / n + 1e-12
    assert n_pass / n - 1e-12 <= high <= 1
    assert wilson_interval(n - n_pass, n) == pytest.approx((1 - high, 1 - low))


@given(st.integers(1, 100), st.floats(0, 1))
def test_wilson_narrows_with_more_observations(n: int, rate: float) -> None:
    """The same rate over four times the observations is known better."""
    assert width(wilson_interval(rate * 4 * n, 4 * n)) < width(wilson_interval(rate * n, n))


SAMPLED = st.lists(
    st.integers(1, 5).flatmap(lambda k: st.tuples(st.integers(0, k), st.just(k))), max_size=60
)
"""For each task how many of its samples passed, and how many there were."""


@given(st.lists(st.booleans(), max_size=60))
def test_one_sample_per_task_is_wilson(passes: list[bool]) -> None:
    """Without repetition there is nothing to cluster."""
    rates = [float(p) for p in passes]
    expected = wilson_interval(sum(passes), len(passes))
    assert clustered_interval(rates, [1] * len(passes)) == pytest.approx(expected)


@given(SAMPLED)
def test_clusters_lie_between_all_alike_and_all_independent(tasks: list[tuple[int, int]]) -> None:
    """Never narrower than if all samples were independent, nor wider than for the tasks alone."""
    n_pass, n = sum(p for p, _ in tasks), sum(k for _, k in tasks)
    interval = clustered_interval([p / k for p, k in tasks], [k for _, k in tasks])
    rate = n_pass / n if n and len(tasks) > 1 else sum(p / k for p, k in tasks) / (len(tasks) or 1)
    assert width(interval) >= width(wilson_interval(rate * n, n)) - 1e-12
    assert width(interval) <= width(wilson_interval(rate * len(tasks), len(tasks))) + 1e-12
    assert 0 <= interval[0] <= rate + 1e-12
    assert rate - 1e-12 <= interval[1] <= 1


@given(SAMPLED, st.randoms(use_true_random=False))
def test_the_order_of_tasks_does_not_matter(tasks: list[tuple[int, int]], random: Random) -> None:
    """Shuffled tasks have the same interval."""
    shuffled = list(tasks)
    random.shuffle(shuffled)
    before, after = (
        clustered_interval([p / k for p, k in order], [k for _, k in order])
        for order in (tasks, shuffled)
    )
    assert before == pytest.approx(after)


def test_samples_that_always_agree_add_nothing() -> None:
    """Five times the same outcome on each task is as much evidence as one time."""
    rates = [1.0] * 6 + [0.0] * 4
    assert clustered_interval(rates, [5] * 10) == pytest.approx(wilson_interval(6, 10))


@pytest.mark.parametrize("rate", [0.5, 1 / 3, 2 / 3, 0.2])
def test_tasks_of_one_rate_count_all_their_samples(rate: float) -> None:
    """Where tasks do not differ each sample is evidence of its own."""
    got = clustered_interval([rate] * 10, [30] * 10)
    assert got == pytest.approx(wilson_interval(rate * 300, 300))


def test_the_design_effect_is_the_ratio_of_variances() -> None:
    """A case by hand: ten tasks of four samples, five with a rate of 3/4 and five with 1/4.

    Independent samples: 0.25 / 40 = 0.00625. Clusters: 10/9 · 10 · (4 · 0.25)² / 40² = 0.00694.
    So the 40 samples are worth 40 · 0.00625 / 0.00694 = 36.
    """
    got = clustered_interval([0.75] * 5 + [0.25] * 5, [4] * 10)
    assert got == pytest.approx(wilson_interval(18, 36))


def test_one_task_is_one_observation() -> None:
    """However often it is sampled, one task says nothing about the spread between tasks."""
    assert clustered_interval([0.5], [100]) == wilson_interval(0.5, 1)


def test_no_tasks_mean_no_knowledge() -> None:
    """An empty group has the whole of [0, 1]."""
    assert clustered_interval([], []) == (0.0, 1.0)


def test_lists_of_different_length_are_a_mistake() -> None:
    """A rate without a size is not silently dropped."""
    with pytest.raises(ValueError, match="zip"):
        clustered_interval([0.5, 0.5], [1, 1, 1])


def width(interval: tuple[float, float]) -> float:
    """High less low."""
    assert not any(map(math.isnan, interval))
    return interval[1] - interval[0]
