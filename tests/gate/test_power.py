"""What the gate can see, by simulation: its promise, the published figures, and the fast test."""

import numpy as np
import pytest

from pytest_sema_bench.gate.power import (
    Design,
    chance,
    power,
    samples_for,
    smallest_fall,
    vector_test,
)
from pytest_sema_bench.gate.stats.paired import PairedCounts, paired_test

ONE = Design(n_tasks=60, n_base=1, n_run=1)
N = 12_000
"""Simulations of one figure: its standard error is below half a point."""

SIZES = {"one": (1, 1), "three": (3, 3), "three before, one after": (3, 1), "ten": (10, 10)}


@pytest.mark.parametrize("rate", [0.2, 0.6, 0.9])
@pytest.mark.parametrize(("n_base", "n_run"), SIZES.values(), ids=SIZES)
def test_the_gate_fires_on_an_unchanged_model_in_five_of_a_hundred_at_most(
    n_base: int, n_run: int, rate: float
) -> None:
    """The promise holds for every number of samples and every rate; 3,000 pairs of runs each."""
    design = Design(n_tasks=60, n_base=n_base, n_run=n_run, rate=rate)
    assert chance(design, 0.0, seed=11, n=3000).fires <= 0.05 + 0.004


FIGURES = {0.0: 0.027, 0.10: 0.31, 0.15: 0.57, 0.20: 0.76, 0.30: 0.97}
"""The issue's figures for one sample of sixty tasks, mean 60 %."""


@pytest.mark.parametrize(("drop", "expected"), FIGURES.items())
def test_one_sample_has_the_power_that_was_published(drop: float, expected: float) -> None:
    """Within two points."""
    assert chance(ONE, drop, seed=5, n=N).fires == pytest.approx(expected, abs=0.02)


def test_three_samples_see_what_one_does_not() -> None:
    """A drop of ten points is seen more than twice as often."""
    three = Design(n_tasks=60, n_base=3, n_run=3)
    assert chance(three, 0.10, seed=5).fires > 2 * chance(ONE, 0.10, seed=5).fires


@pytest.mark.parametrize(("n_base", "n_run"), SIZES.values(), ids=SIZES)
def test_the_vectorised_test_is_the_exact_one(n_base: int, n_run: int) -> None:
    """For the same counts both give the same p."""
    rng = np.random.default_rng(5)
    chances = rng.beta(0.6, 0.4, (8, 30))
    base, run = rng.binomial(n_base, chances), rng.binomial(n_run, chances * 0.8)
    exact = [
        paired_test(
            [
                PairedCounts(base_pass=int(b), n_base=n_base, run_pass=int(r), n_run=n_run)
                for b, r in zip(before, after, strict=True)
            ]
        ).p_worse
        for before, after in zip(base, run, strict=True)
    ]
    assert vector_test(n_base, n_run).p_worse(base, run) == pytest.approx(exact, abs=1e-9)


def test_the_smallest_fall_is_seen_in_eighty_of_a_hundred_runs() -> None:
    """Just below it the gate fires less often, and the fall of the rate is below the drop."""
    fall = smallest_fall(ONE, seed=1, n=3000)
    assert fall is not None
    assert 0.15 < fall < 0.21
    around = [chance(ONE, drop, seed=2, n=N) for drop in (0.19, 0.24)]
    assert around[0].fires < 0.8 < around[1].fires
    assert around[0].rate_fall < fall < around[1].rate_fall
    assert all(found.rate_fall < found.drop for found in around)


def test_ten_points_take_several_samples() -> None:
    """Three or four for sixty tasks; with four times the tasks one is nearly enough."""
    assert samples_for(ONE, 0.10) in {3, 4}
    assert samples_for(Design(n_tasks=240, n_base=1, n_run=1), 0.10) in {1, 2}


def test_a_handful_of_tasks_sees_nothing() -> None:
    """Four tasks cannot make the test fire, whatever happens to them."""
    few = power(Design(n_tasks=4, n_base=1, n_run=1), n=200)
    assert few.smallest_fall is None
    assert {found.fires for found in few.chances} == {0.0}


def test_a_fall_beyond_the_rate_itself_is_never_seen() -> None:
    """A model at 5 % cannot lose ten points."""
    assert samples_for(Design(n_tasks=60, n_base=1, n_run=1, rate=0.05), 0.10) is None


def test_the_seed_decides() -> None:
    """The same seed gives the same figures."""
    assert power(ONE, seed=3, n=200) == power(ONE, seed=3, n=200)
    assert power(ONE, seed=3, n=200) != power(ONE, seed=4, n=200)
