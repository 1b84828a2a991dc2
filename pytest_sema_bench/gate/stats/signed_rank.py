"""Wilcoxon's signed-rank test and the Hodges-Lehmann estimate of a paired shift.

Source: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.1 to 3.3.
The distribution is exact at any number of pairs, ties included; pairs without a difference say
nothing of its sign and are left out of the test, not of the estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRank:
    """What paired differences say of a shift, in the unit of the differences."""

    n: int
    """Pairs."""
    estimate: float
    """The median of the means of all two differences, each with itself too."""
    interval: tuple[float, float]
    """95 % interval of the shift."""
    p_two_sided: float


def signed_rank(differences: Sequence[float]) -> SignedRank | None:
    """The test and the estimate; None without any pair."""
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if not n:
        return None
    first, second = np.triu_indices(n)
    walsh = np.sort((values[first] + values[second]) / 2)
    # How many of the smallest and largest means lie outside of the interval.
    chances = np.cumsum(_distribution(np.arange(1, n + 1) * 2))[::2]
    n_out = max(int(np.searchsorted(chances, (1 - _LEVEL) / 2, side="right")) - 1, 0)
    n_out = min(n_out, (len(walsh) - 1) // 2)
    return SignedRank(
        n=n,
        estimate=float(np.median(walsh)),
        interval=(float(walsh[n_out]), float(walsh[len(walsh) - 1 - n_out])),
        p_two_sided=_p_two_sided(values[values != 0]),
    )


def _p_two_sided(values: NDArray[np.float64]) -> float:
    if not len(values):
        return 1.0
    # Twice the midrank is a whole number.
    _, inverse, counts = np.unique(np.abs(values), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    doubled = (2 * ends - counts + 1)[inverse]
    chances = _distribution(doubled)
    observed = int(doubled[values > 0].sum())
    lower, upper = chances[: observed + 1].sum(), chances[observed:].sum()
    return float(min(1.0, 2 * min(lower, upper)))


def _distribution(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance of each sum of those ranks that a fair coin picks, by that sum."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(chances)
        moved[rank:] = chances[: len(chances) - rank]
        chances = (chances + moved) / 2
    return chances
