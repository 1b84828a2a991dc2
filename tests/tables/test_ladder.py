"""What primer and tools add, from records of the arms."""

from pathlib import Path

import pytest

from pytest_sema_bench.catalog.arms import LADDER
from pytest_sema_bench.catalog.registry import load_registry
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.ladder import arms_grid, effect_sentence, ladder_lines
from pytest_sema_bench.tables.ladder import make_ladders
from tests.samples.outcomes import records_of, tasks_of

COLD, BARE = tasks_of("ppffffffff"), tasks_of("pppppppfff")


def both() -> list[Record]:
    """Two arms that differ in the primer alone."""
    return records_of(COLD, config="cold") + records_of(BARE, config="bare")


def test_the_arms_are_configurations_that_come_with_the_package(tmp_path: Path) -> None:
    """What an arm is said to give is what its configuration gives; `ladder` names all eight."""
    registry = load_registry(tmp_path)
    for arm in LADDER:
        config = registry.config(arm.name)
        assert (config.primer, set(config.tools)) == (arm.primer, set(arm.tools))
    named = registry.configs_named(["ladder", "tools"])
    assert [config.name for config in named] == [arm.name for arm in LADDER]


def test_one_arm_is_no_ladder() -> None:
    """There is nothing to compare a single arm with, nor configurations that are no arms."""
    assert make_ladders(records_of(COLD, config="cold") + records_of(BARE, config="own")) == ()


def test_a_factor_is_what_two_arms_differ_in() -> None:
    """Arms that differ in one thing are compared, those that differ in two are not."""
    records = both() + records_of(BARE, config="eval-only")
    (ladder,) = make_ladders(records)
    assert [(effect.factor, effect.given) for effect in ladder.effects] == [
        ("the primer", "without tools"),
        ("eval_code", "with the primer"),
    ]


def test_a_whole_ladder_has_twelve_effects() -> None:
    """Three factors, each added to the four ways of having the other two."""
    records = [r for arm in LADDER for r in records_of(COLD, config=arm.name)]
    (ladder,) = make_ladders(records)
    assert [rung.arm for rung in ladder.rungs] == list(LADDER)
    assert [effect.factor for effect in ladder.effects] == (
        ["the primer"] * 4 + ["docs_search"] * 4 + ["eval_code"] * 4
    )


def test_the_sentence_says_what_a_factor_adds() -> None:
    """Five tasks of ten gained: fifty points, with the interval of paired differences."""
    (ladder,) = make_ladders(both())
    (effect,) = ladder.effects
    assert effect_sentence(effect) == (
        "the primer adds 50 points (8 to 73) without tools; 10 tasks, 5 gained, 0 lost"
    )


def test_what_is_void_counts_in_nothing() -> None:
    """A void item is no answer of its arm, and its task is not compared."""
    records = records_of(tasks_of("vp"), config="cold") + records_of(tasks_of("pp"), config="bare")
    (ladder,) = make_ladders(records)
    assert [(rung.n_graded, rung.n_pass) for rung in ladder.rungs] == [(1, 1), (2, 2)]
    assert ladder.effects[0].comparison.total is not None
    assert ladder.effects[0].comparison.total.n_tasks == 1


@pytest.mark.parametrize("markdown", [False, True])
def test_the_lines_hold_a_row_for_each_arm(markdown: bool) -> None:
    """Rates, and what a solved task took in all."""
    text = "\n".join(ladder_lines(make_ladders(both()), markdown=markdown))
    row = next(line for line in text.splitlines() if line.strip("| ").startswith("cold"))
    cells = row.replace("|", " ").split()
    assert cells[:6] == ["cold", "no", "–", "2/10", "20", "%"]
    assert cells[-2:] == ["25", "2.5000"]
    assert "adds 50 points" in text


def test_models_stand_side_by_side() -> None:
    """With several models a table of arms comes first; an arm that nobody ran is no column."""
    other = [r for c in ("bare", "tools") for r in records_of(BARE, config=c, model="n")]
    ladders = make_ladders(both() + other)
    grid = arms_grid(ladders)
    assert grid.headers == ("model", "cold", "bare", "tools")
    assert grid.rows == (("m", "20 %", "70 %", "–"), ("n", "–", "70 %", "70 %"))
    assert next(ladder_lines(ladders)) == "Pass rates by arm"
    assert "by arm" not in next(ladder_lines(ladders[:1]))
