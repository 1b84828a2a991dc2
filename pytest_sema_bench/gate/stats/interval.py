"""Intervals of pass rates and of their differences, for few tasks and for repeated samples."""

import math
from collections.abc import Sequence

_Z_95 = 1.959963984540054


def wilson_interval(n_pass: float, n: float) -> tuple[float, float]:
    """95 % interval for n_pass / n, both ends in [0, 1]; (0.0, 1.0) for n = 0.

    `n` may be an effective number of observations and need not be whole.
    Source: Wilson (1927).
    """
    if n <= 0:
        return 0.0, 1.0
    rate, z2 = n_pass / n, _Z_95**2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z_95 / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(rates: Sequence[float], sizes: Sequence[int]) -> tuple[float, float]:
    """95 % interval for the pass rate of repeated tasks, clustered by task.

    `rates` holds the pass rate of each task, `sizes` its number of samples. The number of
    observations is divided by the design effect, the ratio of the variance between tasks
    (cluster sums, Kish 1965) to that of independent samples, and Wilson's formula is applied to
    what is left. With one sample each this is Wilson's interval; it is never narrower than for
    independent samples, nor wider than for the tasks alone.
    """
    n, n_tasks = sum(sizes), len(rates)
    if n_tasks < 2 or n == 0:
        return wilson_interval(sum(rates), n_tasks)
    mean = sum(rate * size for rate, size in zip(rates, sizes, strict=True)) / n
    independent = mean * (1 - mean) / n
    residuals = [size * (rate - mean) for rate, size in zip(rates, sizes, strict=True)]
    between = n_tasks / (n_tasks - 1) * sum(r * r for r in residuals) / n**2
    if independent > 0:
        design_effect = between / independent
        effective = n / max(1.0, min(n / n_tasks, design_effect))
    else:
        effective = n_tasks
    return wilson_interval(mean * effective, effective)


def difference_interval(
    base: Sequence[float], run: Sequence[float], n_base: Sequence[int], n_run: Sequence[int]
) -> tuple[float, float]:
    """95 % interval for the mean of run - base over tasks, both ends in [-1, 1].

    `base` and `run` hold the pass rates of the same tasks, the others their numbers of samples.
    The intervals of the two rates are joined, less what tasks have in common: with one sample
    each this is method 10 of Newcombe (1998), Statistics in Medicine 17, 2635-2650. With more
    the intervals are those clustered by task and the correlation that of the task rates, after
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    n = len(base)
    if n == 0:
        return -1.0, 1.0
    mean_base, mean_run = sum(base) / n, sum(run) / n
    low_base, high_base = clustered_interval(base, n_base)
    low_run, high_run = clustered_interval(run, n_run)
    shared = _correlation(base, run, n_samples=min(sum(n_base), sum(n_run)))
    down = _joined(mean_run - low_run, high_base - mean_base, shared)
    up = _joined(high_run - mean_run, mean_base - low_base, shared)
    difference = mean_run - mean_base
    return max(-1.0, difference - down), min(1.0, difference + up)


def _joined(one: float, other: float, shared: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * shared * one * other + other * other))


def _correlation(base: Sequence[float], run: Sequence[float], n_samples: int) -> float:
    """Correlation of the tasks' rates in [-1, 1], a positive one corrected towards 0."""
    n = len(base)
    mean_base, mean_run = sum(base) / n, sum(run) / n
    covariance = sum((b - mean_base) * (r - mean_run) for b, r in zip(base, run, strict=True)) / n
    spread = math.sqrt(
        sum((b - mean_base) ** 2 for b in base) / n * sum((r - mean_run) ** 2 for r in run) / n
    )
    if spread == 0:
        return 0.0
    if covariance > 0:
        # Method 10 takes n/2 from the cross product ad - bc: this covariance times n squared.
        covariance = max(0.0, covariance - 1 / (2 * n_samples))
    return covariance / spread
