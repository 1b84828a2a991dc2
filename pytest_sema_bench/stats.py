"""Statistics of pass rates: intervals that hold for few tasks and for repeated samples."""

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
