"""What a run or a baseline says about each task, stripped to what comparing two of them needs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.items import Pairing, PlannedItem, paired
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import SuiteId, one_suite

_version = attrgetter("task_hash", "vm", "dialect", "grader")
"""Of a record or a result: only what is the same in these can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One try at a task. What a baseline file does not keep is None or empty."""

    number: int
    outcome: Outcome
    reason: Reason | Void
    cost_usd: float | None = None
    n_tokens: int | None = None
    rounds: int | None = None
    repaired: bool | None = None
    """See Record.repaired."""
    first_parses: bool | None = None
    """See Record.first_parses."""
    tool_calls: tuple[tuple[str, int], ...] = ()
    vm_errors: tuple[str, ...] = ()
    """Classes of the VM errors that the model's code met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """All samples of one task, graded alike."""

    task: str
    level: str | None
    category: str | None
    task_hash: str | None = None
    """None while there is no record."""
    vm: str | None = None
    grader: int | None = None
    """These two are None while nothing was graded."""
    dialect: str | None = None
    """None for plain Sema."""
    samples: tuple[Sample, ...]

    @property
    def graded(self) -> tuple[Sample, ...]:
        """The samples that have a verdict."""
        return tuple(sample for sample in self.samples if sample.outcome is not Outcome.VOID)

    @property
    def n_pass(self) -> int:
        """How many samples passed."""
        return sum(sample.outcome is Outcome.PASS for sample in self.samples)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why samples did not pass, the most frequent first."""
        counts = Counter(s.reason for s in self.samples if s.outcome is Outcome.FAIL)
        return tuple(reason for reason, _ in counts.most_common())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What items took, and which errors they met, in all. None where it is not known."""

    n_items: int
    cost_usd: float | None
    n_tokens: int | None
    tool_calls: tuple[tuple[str, int], ...] = ()
    vm_errors: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What a baseline file and a comparison's JSON say of it."""
        told = {**asdict(self), "tool_calls": dict(self.tool_calls)}
        return {**told, "vm_errors": dict(self.vm_errors)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The results of one model in one configuration, by task id, sorted."""

    setup: Setup
    tasks: tuple[TaskResult, ...]
    kept_usage: Usage | None = None
    """What a baseline file remembers of all its items together."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """The labels of prompt, tools, docs and configuration; without those that are not known."""

    @property
    def name(self) -> str:
        """`kimi-k2.6-tools`, as in item names."""
        return self.setup.name

    @property
    def n_samples(self) -> int:
        """The largest number of samples that a task was to have."""
        return max((len(task.samples) for task in self.tasks), default=0)

    def by_task(self) -> dict[str, TaskResult]:
        """The results under their task ids."""
        return {task.task: task for task in self.tasks}

    def usage(self, tasks: Iterable[str]) -> Usage:
        """What these tasks took; of a baseline file what all of it took."""
        if self.kept_usage is not None:
            return self.kept_usage
        chosen = set(tasks)
        return _usage([s for t in self.tasks if t.task in chosen for s in t.graded])


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A run, several merged, or a baseline."""

    source: str
    """Where they were read from, as the user wrote it."""
    run: str | None = None
    date: str | None = None
    """Start of the run, ISO 8601."""
    suite: SuiteId | None = None
    """None where the tasks are of no suite, or nobody wrote it down."""
    levels: tuple[str, ...] = ()
    """Those of the suite, in order; () if that is not known."""
    groups: tuple[Group, ...]
    incomplete: str | None = None
    """Why the run did not get to its end; None if it did, or if that is not known."""

    @property
    def is_graded(self) -> bool:
        """Whether anything in it has a verdict."""
        return any(task.graded for group in self.groups for task in group.tasks)


def group_records(
    records: Iterable[Record],
    planned: Iterable[PlannedItem] = (),
    asked: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Group, ...]:
    """The groups of records, one for each item; what is planned without one is a void sample.

    `asked` has, by `model-config`, what run.json says of what was asked.
    """
    groups: dict[Setup, dict[str, list[Pairing]]] = defaultdict(lambda: defaultdict(list))
    for pairing in sorted(paired(records, planned), key=lambda pairing: pairing[0].item):
        item = pairing[0].item
        groups[item.setup][item.task].append(pairing)
    return tuple(
        Group(
            setup=setup,
            tasks=tuple(_task_result(*task) for task in groups[setup].items()),
            asked=(asked or {}).get(setup.name, {}),
        )
        for setup in sorted(groups)
    )


def merge(parts: Sequence[Results]) -> Results:
    """Several runs as one: shards, or models that ran on different days.

    Raises BenchError if two of them graded the same item, or are of different suites.
    """
    if len(parts) == 1:
        return parts[0]
    suite = one_suite((part.source, part.suite) for part in parts)
    groups: dict[Setup, dict[str, TaskResult]] = defaultdict(dict)
    asked: dict[Setup, dict[str, str]] = defaultdict(dict)
    for part in parts:
        for group in part.groups:
            for name, label in group.asked.items():
                # Two labels make a third: such a run is like neither of its parts.
                before = asked[group.setup].get(name, label)
                asked[group.setup][name] = label if label == before else f"{before} and {label}"
            known = groups[group.setup]
            for task in group.tasks:
                other = known.get(task.task)
                known[task.task] = _join(other, task, group.name, parts) if other else task
    incomplete = [f"{part.source}: {part.incomplete}" for part in parts if part.incomplete]
    return Results(
        source=" + ".join(part.source for part in parts),
        run=None,
        date=max((part.date for part in parts if part.date), default=None),
        suite=suite,
        levels=max((part.levels for part in parts), key=len),
        groups=tuple(
            Group(
                setup=setup,
                tasks=tuple(tasks[name] for name in sorted(tasks)),
                asked=asked[setup],
            )
            for setup, tasks in sorted(groups.items())
        ),
        incomplete="; ".join(incomplete) or None,
    )


def _task_result(task: str, items: Sequence[Pairing]) -> TaskResult:
    """One task's samples; what was graded unlike the last graded one counts as void."""
    graded = [record for _, record in items if record is not None and record.graded]
    last = graded[-1] if graded else None
    known = last or next((record for _, record in items if record is not None), None)
    return TaskResult(
        task=task,
        level=items[0][0].level,
        category=known.category if known else None,
        task_hash=known.task_hash if known else None,
        vm=last.vm if last else None,
        grader=last.grader if last else None,
        dialect=known.dialect if known else None,
        samples=tuple(
            sample_of(record, last)
            if record is not None
            else Sample(number=entry.item.sample, outcome=Outcome.VOID, reason=Void.MISSING)
            for entry, record in items
        ),
    )


def sample_of(record: Record, last: Record | None = None) -> Sample:
    """The sample of a record, which is void if it was graded unlike the `last` one of its task."""
    outcome, reason = record.outcome, record.reason
    if record.graded and last is not None and _version(record) != _version(last):
        outcome, reason = Outcome.VOID, Void.UNLIKE
    return Sample(
        number=record.sample,
        outcome=outcome,
        reason=reason,
        cost_usd=record.cost_usd,
        n_tokens=record.tokens.total,
        rounds=record.rounds,
        repaired=record.repaired,
        first_parses=record.first_parses,
        tool_calls=tuple(sorted(record.tool_calls.items())),
        vm_errors=tuple(error["class"] for error in record.vm_errors),
    )


def _usage(samples: Sequence[Sample]) -> Usage:
    costs = [sample.cost_usd for sample in samples]
    tokens = [sample.n_tokens for sample in samples]
    calls, errors = Counter[str](), Counter[str]()
    for sample in samples:
        calls.update(dict(sample.tool_calls))
        errors.update(sample.vm_errors)
    return Usage(
        n_items=len(samples),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        n_tokens=None if None in tokens else sum(n for n in tokens if n is not None),
        tool_calls=tuple(sorted(calls.items())),
        vm_errors=tuple(errors.most_common()),
    )


def _join(one: TaskResult, other: TaskResult, name: str, parts: Sequence[Results]) -> TaskResult:
    """Two shards' samples of a task; a graded sample replaces a void one."""
    numbers = {sample.number for sample in one.graded} & {s.number for s in other.graded}
    alike = not one.graded or not other.graded or _version(one) == _version(other)
    if numbers or not alike:
        what = f"sample {min(numbers)}" if numbers else "another version"
        raise BenchError(
            f"{' and '.join(part.source for part in parts)} cannot be taken as one run: both hold "
            f"{what} of {one.task} by {name}; compare them one at a time"
        )
    samples = {sample.number: sample for sample in (*one.samples, *other.samples)}
    samples |= {sample.number: sample for sample in (*one.graded, *other.graded)}
    return replace(
        one if one.graded else other,
        samples=tuple(samples[number] for number in sorted(samples)),
    )
