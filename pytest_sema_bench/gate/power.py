"""What the gate can see: simulated chances that it fires, after a drop and when nothing changed.

A task's chance to pass is drawn from a U-shaped Beta distribution (most tasks are nearly always
or nearly never solved), samples are tossed with it, and the very test of `stats.paired` judges
them: its distribution is computed for thousands of simulated runs at once. NumPy lives here.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_sema_bench.gate.stats.paired import ALPHA, PairedCounts, Term

TARGET = 0.8
DROPS = (0.0, 0.05, 0.10, 0.15, 0.20, 0.30)
CONCENTRATION = 1.0
"""a + b of the Beta distribution: with a mean of 0.6 that is Beta(0.6, 0.4)."""
SIMULATIONS = 3000
_CELLS = 400_000
"""Size of the arrays that are worked on at once, so that memory stays small."""
_SAMPLE_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
# What Fourier transforms give may miss the level by a hair where the exact p meets it.
ROUNDING = 1e-9
_HALVINGS = 5
"""A drop is enclosed within 1/32; between its ends the chances are as good as on a line."""
_FFT_STEP = 64
"""Transforms are fast for sizes with small factors."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How large a comparison is."""

    n_tasks: int
    n_base: int
    """Samples of each task in the baseline."""
    n_run: int
    rate: float = 0.6
    """Mean pass rate of the unchanged model, in (0, 1)."""
    alpha: float = ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How often the gate fires after a drop. All shares in [0, 1]."""

    drop: float
    """What each task's chance to pass falls by, as far as it can: it stops at 0."""
    rate_fall: float
    """What the pass rate falls by in consequence."""
    fires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What a design can see."""

    design: Design
    chances: tuple[Chance, ...]
    smallest_fall: float | None
    """The smallest fall of the pass rate that is seen in 80 of 100 runs; None if none is."""
    samples_for_ten: int | None
    """Samples on both sides that see a fall of ten points in 80 of 100 runs; None past 20."""

    @property
    def false_alarm_rate(self) -> float:
        """How often the gate fires on an unchanged model."""
        return next(chance.fires for chance in self.chances if chance.drop == 0)


def power(design: Design, *, seed: int = 0, n: int = SIMULATIONS) -> Power:
    """The whole picture of a design, from n simulated pairs of runs for each figure."""
    return Power(
        design=design,
        chances=tuple(chance(design, drop, seed=seed, n=n) for drop in DROPS),
        smallest_fall=smallest_fall(design, seed=seed),
        samples_for_ten=samples_for(design, 0.10, seed=seed),
    )


def chance(design: Design, drop: float, *, seed: int = 0, n: int = SIMULATIONS) -> Chance:
    """How often the gate fires when each task's chance falls by `drop`, 0 at the least."""
    before, base = _baselines(design.n_tasks, design.n_base, design.rate, seed, n)
    after = np.clip(before - drop, 0, 1)
    # Another stream than the baseline's: the two must not share their luck.
    run = np.random.default_rng([seed, 1]).binomial(design.n_run, after)
    p = vector_test(design.n_base, design.n_run).p_worse(base, run)
    fires = p <= design.alpha + ROUNDING
    fall = float((before - after).mean())
    return Chance(drop=drop, rate_fall=fall, fires=float(fires.mean()))


@lru_cache(maxsize=64)
def smallest_fall(design: Design, *, seed: int = 0, n: int = 1000) -> float | None:
    """The smallest fall of the pass rate that the gate sees in 80 of 100 runs."""
    high = chance(design, 1.0, seed=seed, n=n)
    if high.fires < TARGET:
        return None
    low = chance(design, 0.0, seed=seed, n=n)
    for _ in range(_HALVINGS):
        middle = chance(design, (low.drop + high.drop) / 2, seed=seed, n=n)
        low, high = (low, middle) if middle.fires >= TARGET else (middle, high)
    share = (TARGET - low.fires) / (high.fires - low.fires)
    return low.rate_fall + share * (high.rate_fall - low.rate_fall)


@lru_cache(maxsize=64)
def samples_for(design: Design, fall: float, *, seed: int = 0, n: int = 2000) -> int | None:
    """The number of samples, on both sides, that sees this fall of the pass rate in 80 of 100."""
    before, _ = _baselines(design.n_tasks, 1, design.rate, seed, n)
    drop = _drop_for(before, fall)
    if drop is None:
        return None
    for n_samples in _SAMPLE_COUNTS:
        larger = replace(design, n_base=n_samples, n_run=n_samples)
        if chance(larger, drop, seed=seed, n=n).fires >= TARGET:
            return n_samples
    return None


@lru_cache(maxsize=4)
def _baselines(n_tasks: int, n_base: int, rate: float, seed: int, n: int) -> tuple[Array, Array]:
    """The tasks' chances to pass, and how often each passed in n baselines: shape (n, n_tasks).

    The same for every drop, so that chances rise with the drop even where they are noisy.
    """
    rng = np.random.default_rng([seed, 0])
    rate = min(0.99, max(0.01, rate))
    chances = rng.beta(CONCENTRATION * rate, CONCENTRATION * (1 - rate), (n, n_tasks))
    return chances, rng.binomial(n_base, chances)


def _drop_for(before: Array, fall: float) -> float | None:
    """The drop of each task by which the mean falls so far; None if it cannot."""
    if before.mean() < fall:
        return None
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        enough = np.minimum(before, middle).mean() >= fall
        low, high = (low, middle) if enough else (middle, high)
    return high


@lru_cache(maxsize=32)
def vector_test(n_base: int, n_run: int) -> "VectorTest":
    """The test for so many samples of each task, made once."""
    return VectorTest(n_base, n_run)


class VectorTest:
    """The paired test of `stats.paired` for many pairs of runs at once.

    What a task can show is one of few cells: (passes before, passes after). What it could have
    shown instead is one of few terms. The p values follow from how often each term occurs, by
    multiplying Fourier transforms.
    """

    def __init__(self, n_base: int, n_run: int) -> None:
        base, run = np.ogrid[: n_base + 1, : n_run + 1]
        self._unit = _unit(n_base, n_run)
        # What a task could have shown instead depends on its counts through this number alone.
        seen = abs(base - run) if n_base == n_run else base + run
        _, first, self._term_of = np.unique(seen, return_index=True, return_inverse=True)
        self._term_of = self._term_of.reshape(seen.shape)
        # Python's own numbers: what is counted with them is exact.
        cells = (divmod(cell, n_run + 1) for cell in first.tolist())
        self._terms: tuple[Term, ...] = tuple(
            PairedCounts(base_pass=b, n_base=n_base, run_pass=r, n_run=n_run).null for b, r in cells
        )
        lowest = np.array([float(term[0][0]) for term in self._terms])
        steps = (run / n_run - base / n_base - lowest[self._term_of]) * float(self._unit)
        self._place_of = np.rint(steps).astype(np.int64)
        self._logs: dict[int, Array] = {}
        """Logarithms of the terms' transforms, by their size."""

    def p_worse(self, base: Array, run: Array) -> Array:
        """One-sided p values of shape (n,) from passes of shape (n, n_tasks)."""
        terms, observed = self._term_of[base, run], self._place_of[base, run].sum(axis=1)
        size = 1 + terms.shape[1] * max(self._place(term, term[-1][0]) for term in self._terms)
        size += -size % _FFT_STEP
        n_rows = max(1, _CELLS // size)
        chunks = [
            self._p(terms[at : at + n_rows], observed[at : at + n_rows], size)
            for at in range(0, len(terms), n_rows)
        ]
        return np.concatenate(chunks)

    def _p(self, terms: Array, observed: Array, size: int) -> Array:
        n, n_terms = len(terms), len(self._terms)
        rows = np.arange(n)[:, None] * n_terms + terms
        counts = np.bincount(rows.ravel(), minlength=n * n_terms).reshape(n, n_terms)
        if size not in self._logs:
            # Real and imaginary parts side by side, for real numbers are added up faster.
            self._logs[size] = np.log(self._transforms(size)).view(np.float64)
        # einsum and not @: a product this small is not worth the threads of a BLAS library.
        logs = np.einsum("nt,tf->nf", counts.astype(np.float64), self._logs[size])
        transform = np.exp(logs.view(np.complex128))
        cumulated = np.fft.irfft(transform, size).cumsum(axis=1)
        return np.asarray(cumulated[np.arange(n), observed])

    def _transforms(self, size: int) -> Array:
        """The terms' Fourier transforms, at the frequencies of `rfft`; zeros made nearly zero."""
        weights = np.zeros((len(self._terms), size))
        for row, term in zip(weights, self._terms, strict=True):
            for value, weight in term:
                row[self._place(term, value)] += weight
        transforms = np.fft.rfft(weights / weights.sum(axis=1, keepdims=True))
        return np.where(np.abs(transforms) < 1e-14, 1e-14, transforms)

    def _place(self, term: Term, value: Fraction) -> int:
        return int((value - term[0][0]) * self._unit)


def _unit(n_base: int, n_run: int) -> Fraction:
    """What makes whole numbers of the steps between the differences of one task, small ones.

    With equal numbers a change of places moves a difference by twice itself.
    """
    return Fraction(n_base, 2) if n_base == n_run else Fraction(lcm(n_base, n_run))
