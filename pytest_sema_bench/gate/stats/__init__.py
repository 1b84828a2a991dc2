"""Statistics of pass rates: intervals, paired tests, repeated samples. No other module's types."""

from pytest_sema_bench.gate.stats.interval import (
    clustered_interval,
    difference_interval,
    wilson_interval,
)
from pytest_sema_bench.gate.stats.paired import ALPHA, PairedCounts, PairedTest, holm, paired_test
from pytest_sema_bench.gate.stats.repeated import pass_at_k, pass_hat_k
from pytest_sema_bench.gate.stats.signed_rank import SignedRank, signed_rank

__all__ = [
    "ALPHA",
    "PairedCounts",
    "PairedTest",
    "SignedRank",
    "clustered_interval",
    "difference_interval",
    "holm",
    "paired_test",
    "pass_at_k",
    "pass_hat_k",
    "signed_rank",
    "wilson_interval",
]
