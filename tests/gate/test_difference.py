"""The interval of a paired difference: published values, limits, and coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sema_bench.gate.stats.interval import difference_interval


def interval(both: int, gained: int, lost: int, neither: int) -> tuple[float, float]:
    """The interval for a table of pairs of single samples."""
    base = [1.0] * both + [0.0] * gained + [1.0] * lost + [0.0] * neither
    run = [1.0] * both + [1.0] * gained + [0.0] * lost + [0.0] * neither
    ones = [1] * len(base)
    return difference_interval(base, run, ones, ones)


def test_one_sample_gives_newcombes_published_value() -> None:
    """Newcombe (1998), Statistics in Medicine 17, 2635, method 10 for the table 36, 12, 2, 0."""
    assert interval(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_changed_places_mirror_the_interval(a: int, b: int, c: int, d: int) -> None:
    """Baseline and run swapped: the ends change sign and place, and the difference lies between."""
    low, high = interval(a, b, c, d)
    assert interval(a, c, b, d) == pytest.approx((-high, -low))
    difference = (b - c) / (a + b + c + d) if a + b + c + d else 0.0
    assert -1 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1


def test_the_same_outcomes_still_have_a_width() -> None:
    """Sixty tasks, none of them changed, do not prove that the difference is nought."""
    low, high = interval(36, 0, 0, 24)
    assert low == pytest.approx(-high)
    assert 0.02 < high < 0.2


def test_no_tasks_mean_no_knowledge() -> None:
    """The whole of [-1, 1]."""
    assert difference_interval([], [], [], []) == (-1.0, 1.0)


COVERAGE = {
    "one sample": (60, 1, 1, 0.0),
    "one sample, a drop": (60, 1, 1, 0.2),
    "three samples": (60, 3, 3, 0.0),
    "three samples, a drop": (60, 3, 3, 0.2),
    "three before, one after": (60, 3, 1, 0.1),
    "twelve tasks": (12, 3, 3, 0.1),
}


@pytest.mark.parametrize(("n_tasks", "n_base", "n_run", "drop"), COVERAGE.values(), ids=COVERAGE)
def test_the_interval_covers_the_truth(n_tasks: int, n_base: int, n_run: int, drop: float) -> None:
    """The true difference of the very tasks asked lies inside in 93.5 of 100 runs or more."""
    rng = np.random.default_rng(3)
    n, n_inside = 600, 0
    for _ in range(n):
        before = rng.beta(0.6, 0.4, n_tasks)
        after = np.clip(before - drop, 0, 1)
        base, run = rng.binomial(n_base, before) / n_base, rng.binomial(n_run, after) / n_run
        low, high = difference_interval(
            base.tolist(), run.tolist(), [n_base] * n_tasks, [n_run] * n_tasks
        )
        n_inside += low <= (after - before).mean() <= high
    assert n_inside / n >= 0.935
