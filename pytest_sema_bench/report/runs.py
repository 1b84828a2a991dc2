"""Run folders as the report reads them: several become one, and what differs is named."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.records.identity import ItemKey
from pytest_sema_bench.records.items import PlannedItem, paired
from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import in_order, one_suite

_NAMED = 3
"""How many tasks or models a note names before it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportItem:
    """One item, with its record if there is one."""

    planned: PlannedItem
    record: Record | None
    folder: Path
    """The run folder that the record, and its transcript, stand in."""

    @property
    def item(self) -> ItemKey:
        """Which item."""
        return self.planned.item

    @property
    def model(self) -> str:
        """Model and configuration: `kimi-k2.6-tools`."""
        return self.item.setup.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One run or several, as one."""

    runs: tuple[RunData, ...]
    """Oldest first."""
    entries: tuple[ReportItem, ...]
    """One for each item, by model in order of appearance, then by task and sample."""
    levels: tuple[str, ...] = ()
    """Those of the suite, in order; () if that is not known."""
    notes: tuple[str, ...]
    """What a reader has to know: what is missing, what differs between the runs."""

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that count."""
        return tuple(entry.record for entry in self.entries if entry.record is not None)

    @property
    def planned(self) -> tuple[PlannedItem, ...]:
        """All items."""
        return tuple(entry.planned for entry in self.entries)

    @property
    def _asked(self) -> dict[str, Mapping[str, str]]:
        return {name: of for run in self.runs for name, of in run.manifest.asked.items()}

    def results(self) -> Results:
        """The same for `compare` and the gate."""
        states = [(run.name, run.manifest.unfinished) for run in self.runs]
        return Results(
            source=" + ".join(str(run.path) for run in self.runs),
            run=self.runs[0].name if len(self.runs) == 1 else None,
            date=self.runs[-1].manifest.start,
            suite=next((run.suite for run in reversed(self.runs) if run.suite), None),
            levels=self.levels,
            groups=group_records(self.records, self.planned, self._asked),
            incomplete="; ".join(f"{name} is {state}" for name, state in states if state) or None,
        )


def merge_runs(runs: Sequence[RunData]) -> Merged:
    """All runs as one: of two records of an item a verdict counts before a void, else the newer.

    Raises SettingsError for runs of different suites.
    """
    one_suite((str(run.path), run.suite) for run in runs)
    ordered = sorted(runs, key=lambda run: run.manifest.start or "")
    entries: dict[ItemKey, ReportItem] = {}
    n_replaced = 0
    for run in ordered:
        for planned, record in paired(run.records, run.items):
            known = entries.get(planned.item)
            before = known.record if known else None
            n_replaced += bool(before and record)
            wins = record and (record.graded or not before or not before.graded)
            if known is None or wins:
                entry = ReportItem(planned=planned, record=record, folder=run.path)
                entries[planned.item] = entry
    ranks = {setup: rank for rank, setup in enumerate(dict.fromkeys(k.setup for k in entries))}
    suite = tuple(dict.fromkeys(level for run in ordered for level in run.manifest.levels))
    levels = in_order((entry.planned.level for entry in entries.values()), suite)
    kept = sorted(
        entries.values(),
        key=lambda e: (
            *(ranks[e.item.setup], levels.index(e.planned.level)),
            *(e.item.task, e.item.sample),
        ),
    )
    notes = _notes(ordered, [entry.record for entry in kept if entry.record], n_replaced)
    return Merged(runs=tuple(ordered), entries=tuple(kept), levels=suite, notes=tuple(notes))


def _notes(runs: Sequence[RunData], records: Sequence[Record], n_replaced: int) -> Iterator[str]:
    for run in runs:
        if state := run.manifest.unfinished:
            yield f"Run {run.name} did not get to its end (its state is {state})."
    if n_replaced:
        yield (
            f"{n_replaced} records stand in more than one of these runs: "
            "a verdict counts before a void one, else the newer run."
        )
    graded = [record for record in records if record.graded]
    yield from _mixed("VMs", graded, lambda record: record.vm)
    yield from _mixed("dialects", graded, lambda record: record.dialect)
    yield from _mixed("graders", graded, lambda record: record.grader)
    changed = _several(graded, lambda r: r.task, lambda r: r.task_hash)
    if changed:
        yield (
            f"Not everyone was asked the same: {_named(changed)} "
            f"{'stand' if len(changed) > 1 else 'stands'} here in more than one version."
        )
    for what, value in (
        ("served as", lambda r: r.served_model),
        ("asked at", lambda r: r.provider),
    ):
        for model, values in _several(graded, lambda r: r.setup.name, value).items():
            yield f"{model} was {what} {_named(values)}."


def _mixed(
    what: str, records: Sequence[Record], value: Callable[[Record], object]
) -> Iterator[str]:
    counts = Counter(str(value(record)) for record in records)
    if len(counts) > 1:
        listed = ", ".join(f"{name} ({n} records)" for name, n in counts.most_common())
        yield f"Graded by different {what}, so verdicts may differ for that alone: {listed}."


def _several(
    records: Sequence[Record],
    group: Callable[[Record], str],
    value: Callable[[Record], str | None],
) -> dict[str, list[str]]:
    """Groups in which the value is not the same everywhere, with the values."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if (text := value(record)) is not None:
            found[group(record)].add(text)
    return {name: sorted(values) for name, values in found.items() if len(values) > 1}


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_NAMED])
    return shown if len(listed) <= _NAMED else f"{shown} and {len(listed) - _NAMED} more"
