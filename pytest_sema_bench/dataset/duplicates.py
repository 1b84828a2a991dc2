"""Which programs are near copies of each other: exact Jaccard similarity of token shingles.

Pairs are found by a prefix filter (Bayardo et al., 2007): of two sets that share enough, the
rarest elements of one are among those of the other. So nothing is estimated, and two programs
that share only what all programs share are never looked at.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

N_TOKENS = 5
"""Tokens of a shingle."""

Tokens = Sequence[str]


def shingles(tokens: Tokens) -> frozenset[str]:
    """All runs of five tokens; of a shorter program the whole."""
    n = max(1, len(tokens) - N_TOKENS + 1)
    return frozenset("\0".join(tokens[i : i + N_TOKENS]) for i in range(n))


def similar_pairs(programs: Sequence[Tokens], threshold: float) -> Iterator[tuple[int, int, float]]:
    """All pairs of programs that are at least so similar, the later one first."""
    sets = _ranked(programs)
    # From small to large: a set is held against those only that are not larger.
    order = sorted(range(len(sets)), key=lambda i: (len(sets[i]), i))
    index: defaultdict[int, list[int]] = defaultdict(list)
    as_sets = [frozenset(ranks) for ranks in sets]
    for i in order:
        ranks = sets[i]
        n_prefix = len(ranks) - math.ceil(threshold * len(ranks)) + 1
        smallest = threshold * len(ranks)
        seen = {j for rank in ranks[:n_prefix] for j in index[rank] if len(sets[j]) >= smallest}
        for j in seen:
            shared = len(as_sets[i] & as_sets[j])
            similarity = shared / (len(ranks) + len(sets[j]) - shared)
            if similarity >= threshold:
                yield max(i, j), min(i, j), similarity
        for rank in ranks[:n_prefix]:
            index[rank].append(i)


def clusters(n: int, pairs: Iterator[tuple[int, int]]) -> list[int]:
    """For each of `n` things the first thing of its cluster, pairs being what holds them."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return [root(i) for i in range(n)]


def _ranked(programs: Sequence[Tokens]) -> list[tuple[int, ...]]:
    """The shingles of each program as numbers, the rarest first."""
    all_shingles = [shingles(tokens) for tokens in programs]
    counts = Counter(shingle for found in all_shingles for shingle in found)
    ranks = {s: rank for rank, s in enumerate(sorted(counts, key=lambda s: (counts[s], s)))}
    return [tuple(sorted(ranks[shingle] for shingle in found)) for found in all_shingles]
