"""The gate's test: whether tasks of one run pass less often than the same tasks of another.

Each task adds a difference of two pass rates. Given what was observed, its label (which run it
came from) is exchangeable if nothing has changed, so the sum of the differences has a known
distribution. It is computed exactly, in whole numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, gcd, lcm, prod

ALPHA = 0.05
"""The gate's level: how often it may fire on an unchanged model."""
_MAX_BITS = 2**24
"""Size of the largest number of the exact computation: 2 MiB."""

Term = tuple[tuple[Fraction, int], ...]
"""The values that one task's difference can take, each with its weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """One task's graded samples in the baseline and in the run."""

    base_pass: int
    n_base: int
    run_pass: int
    n_run: int

    @property
    def difference(self) -> Fraction:
        """Pass rate of the run less that of the baseline."""
        return self._difference(self.base_pass)

    @property
    def null(self) -> Term:
        """What the difference could have been had the samples' labels fallen otherwise.

        With as many samples in both runs the two runs change places, whole: that holds even if
        the samples of a run resemble each other. With unequal numbers the samples are dealt out
        anew (hypergeometric). The lowest difference comes first.
        """
        n_pass = self.base_pass + self.run_pass
        if self.n_base == self.n_run:
            deals = {self.base_pass: 1, self.run_pass: 1}
        else:
            deals = {
                base: comb(self.n_base, base) * comb(self.n_run, n_pass - base)
                for base in range(max(0, n_pass - self.n_run), min(self.n_base, n_pass) + 1)
            }
        return tuple(sorted((self._difference(base), weight) for base, weight in deals.items()))

    def _difference(self, base_pass: int) -> Fraction:
        run_pass = self.base_pass + self.run_pass - base_pass
        return Fraction(run_pass, self.n_run) - Fraction(base_pass, self.n_base)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """What the test says. All p in [0, 1]."""

    n_tasks: int
    n_worse: int
    n_better: int
    p_worse: float
    """One-sided: the chance of a sum of differences as low as this if nothing has changed."""
    p_two_sided: float
    """Twice the smaller tail, at most 1."""


def paired_test(tasks: Sequence[PairedCounts]) -> PairedTest:
    """The exact paired test over tasks; each must have samples on both sides.

    With one sample on each side this is the sign test on the tasks that changed, which is the
    exact form of McNemar's (1947); with K on each side the permutation test of the task
    differences (Fisher 1935; Pitman 1937); with unequal numbers the samples are permuted
    within each task.
    """
    terms = [task.null for task in tasks]
    differences = [task.difference for task in tasks]
    low, high = tails(terms, differences)
    return PairedTest(
        n_tasks=len(tasks),
        n_worse=sum(difference < 0 for difference in differences),
        n_better=sum(difference > 0 for difference in differences),
        p_worse=float(low),
        p_two_sided=float(min(Fraction(1), 2 * min(low, high))),
    )


def tails(terms: Sequence[Term], observed: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    """Chances that a sum with one value of each term is at most, and at least, that observed.

    The distribution is the product of the terms as polynomials. A polynomial is one whole
    number, each coefficient in a slot of bits of its own, so that shift and add multiply it by
    a term. Where the slots would need too much memory values are rounded to a coarser grid:
    the test is then one of the rounded differences, and just as exact.
    """
    total = prod(sum(weight for _, weight in term) for term in terms)
    # All coefficients together are `total`, so neither one nor their sum overflows a slot.
    width = total.bit_length() + 1
    scale = _scale(terms, width)
    shifted = [_shifted(term, scale) for term in terms]
    at = sum(round(value * scale) - low for value, (low, _) in zip(observed, shifted, strict=True))
    # Slots only for places that a sum can have.
    step = gcd(*(place for _, places in shifted for place, _ in places)) or 1
    product = 1
    for _, places in shifted:
        product = sum(weight * (product << place // step * width) for place, weight in places)
    at //= step
    low = product & ((1 << (at + 1) * width) - 1)
    high = product >> at * width
    # The digits of a number in base B sum up to the number modulo B - 1.
    digits = (1 << width) - 1
    return Fraction(low % digits, total), Fraction(high % digits, total)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """The p values adjusted for being several, in the order given. Source: Holm (1979)."""
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = highest
    return tuple(adjusted)


def _scale(terms: Iterable[Term], width: int) -> Fraction:
    """What makes whole numbers of all values, or nearly so if that would take too many slots."""
    exact, spread = 1, Fraction(0)
    for term in terms:
        values = [value for value, _ in term]
        exact = lcm(exact, *(value.denominator for value in values))
        spread += max(values) - min(values)
    affordable = Fraction(_MAX_BITS, width) / spread if spread else Fraction(exact)
    return min(Fraction(exact), affordable)


def _shifted(term: Term, scale: Fraction) -> tuple[int, list[tuple[int, int]]]:
    """The lowest value of a term and, counted from it, the places of all, with their weights."""
    places = [(round(value * scale), weight) for value, weight in term]
    low = min(place for place, _ in places)
    return low, [(place - low, weight) for place, weight in places]
