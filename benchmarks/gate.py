"""The simulated figures of docs/gate.md that no command prints: thresholds and confirmation.

    python benchmarks/gate.py

Sixty tasks of a U-shaped difficulty, Beta(0.6, 0.4); 20,000 pairs of runs a figure, fixed seed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from pytest_sema_bench.gate.power import vector_test
from pytest_sema_bench.gate.stats.paired import ALPHA

N, N_TASKS = 20_000, 60
CASES = {
    "nothing changed": (0.0, 0.0),
    "each task falls by 10 points": (0.10, 0.0),
    "each task falls by 20 points": (0.20, 0.0),
    "each task falls by 30 points": (0.30, 0.0),
    "a fifth of the right answers lost for a while": (0.0, 0.20),
    "a third of the right answers lost for a while": (0.0, 0.33),
}


def thresholds() -> list[list[object]]:
    """How often a fall of the rate by five points, and the gate, fire on an unchanged model."""
    rows: list[list[object]] = []
    for n_samples in (1, 3):
        rng = np.random.default_rng(1)
        chances = rng.beta(0.6, 0.4, (N, N_TASKS))
        base, run = rng.binomial(n_samples, chances), rng.binomial(n_samples, chances)
        fell = (base - run).mean(axis=1) / n_samples >= 0.05 - 1e-9
        fires = vector_test(n_samples, n_samples).p_worse(base, run) <= ALPHA
        rows.append([n_samples, 100 * fell.mean(), 100 * fires.mean()])
    return rows


def confirmed(drop: float, lost: float, n_further: tuple[int, ...]) -> list[float]:
    """Percent of runs in which the test fires, then in which the alarm stands after so many."""
    rng = np.random.default_rng(2)
    before = rng.beta(0.6, 0.4, (N, N_TASKS))
    after: NDArray[Any] = np.clip(before - drop, 0, 1)
    base, run = rng.binomial(1, before), rng.binomial(1, after * (1 - lost))
    fires = vector_test(1, 1).p_worse(base, run) <= ALPHA
    shares = [100 * float(fires.mean())]
    for n in n_further:
        further = rng.binomial(n, after) / n
        differences = np.where(run < base, further - base, run - base)
        shares.append(100 * float((fires & (differences.sum(axis=1) < 0)).mean()))
    return shares


def main() -> None:
    """Print both tables."""
    headers = ["samples", "rate fell by five points %", "gate fires %"]
    print(tabulate(thresholds(), headers=headers, floatfmt=".1f"))
    print()
    n_further = (1, 2, 3)
    rows = [[title, *confirmed(*case, n_further)] for title, case in CASES.items()]
    headers = ["the test fires in %", *(f"after {n} more" for n in n_further)]
    print(tabulate(rows, headers=["", *headers], floatfmt=".1f"))


if __name__ == "__main__":
    main()
