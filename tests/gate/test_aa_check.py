"""The check of the gate on an unchanged model."""

import numpy as np
import pytest

from pytest_sema_bench.gate.aa_check import aa_check
from tests.samples.outcomes import results_of


def sampled(n_samples: int, n_void: int = 0) -> dict[str, str]:
    """Sixty tasks of a U-shaped difficulty, so many samples each."""
    rng = np.random.default_rng(2)
    return {
        f"L1-{n:02}-list": "".join("p" if x else "f" for x in rng.binomial(1, p, n_samples))
        + "v" * n_void
        for n, p in enumerate(rng.beta(0.6, 0.4, 60))
    }


def test_the_gate_keeps_its_promise_on_a_runs_own_samples() -> None:
    """Six samples: one against one, and three against three, fire in 5 of 100 splits at most."""
    (check,) = aa_check(results_of(sampled(6)), n=2000)
    assert [(split.n_samples, split.n_tasks) for split in check.splits] == [(1, 60), (3, 60)]
    for split in check.splits:
        assert 0 < split.fires <= 0.055
    assert check.splits[0].fell_five > 0.15
    assert check.splits[1].fell_five < check.splits[0].fell_five


def test_the_seed_decides() -> None:
    """The same seed gives the same splits."""
    results = results_of(sampled(4))
    assert aa_check(results, seed=1) == aa_check(results, seed=1)
    assert aa_check(results, seed=1) != aa_check(results, seed=2)


@pytest.mark.parametrize("n_void", [0, 3])
def test_one_graded_sample_is_too_few(n_void: int) -> None:
    """Nothing can be split; void samples do not help."""
    (check,) = aa_check(results_of(sampled(1, n_void)))
    assert check.splits == ()


def test_samples_that_always_agree_never_fire() -> None:
    """A model that answers alike each time gives no alarm at all."""
    (check,) = aa_check(results_of({f"L1-{n:02}-list": "pp" if n % 2 else "ff" for n in range(60)}))
    assert [(split.fires, split.fell_five) for split in check.splits] == [(0.0, 0.0)]
