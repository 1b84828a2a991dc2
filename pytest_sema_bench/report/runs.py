"""Run folders as the report reads them: several become one, and what differs is named."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.load import read_run_json
from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.records.expected import Expected, expected_items
from pytest_sema_bench.records.folder import RunFolder, read_records
from pytest_sema_bench.records.outcome import RunState
from pytest_sema_bench.records.record import Record

_NAMED = 3
"""How many tasks or models a note names before it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """One run folder."""

    path: Path
    about: dict[str, Any]
    """What run.json says; {} where there is none."""
    records: tuple[Record, ...]
    expected: tuple[Expected, ...]
    """What the run set out to do; () if that is not known."""

    @property
    def name(self) -> str:
        """The run's name, by default that of its folder."""
        return str(self.about.get("run") or self.path.resolve().name)

    @property
    def start(self) -> str:
        """ISO 8601, "" if unknown: runs sort by it."""
        return str(self.about.get("start") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item, with its record if there is one."""

    item: Expected
    record: Record | None = None
    folder: Path
    """The run folder that the record, and its transcript, stand in."""

    @property
    def model(self) -> str:
        """Model and configuration: `kimi-k2.6-tools`."""
        return f"{self.item.model}-{self.item.config}"

    @property
    def label(self) -> str:
        """What the item's address ends with: `kimi-k2.6-tools-s1`."""
        return f"{self.model}-s{self.item.sample}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One run or several, as one."""

    runs: tuple[RunData, ...]
    """Oldest first."""
    entries: tuple[Entry, ...]
    """One for each item, by model in order of appearance, then by task and sample."""
    notes: tuple[str, ...]
    """What a reader has to know: what is missing, what differs between the runs."""

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that count."""
        return tuple(entry.record for entry in self.entries if entry.record is not None)

    @property
    def expected(self) -> tuple[Expected, ...]:
        """All items."""
        return tuple(entry.item for entry in self.entries)

    def results(self) -> Results:
        """The same for `compare` and the gate."""
        states = [f"{run.name} is {run.about['state']}" for run in self.runs if _is_partial(run)]
        return Results(
            source=" + ".join(str(run.path) for run in self.runs),
            run=self.runs[0].name if len(self.runs) == 1 else None,
            date=self.runs[-1].start or None,
            groups=group_records(self.records, self.expected),
            incomplete="; ".join(states) or None,
        )


def read_run(path: Path, records: Sequence[Record] | None = None) -> RunData:
    """The run in a folder, with these records of it if they have been read already.

    Raises BenchError if there is none or a file cannot be read.
    """
    if not path.is_dir():
        raise BenchError(f"there is no run folder {path}")
    if not any(path.glob("records*.jsonl")):
        raise BenchError(f"{path}: no run folder: it holds no records*.jsonl")
    try:
        records = read_records(path) if records is None else records
        items = RunFolder(path).read_items()
        expected = tuple(expected_items(items))
        # What a changed question left behind, before the run was taken up again, does not count.
        keys = {item["key"] for item in items if "key" in item}
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path / 'items.json'}: not a list of items: {error!r}") from error
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error
    return RunData(
        path=path,
        about=read_run_json(path),
        records=tuple(record for record in records if not keys or record.key in keys),
        expected=expected,
    )


def merge_runs(runs: Sequence[RunData]) -> Merged:
    """All runs as one. Of two records of an item a graded one wins over a void one, else the newer.

    Within a run the later line is the newer.
    """
    ordered = sorted(runs, key=lambda run: run.start)
    entries: dict[Expected, Entry] = {}
    n_replaced = 0
    for run in ordered:
        for item in run.expected:
            entries.setdefault(item, Entry(item=item, folder=run.path))
        for record in run.records:
            entry = Entry(item=Expected.of(record), record=record, folder=run.path)
            known = entries.get(entry.item)
            if known is not None and known.record is not None:
                n_replaced += known.folder != run.path
                if known.record.graded and not record.graded:
                    continue
            entries[entry.item] = entry
    models = {model: rank for rank, model in enumerate(dict.fromkeys(map(_model, entries)))}
    kept = sorted(
        entries.values(),
        key=lambda e: (models[_model(e.item)], e.item.level or 99, e.item.task, e.item.sample),
    )
    notes = _notes(ordered, [entry.record for entry in kept if entry.record], n_replaced)
    return Merged(runs=tuple(ordered), entries=tuple(kept), notes=tuple(notes))


def _model(item: Expected) -> tuple[str, str]:
    return item.model, item.config


def _is_partial(run: RunData) -> bool:
    return run.about.get("state") not in (None, RunState.FINISHED)


def _notes(runs: Sequence[RunData], records: Sequence[Record], n_replaced: int) -> Iterator[str]:
    for run in runs:
        if _is_partial(run):
            yield f"Run {run.name} did not get to its end (its state is {run.about['state']})."
    if n_replaced:
        yield (
            f"{n_replaced} records stand in more than one of these runs: "
            "a verdict counts before a void one, else the newer run."
        )
    graded = [record for record in records if record.graded]
    yield from _mixed("VMs", graded, lambda record: record.vm)
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
        for model, values in _several(graded, lambda r: f"{r.model}-{r.config}", value).items():
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
