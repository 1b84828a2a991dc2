"""pass@k and pass^k: what several samples of one task say about k tries."""

from math import comb


def pass_at_k(n_pass: int, n: int, k: int) -> float:
    """Chance in [0, 1] that at least one of k tries passes.

    1 - C(n - c, k) / C(n, k), unbiased. Source: Chen et al. (2021), arXiv 2107.03374, eq. 1.
    """
    _check(n_pass, n, k)
    return 1 - comb(n - n_pass, k) / comb(n, k)


def pass_hat_k(n_pass: int, n: int, k: int) -> float:
    """Chance in [0, 1] that all of k tries pass.

    C(c, k) / C(n, k), unbiased. Source: Yao et al. (2024), tau-bench, arXiv 2406.12045, section 3.
    """
    _check(n_pass, n, k)
    return comb(n_pass, k) / comb(n, k)


def _check(n_pass: int, n: int, k: int) -> None:
    if not 1 <= k <= n or not 0 <= n_pass <= n:
        raise ValueError(f"{n_pass} of {n} passed, k = {k}: want 1 <= k <= n and 0 <= passed <= n")
