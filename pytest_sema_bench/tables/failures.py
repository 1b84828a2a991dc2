"""How a model fails: programs that do not parse, names of other languages, errors not mended.

Who trains a small model for the language reads this to see what it lacks. All of it is counted
from records; what older records do not say counts in nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_sema_bench.gate.stats.interval import wilson_interval
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.record import Record, by_setup

_MOST_COMMON = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many."""

    n: int
    of: int

    @property
    def rate(self) -> float | None:
        """In [0, 1]; None of nothing."""
        return self.n / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate."""
        return wilson_interval(self.n, self.of)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRow:
    """The names of one language that Sema does not have."""

    language: str
    found: Share
    """Of the items' names, those after which a program used what Sema has instead."""
    names: tuple[tuple[str, int], ...]
    """The most frequent ones, with the number of items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRow:
    """One class of errors that tool calls showed."""

    error_class: str
    mended: Share
    """Of the items that met it, those in which a later program ran without any error."""
    right: Share
    """Of the items that met it, those that were right in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureTable:
    """How one model fails in one configuration. Void items count in nothing."""

    setup: Setup
    parsed: Share
    """Of the items with a program, those whose first one parses."""
    solved_at_once: Share
    """Of all items, those right without having seen an error and with one try at the most."""
    tries_until_solved: float | None
    """Median number of programs tried in the items that ended right; None without any."""
    lost: Share
    """Of the failed items, those in which a tool call had evaluated a right answer."""
    foreign: tuple[ForeignRow, ...]
    """Most names first. A name that several languages have counts in each."""
    repairs: tuple[RepairRow, ...]
    """Most frequent class first."""

    repaired: Share
    """Of the items that met an error in a tool call, those that were right in the end."""


def make_failure_tables(records: Iterable[Record]) -> tuple[FailureTable, ...]:
    """A table for each model and configuration that says what it tried, in order of appearance."""
    telling = (record for record in records if record.graded and record.tries is not None)
    return tuple(_table(setup, members) for setup, members in by_setup(telling).items())


def _table(setup: Setup, records: Sequence[Record]) -> FailureTable:
    firsts = [first for record in records if (first := record.first_parses) is not None]
    solved = [record for record in records if record.passed]
    failed = [record for record in records if not record.passed]
    repaired = [r for record in records if (r := record.repaired) is not None]
    return FailureTable(
        setup=setup,
        parsed=Share(n=sum(firsts), of=len(firsts)),
        solved_at_once=Share(
            n=sum(len(r.tries or ()) <= 1 and not r.vm_errors for r in solved), of=len(records)
        ),
        tries_until_solved=median(len(r.tries or ()) for r in solved) if solved else None,
        lost=Share(n=sum(any(t["right"] for t in r.tries or ()) for r in failed), of=len(failed)),
        foreign=_foreign(records),
        repairs=tuple(_repairs(records)),
        repaired=Share(n=sum(repaired), of=len(repaired)),
    )


def _foreign(records: Sequence[Record]) -> tuple[ForeignRow, ...]:
    names: dict[str, Counter[str]] = {}
    found: Counter[str] = Counter()
    for record in records:
        for use in record.foreign:
            for language in use["from"]:
                names.setdefault(language, Counter())[use["name"]] += 1
                found[language] += use["found"]
    rows = [
        ForeignRow(
            language=language,
            found=Share(n=found[language], of=counts.total()),
            names=tuple(counts.most_common(_MOST_COMMON)),
        )
        for language, counts in names.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.found.of, row.language)))


def _repairs(records: Sequence[Record]) -> Iterable[RepairRow]:
    met: dict[str, list[tuple[bool, bool]]] = {}
    for record in records:
        tries = record.tries or []
        classes = [tried["class"] for tried in tries]
        for error_class in {*classes} - {None}:
            after = classes[classes.index(error_class) + 1 :]
            met.setdefault(error_class, []).append((None in after, record.passed))
    for error_class, ends in sorted(met.items(), key=lambda item: (-len(item[1]), item[0])):
        yield RepairRow(
            error_class=error_class,
            mended=Share(n=sum(mended for mended, _ in ends), of=len(ends)),
            right=Share(n=sum(right for _, right in ends), of=len(ends)),
        )
