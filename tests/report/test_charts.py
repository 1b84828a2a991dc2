"""Geometry of the report's pictures."""

from itertools import pairwise

import pytest

from pytest_sema_bench.report.charts import Priced, line_points, scatter
from pytest_sema_bench.report.text import dollars


def model(name: str, cost_usd: float, rate: float = 0.5) -> Priced:
    """A model with an interval around its rate."""
    return Priced(name=name, cost_usd=cost_usd, rate=rate, interval=(rate - 0.1, rate + 0.1))


def test_one_price_makes_no_picture() -> None:
    """What is free, or the only one that is not, has nothing to be compared with."""
    assert scatter([]) is None
    assert scatter([model("a", 0.01), model("b", 0.0)]) is None


@pytest.mark.parametrize("ratio", [1.0, 3.0, 100.0, 1e6])
def test_everything_stays_inside(ratio: float) -> None:
    """Dots and ticks lie between the axes, whatever the prices."""
    plot = scatter([model("a", 0.001, 0.1), model("b", 0.001 * ratio, 0.9)])
    assert plot is not None
    assert all(plot.left <= dot.x <= plot.right for dot in plot.dots)
    assert all(plot.top <= dot.y_high <= dot.y <= dot.y_low <= plot.bottom for dot in plot.dots)
    assert plot.x_ticks
    assert all(plot.left <= tick.at <= plot.right for tick in plot.x_ticks)


def test_dearer_is_further_right_and_better_higher() -> None:
    """The axes point the usual way."""
    plot = scatter([model("cheap", 0.001, 0.2), model("dear", 0.01, 0.8)])
    assert plot is not None
    dots = {dot.name: dot for dot in plot.dots}
    assert dots["cheap"].x < dots["dear"].x
    assert dots["cheap"].y > dots["dear"].y


def test_labels_do_not_cover_each_other() -> None:
    """Equal rates get labels a line apart, in order."""
    plot = scatter([model(str(n), 0.01 + n / 1e4) for n in range(6)])
    assert plot is not None
    heights = [dot.label_y for dot in plot.dots]
    assert all(below - above >= 15 for above, below in pairwise(heights))


def test_amounts_keep_the_digits_that_matter() -> None:
    """No price is shown as nought unless it is."""
    amounts = (0.0, 1234.5, 0.25, 0.0042, 0.00000314)
    assert [dollars(a) for a in amounts] == ["$0", "$1,234.50", "$0.25", "$0.0042", "$0.0000031"]


def test_a_trend_runs_from_edge_to_edge() -> None:
    """The first rate is at the left, the last at the right, 1 at the top."""
    assert line_points([0.0, 1.0, 0.5], 120, 30) == "0.0,30.0 60.0,0.0 120.0,15.0"
