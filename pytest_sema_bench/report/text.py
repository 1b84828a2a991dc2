"""How values are shown: numbers, hostile text, tables. Prints nothing.

Model text is hostile: control characters and marks that turn the direction of text are shown as
escapes, long lines are cut, and what would be markup to Markdown is replaced.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tabulate import tabulate

NO_VALUE = "–"
_WIDTH = 160


def points(difference: float) -> str:
    """A difference of rates in points, with its sign and no negative nought."""
    # A fall too small to be shown is rounded to -0.0; with 0.0 added it has no sign.
    value = round(100 * difference, 1) + 0.0
    return f"{value:+.1f}" if value else "0"


def percent(rate: float | None) -> str:
    """A rate in whole percent, never 0 or 100 unless it is exactly that."""
    if rate is None:
        return NO_VALUE
    value = round(100 * rate)
    if value == 0 and rate > 0:
        return "<1 %"
    return ">99 %" if value == 100 and rate < 1 else f"{value} %"


def percent_interval(interval: tuple[float, float]) -> str:
    """`80–100 %`, both ends in whole percent."""
    return f"{100 * interval[0]:.0f}–{100 * interval[1]:.0f} %"


def number(value: float | None, digits: int) -> str:
    """A number with so many digits after the point."""
    return NO_VALUE if value is None else f"{value:,.{digits}f}"


def counted(n: int, noun: str) -> str:
    """`1 sample`, `3 samples`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def p_value(p: float) -> str:
    """A p value that is never rounded to nought or across five percent."""
    if p < 0.0001:
        return "< 0.0001"
    return f"= {p:.4f}" if abs(p - 0.05) < 0.001 or p < 0.001 else f"= {p:.3f}"


def dollars(value: float) -> str:
    """An amount with as many digits as it needs, `$0.0014`; never nought for what costs."""
    if value == 0:
        return "$0"
    digits = max(2, 1 - math.floor(math.log10(abs(value))))
    return f"${value:,.{min(8, digits)}f}"


def printable(text: str, width: int = _WIDTH) -> str:
    """The text on one line, cut to `width`, with unprintable characters shown as escapes."""
    # Cut before it is looked at: a model may write a megabyte where a line is shown.
    shown = text[: 4 * width]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else _escape(char) for char in shown)
    return shown if len(shown) <= width and len(text) <= 4 * width else shown[: width - 1] + "…"


def safe(text: str, width: int = 200) -> str:
    """Text of a model or a file that may stand in a line or a cell, plain or Markdown."""
    return printable(text, width=width).replace("|", "¦").replace("`", "'").replace("<", "‹")


def signed(value: float, *, relative: bool = False) -> str:
    """A change with its sign; a relative one in whole percent."""
    return f"{100 * value:+.0f} %" if relative else f"{value:+.1f}"


def tabulated(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    markdown: bool = False,
    align: str | None = None,
) -> Iterator[str]:
    """The lines of a table.

    `align` has `l` or `r` for each column; by default only the first is `l`.
    """
    align = align or "l" + "r" * (len(headers) - 1)
    yield from tabulate(
        list(rows),
        headers=headers,
        tablefmt="github" if markdown else "simple",
        colalign=["left" if side == "l" else "right" for side in align],
        disable_numparse=True,
    ).splitlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table whose cells are words, for the text and for the page."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    """`l` or `r` for each column."""

    def lines(self, *, markdown: bool) -> Iterator[str]:
        """Its title and its table."""
        yield f"### {self.title}" if markdown else self.title
        yield ""
        yield from tabulated(self.headers, self.rows, markdown=markdown, align=self.align)
        yield ""


def _escape(char: str) -> str:
    return "  " if char == "\t" else char.encode("unicode_escape").decode("ascii")
