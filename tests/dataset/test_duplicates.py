"""Near copies by exact similarity: the index finds what looking at every pair finds."""

import random

import pytest

from pytest_sema_bench.dataset.duplicates import clusters, shingles, similar_pairs


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.85, 1.0])
def test_the_index_finds_every_pair_that_is_similar_enough(threshold: float) -> None:
    """Held against a look at all pairs of two hundred programs, none is missed and none added."""
    dice = random.Random(threshold)
    programs: list[list[str]] = []
    for _ in range(200):
        base = list(dice.choice(programs)) if programs and dice.random() < 0.6 else []
        base = base or [dice.choice("abcdef") for _ in range(dice.randint(1, 40))]
        base[dice.randrange(len(base))] = dice.choice("abcdef")
        programs.append(base)
    sets = [shingles(program) for program in programs]
    expected = {
        (i, j)
        for i in range(len(sets))
        for j in range(i)
        if len(sets[i] & sets[j]) >= threshold * len(sets[i] | sets[j])
    }
    assert len(expected) > 20
    assert {(i, j) for i, j, _ in similar_pairs(programs, threshold)} == expected


def test_a_cluster_goes_by_its_first_member() -> None:
    """What is held together by a chain of pairs is one cluster."""
    assert clusters(6, iter([(4, 2), (5, 4), (1, 0)])) == [0, 0, 2, 3, 2, 2]
