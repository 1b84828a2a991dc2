"""Further runs of newly broken tasks: what they do to false alarms and to power, simulated."""

import numpy as np

from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.power import vector_test
from pytest_sema_bench.gate.verdict import Confirmation, alarm_stands
from pytest_sema_bench.records.identity import TaskKey
from tests.samples.outcomes import SETUP, results_of

N, N_TASKS = 8000, 60


def alarms(drop: float, n_further: int, outage: float = 0.0) -> tuple[float, float]:
    """Shares of runs in which the test fires, and in which the alarm stands after further runs.

    The rule is that of `gate.alarm_stands` for one sample: with the further runs of broken tasks
    in place of their first the sum of differences must still be negative. In an `outage` so many
    right answers of the run, not of the further runs, are lost.
    """
    rng = np.random.default_rng(9)
    before = rng.beta(0.6, 0.4, (N, N_TASKS))
    after = np.clip(before - drop, 0, 1)
    base, run = rng.binomial(1, before), rng.binomial(1, after * (1 - outage))
    further = rng.binomial(n_further, after) / n_further
    fires = vector_test(1, 1).p_worse(base, run) <= 0.05
    differences = np.where(run < base, further - base, run - base)
    stands = fires & (differences.sum(axis=1) < 0)
    return float(fires.mean()), float(stands.mean())


def test_false_alarms_only_become_fewer() -> None:
    """Five of a hundred at most before, and fewer after, for any number of further runs."""
    for n_further in (1, 2, 3, 4):
        fires, stands = alarms(0.0, n_further)
        assert stands <= fires <= 0.05


def test_true_alarms_nearly_all_stand() -> None:
    """After a drop of 20 points two further runs take back less than three in a hundred."""
    fires, stands = alarms(0.20, 2)
    assert fires > 0.74
    assert stands > fires - 0.03


def test_about_half_of_the_alarms_by_an_outage_are_taken_back() -> None:
    """A third of the answers lost to trouble that has passed: that is what confirming is for."""
    fires, stands = alarms(0.0, 2, outage=0.33)
    assert fires > 0.7
    assert stands < 0.6 * fires


def test_the_rule_is_the_gates() -> None:
    """What is simulated here and what the gate does agree on drawn runs."""
    rng = np.random.default_rng(4)
    for _ in range(40):
        base, run = rng.binomial(1, 0.6, (2, 12))
        further = rng.binomial(2, 0.5, 12)
        tasks = [f"L1-{n:02}-list" for n in range(12)]
        (comparison,) = compare(
            results_of({t: "fp"[b] for t, b in zip(tasks, base, strict=True)}),
            results_of({t: "fp"[r] for t, r in zip(tasks, run, strict=True)}),
        ).comparisons
        entries = [
            Confirmation(task=TaskKey(task, SETUP), n_pass=int(n), n_graded=2)
            for task, n in zip(tasks, further, strict=True)
        ]
        expected = np.where(run < base, further / 2 - base, run - base).sum() < 0
        assert alarm_stands(comparison, entries) == expected
