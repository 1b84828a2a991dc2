"""From records to the rows of the table: per model and configuration, by level and in all."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_sema_bench.gate.stats.interval import clustered_interval
from pytest_sema_bench.gate.stats.repeated import pass_at_k, pass_hat_k
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.items import Pairing, PlannedItem, paired
from pytest_sema_bench.records.outcome import Reason, Stop
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import OTHER, in_order
from pytest_sema_bench.records.transcript import TEXT_TOOL_CALLS
from pytest_sema_bench.sema.versions import unproven_version

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searches:
    """What searches of the documentation came to, over a group of records."""

    n_searches: int
    n_empty: int
    """Those that found nothing."""
    n_fallbacks: int
    """Those that the service could not answer, so that the lexical search did."""
    n_used: int
    """Names that answers use and that searches had shown, counted once an answer."""
    n_used_first: int
    """Those of them that stood first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a group of records amounts to. Shares are in [0, 1]; void counts in none of them."""

    label: str
    """The level, or `all`."""
    n_tasks: int
    n_runs: int
    """Items that were to run: verdicts, void ones and those that are missing."""
    n_graded: int
    n_pass: int
    n_void: int
    n_missing: int
    """Items that were asked for and have no record."""
    n_truncated: int
    n_timed_out: int
    """Answers that processor or waiting time has stopped."""
    n_thought: int
    """Answers that hold reasoning only."""
    n_refused: int
    """Answers that are a refusal by the API's own field for it."""
    n_offered: int
    """Graded items in which tools were offered."""
    text_forms: tuple[tuple[str, int], ...]
    """Forms in which tool calls arrived as text, and in how many items."""
    dialects: tuple[str, ...] = ()
    """What answers were written in, where that was not plain Sema."""
    unproven: tuple[str, ...] = ()
    """Versions of Sema that judged, and on which nobody has proven the suite."""
    void_reasons: tuple[tuple[str, int], ...]
    """Why items are void, the most frequent reason first."""
    n_tool_calls: int
    n_repaired: int
    """Tool calls that did not fit their schema and were understood all the same."""
    n_misfits: int
    """Tool calls that did not fit their schema and were answered with an error."""
    searches: Searches
    pass_rate: float | None
    """None when nothing was graded."""
    interval: tuple[float, float]
    n_tries: int = 0
    """Verdicts that each of the tasks has at least; the k of the next two."""
    pass_at_k: float | None = None
    """Chance that one of k tries passes, over tasks; None when k is below 2."""
    pass_hat_k: float | None = None
    """Chance that all of k tries pass."""
    mean_score: float | None
    tool_calls_per_item: float | None
    n_tokens: int
    cost_usd: float | None
    """None when a price is unknown."""
    seconds_per_item: float | None
    waited_per_item: float | None
    """Seconds that items waited for leave to ask, which are not among the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one model in one configuration, levels first, all last."""

    setup: Setup
    rows: tuple[Row, ...]

    @property
    def total(self) -> Row:
        """The row over all levels."""
        return self.rows[-1]


def make_tables(
    records: Iterable[Record],
    planned: Iterable[PlannedItem] = (),
    levels: Sequence[str] = (),
) -> tuple[Table, ...]:
    """A table for each model and configuration, in order of appearance, of one record an item.

    What is planned and has no record is counted as missing, so that rows add up to what the run
    set out to do. `levels` is their order in the suite, () if that is not known.
    """
    groups: dict[Setup, list[Pairing]] = defaultdict(list)
    for pairing in paired(records, planned):
        groups[pairing[0].item.setup].append(pairing)
    tables = []
    for setup, members in groups.items():
        rows = [
            _row(level or OTHER, [m for m in members if m[0].level == level])
            for level in in_order((entry.level for entry, _ in members), levels)
        ]
        tables.append(Table(setup=setup, rows=(*rows, _row(ALL, members))))
    return tuple(tables)


def _row(label: str, items: Sequence[Pairing]) -> Row:
    records = [record for _, record in items if record is not None]
    graded = [record for record in records if record.graded]
    by_task: dict[str, list[bool]] = defaultdict(list)
    for record in graded:
        by_task[record.task].append(record.passed)
    passes = list(by_task.values())
    n_pass = sum(map(sum, passes))
    n_tasks = len({entry.item.task for entry, _ in items})
    k = min(map(len, passes)) if len(passes) == n_tasks else 0
    repeated = passes if k > 1 else []
    scores = [record.score for record in graded if record.score is not None]
    # A void item may have been paid for as well, but that it has no price says nothing.
    costs = [r.cost_usd for r in records if r.graded or r.cost_usd is not None]
    return Row(
        label=label,
        n_tasks=n_tasks,
        n_runs=len(items),
        n_graded=len(graded),
        n_pass=n_pass,
        n_void=len(records) - len(graded),
        n_missing=len(items) - len(records),
        n_truncated=sum(record.reason is Reason.TRUNCATED for record in graded),
        n_timed_out=sum(record.reason is Reason.TIME for record in graded),
        n_thought=sum(record.stop is Stop.THOUGHT for record in graded),
        n_refused=sum(record.stop is Stop.REFUSED for record in graded),
        n_offered=sum(bool(record.offered) for record in graded),
        text_forms=tuple(Counter(_text_forms(records)).most_common()),
        dialects=tuple(sorted({r.dialect for r in graded if r.dialect})),
        unproven=tuple(sorted({v for r in graded if (v := unproven_version(r.vm))})),
        void_reasons=tuple(
            Counter(record.reason for record in records if not record.graded).most_common()
        ),
        n_tool_calls=sum(sum(record.tool_calls.values()) for record in records),
        n_repaired=sum(record.repairs for record in records),
        n_misfits=sum(record.misfits for record in records),
        searches=_searches(records),
        pass_rate=n_pass / len(graded) if graded else None,
        interval=clustered_interval([sum(p) / len(p) for p in passes], [len(p) for p in passes]),
        n_tries=k,
        pass_at_k=_mean([pass_at_k(sum(p), len(p), k) for p in repeated]),
        pass_hat_k=_mean([pass_hat_k(sum(p), len(p), k) for p in repeated]),
        mean_score=_mean(scores),
        tool_calls_per_item=_mean([sum(record.tool_calls.values()) for record in graded]),
        n_tokens=sum(record.tokens.total for record in records),
        cost_usd=None
        if None in costs or not costs
        else sum(cost for cost in costs if cost is not None),
        seconds_per_item=_mean([record.latency_s for record in graded]),
        waited_per_item=_mean([record.waited_s for record in graded]),
    )


def _text_forms(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        for label in record.adaptations:
            name, _, form = label.partition("=")
            if name == TEXT_TOOL_CALLS:
                yield form


def _searches(records: Sequence[Record]) -> Searches:
    docs = [record.docs for record in records if record.docs]
    ranks = [rank for use in docs for rank in use["used"].values()]
    return Searches(
        n_searches=sum(use["searches"] for use in docs),
        n_empty=sum(use["empty"] for use in docs),
        n_fallbacks=sum(use["fallbacks"] for use in docs),
        n_used=len(ranks),
        n_used_first=ranks.count(1),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
