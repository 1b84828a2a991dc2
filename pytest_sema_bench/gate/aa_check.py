"""How often the gate would fire on an unchanged model: one run split in two, many times over.

A run with several samples of each task is two runs of one and the same model. Each task's
samples are dealt at random to a baseline and a run, and the gate's test is asked.
"""

from dataclasses import dataclass

import numpy as np

from pytest_sema_bench.gate.power import ROUNDING, vector_test
from pytest_sema_bench.gate.stats.paired import ALPHA
from pytest_sema_bench.gate.task_results import Group, Results

SPLITS = 2000
_FALL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What happened in all the splits into halves of so many samples. Shares in [0, 1]."""

    n_samples: int
    """Samples of each task on each side."""
    n_tasks: int
    """Tasks with enough graded samples."""
    fires: float
    """How often the gate's test fired."""
    fell_five: float
    """How often the pass rate fell by five points or more: what a threshold would have fired on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AACheck:
    """The answer for one model and configuration."""

    name: str
    n_tasks: int
    n_samples: int
    splits: tuple[Split, ...]
    """For one sample a side and, if there are enough, for half of all; () if there are too few."""


def aa_check(results: Results, *, seed: int = 0, n: int = SPLITS) -> tuple[AACheck, ...]:
    """The check of each model and configuration of a run."""
    return tuple(_check(group, seed, n) for group in results.groups)


def _check(group: Group, seed: int, n: int) -> AACheck:
    sizes = dict.fromkeys((1, group.n_samples // 2))
    splits = (_split(group, size, seed, n) for size in sizes if size >= 1)
    return AACheck(
        name=group.name,
        n_tasks=len(group.tasks),
        n_samples=group.n_samples,
        splits=tuple(split for split in splits if split.n_tasks),
    )


def _split(group: Group, size: int, seed: int, n: int) -> Split:
    tasks = [task for task in group.tasks if len(task.graded) >= 2 * size]
    if not tasks:
        return Split(n_samples=size, n_tasks=0, fires=0.0, fell_five=0.0)
    rng = np.random.default_rng(seed)
    shape = (n, len(tasks))
    passed = np.broadcast_to([task.n_pass for task in tasks], shape)
    failed = np.broadcast_to([len(task.graded) - task.n_pass for task in tasks], shape)
    base = rng.hypergeometric(passed, failed, size)
    # From what the baseline has left over: no sample is on both sides.
    run = rng.hypergeometric(passed - base, failed - (size - base), size)
    p = vector_test(size, size).p_worse(base, run)
    fall = (base - run).mean(axis=1) / size
    return Split(
        n_samples=size,
        n_tasks=len(tasks),
        fires=float((p <= ALPHA + ROUNDING).mean()),
        fell_five=float((fall >= _FALL - ROUNDING).mean()),
    )
