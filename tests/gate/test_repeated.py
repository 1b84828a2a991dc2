"""pass@k and pass^k, against counting all choices."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import comb

from pytest_sema_bench.gate.stats.repeated import pass_at_k, pass_hat_k

CHOICES = st.integers(1, 7).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))
)


@given(CHOICES)
def test_both_are_shares_of_all_choices(case: tuple[int, int, int]) -> None:
    """Choosing k of the n samples in every way, so many hold a pass, so many hold only passes."""
    n_pass, n, k = case
    choices = list(itertools.combinations([True] * n_pass + [False] * (n - n_pass), k))
    assert pass_at_k(n_pass, n, k) == pytest.approx(sum(map(any, choices)) / len(choices))
    assert pass_hat_k(n_pass, n, k) == pytest.approx(sum(map(all, choices)) / len(choices))


def test_scipy_agrees_for_many_samples() -> None:
    """137 of 200 passed: the binomial coefficients of scipy give the same."""
    assert pass_at_k(137, 200, 10) == pytest.approx(1 - comb(63, 10) / comb(200, 10))
    assert pass_hat_k(137, 200, 10) == pytest.approx(comb(137, 10) / comb(200, 10))


@pytest.mark.parametrize(("n_pass", "n", "k"), [(4, 3, 1), (-1, 3, 1), (1, 3, 0), (3, 3, 5)])
def test_impossible_counts_are_a_mistake(n_pass: int, n: int, k: int) -> None:
    """More passes than samples, or no try at all, is a bug of the caller."""
    with pytest.raises(ValueError, match="passed"):
        pass_at_k(n_pass, n, k)
