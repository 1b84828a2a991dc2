"""How records name suites and levels, in which order levels come, and what goes together."""

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.suite import OTHER, SuiteId, in_order, level_name, one_suite

CORE = SuiteId(name="core", version=1, hash="a")
NEWER = SuiteId(name="core", version=2, hash="b")
FRONTIER = SuiteId(name="frontier", version=1, hash="c")

ORDERS: dict[str, tuple[list[str | None], tuple[str, ...], list[str | None]]] = {
    "by number": (["L10", "L9", "L1"], (), ["L1", "L9", "L10"]),
    "by the suite": (["easy", "hard"], ("hard", "easy"), ["hard", "easy"]),
    "the suite's before others": (["A1", "hard"], ("hard",), ["hard", "A1"]),
    "none last": ([None, "L2", OTHER, "zz"], (), ["L2", "zz", None, OTHER]),
    "each once": (["L2", "L1", "L2"], (), ["L1", "L2"]),
    "words and numbers": (["2", "x", "L"], (), ["2", "L", "x"]),
}


@pytest.mark.parametrize(("levels", "known", "expected"), ORDERS.values(), ids=ORDERS)
def test_levels_come_in_the_order_of_the_suite(
    levels: list[str | None], known: tuple[str, ...], expected: list[str | None]
) -> None:
    """What the suite does not name comes by name and number, what has no level last."""
    assert in_order(levels, known) == expected


def test_a_number_is_the_level_that_it_once_was() -> None:
    """Records and task files from before there were suites hold 2 for L2."""
    assert [level_name(level) for level in (2, "F1", None)] == ["L2", "F1", None]


def test_a_suite_comes_back_as_it_was_written() -> None:
    """The same object for the same suite, as a run of thousands of records holds but one."""
    read = SuiteId.from_json(CORE.as_json())
    assert read == CORE
    assert read is SuiteId.from_json(CORE.as_json())
    assert SuiteId.from_json(None) is None


def test_runs_of_one_suite_go_together() -> None:
    """Of any version, and with those that name none; two names are an error that says both."""
    assert one_suite([("a", None), ("b", CORE), ("c", NEWER)]) == CORE
    assert one_suite([("a", None)]) is None
    with pytest.raises(SettingsError, match="b is of the suite core and c of frontier"):
        one_suite([("a", None), ("b", CORE), ("c", FRONTIER)])
