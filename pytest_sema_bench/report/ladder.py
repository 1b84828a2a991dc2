"""The ladder of arms as lines of text, plain or Markdown. Prints nothing."""

from collections.abc import Iterator, Sequence

from pytest_sema_bench.catalog.arms import LADDER
from pytest_sema_bench.report.text import (
    NO_VALUE,
    Grid,
    number,
    percent,
    percent_interval,
    safe,
    tabulated,
)
from pytest_sema_bench.tables.ladder import Effect, Ladder, Rung

_HEADERS = ("arm", "primer", "tools", "passed", "pass rate", "95 % interval", "rounds")
_PER_SOLVED = ("tokens/solved", "$/solved")


def ladder_lines(ladders: Sequence[Ladder], *, markdown: bool = False) -> Iterator[str]:
    """A table of arms for each model, then a sentence for each factor and what it was added to."""
    if len(ladders) > 1:
        yield from arms_grid(ladders).lines(markdown=markdown)
    for ladder in ladders:
        title = f"what primer and tools give {safe(ladder.model)}"
        yield f"### {title}" if markdown else title
        yield ""
        rows = map(_cells, ladder.rungs)
        headers = (*_HEADERS, *_PER_SOLVED)
        yield from tabulated(headers, rows, markdown=markdown, align="lllrrrrrr")
        yield ""
        for effect in ladder.effects:
            yield f"{'- ' if markdown else ''}{effect_sentence(effect)}"
        yield ""


def arms_grid(ladders: Sequence[Ladder]) -> Grid:
    """Models side by side: which needs the primer, which the tools, which neither."""
    arms = [arm for arm in LADDER if any(rung.arm == arm for ld in ladders for rung in ld.rungs)]
    rows = [(ladder.model, {rung.arm: rung.rate for rung in ladder.rungs}) for ladder in ladders]
    return Grid(
        title="Pass rates by arm",
        headers=("model", *(arm.name for arm in arms)),
        rows=tuple(
            (safe(model), *(percent(rates.get(arm)) for arm in arms)) for model, rates in rows
        ),
        align="l" + "r" * len(arms),
    )


def effect_sentence(effect: Effect) -> str:
    """`the primer adds 41 points (33 to 48) without tools; 60 tasks, p < 0.0001`."""
    total, interval, test = (
        effect.comparison.total,
        effect.comparison.interval,
        effect.comparison.test,
    )
    if total is None or interval is None or test is None:
        return f"{effect.factor} {effect.given}: no task was graded in both arms"
    low, high = (f"{100 * end:.0f}" for end in interval)
    return (
        f"{effect.factor} adds {100 * total.difference:.0f} points ({low} to {high}) "
        f"{effect.given}; {total.n_tasks} tasks, {test.n_better} gained, {test.n_worse} lost"
    )


def _cells(rung: Rung) -> tuple[str, ...]:
    return (
        rung.arm.name,
        "yes" if rung.arm.primer else "no",
        ", ".join(rung.arm.tools) or NO_VALUE,
        f"{rung.n_pass}/{rung.n_graded}",
        percent(rung.rate),
        percent_interval(rung.interval),
        number(rung.rounds, 1) if rung.n_graded else NO_VALUE,
        number(rung.tokens_per_solved, 0),
        number(rung.usd_per_solved, 4),
    )
