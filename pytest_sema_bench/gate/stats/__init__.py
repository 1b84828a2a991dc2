"""Statistics of pass rates: intervals, paired tests, repeated samples. No other module's types.

`signed_rank` is not among what is listed here: NumPy, which it needs, is slow to import.
"""

from pytest_sema_bench.gate.stats.interval import (
    clustered_interval,
    difference_interval,
    wilson_interval,
)
from pytest_sema_bench.gate.stats.paired import ALPHA, PairedCounts, PairedTest, holm, paired_test
from pytest_sema_bench.gate.stats.repeated import pass_at_k, pass_hat_k

__all__ = [
    "ALPHA",
    "PairedCounts",
    "PairedTest",
    "clustered_interval",
    "difference_interval",
    "holm",
    "paired_test",
    "pass_at_k",
    "pass_hat_k",
    "wilson_interval",
]
