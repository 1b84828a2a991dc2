"""Geometry of the report's pictures. The template draws them; nothing is marked up here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_sema_bench.report.text import dollars

WIDTH, HEIGHT = 720.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 190.0, 12.0, 40.0
_LINE = 15.0
"""Least distance of two labels, in the picture's units."""
_LOG_FROM = 8.0
"""From this ratio of the dearest to the cheapest the axis is logarithmic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A model with its pass rate and what an item of it costs."""

    name: str
    cost_usd: float
    rate: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A model in the picture, in its units; y grows downwards."""

    name: str
    x: float
    y: float
    y_low: float
    y_high: float
    label_y: float
    """Where the label stands in the right margin, moved so that labels do not cover each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Cost against pass rate."""

    dots: tuple[Dot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM
    width: float = WIDTH
    height: float = HEIGHT


def scatter(models: Sequence[Priced]) -> Scatter | None:
    """The picture; None if fewer than two models have a price, for one dot shows nothing."""
    priced = [model for model in models if model.cost_usd > 0]
    if len(priced) < 2:
        return None
    costs = [model.cost_usd for model in priced]
    low, high, logarithmic = min(costs), max(costs), max(costs) / min(costs) >= _LOG_FROM
    axis = (low / 1.3, high * 1.3) if logarithmic else (0.0, high * 1.1)
    dots = [
        Dot(
            name=model.name,
            x=_across(model.cost_usd, axis, logarithmic=logarithmic),
            y=_down(model.rate),
            y_low=_down(model.interval[0]),
            y_high=_down(model.interval[1]),
            label_y=0.0,
        )
        for model in priced
    ]
    return Scatter(
        dots=_with_labels(dots),
        x_ticks=tuple(
            Tick(at=_across(value, axis, logarithmic=logarithmic), text=dollars(value))
            for value in _round_values(*axis, logarithmic=logarithmic)
        ),
        y_ticks=tuple(
            Tick(at=_down(rate / 100), text=f"{rate} %") for rate in (0, 20, 40, 60, 80, 100)
        ),
    )


def line_points(rates: Sequence[float], width: float, height: float) -> str:
    """The points of a polyline through rates in [0, 1], from left to right."""
    step = width / max(1, len(rates) - 1)
    return " ".join(f"{i * step:.1f},{(1 - rate) * height:.1f}" for i, rate in enumerate(rates))


def _across(value: float, axis: tuple[float, float], *, logarithmic: bool) -> float:
    low, high = axis
    if logarithmic:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)


def _down(rate: float) -> float:
    return _TOP + (1 - rate) * (HEIGHT - _TOP - _BOTTOM)


def _round_values(low: float, high: float, *, logarithmic: bool) -> list[float]:
    """Values of the form 1, 2, 5 × 10^n inside the axis, some four to seven of them."""
    if logarithmic:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        return [value for value in values if low <= value <= high]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _with_labels(dots: Sequence[Dot]) -> tuple[Dot, ...]:
    """The dots, from the top, each label at least a line below the one before."""
    placed: list[Dot] = []
    last = -math.inf
    for dot in sorted(dots, key=lambda dot: dot.y):
        last = max(dot.y, last + _LINE)
        placed.append(replace(dot, label_y=last))
    return tuple(placed)
