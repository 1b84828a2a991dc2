"""From sources to the rows of a data set: what is kept, on which side, and why the rest is not.

In this order, the cheap before the dear: what the format has no place for, the same program a
second time, what the VM contradicts, what gives a task of a benchmark away, near copies; then
the shares, then the split.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

from pytest_sema_bench.dataset.duplicates import clusters, similar_pairs
from pytest_sema_bench.dataset.formats import Format, Unfit, asked, check_record
from pytest_sema_bench.dataset.leak_run import Solver
from pytest_sema_bench.dataset.leak_text import Leak, Texts
from pytest_sema_bench.dataset.normal import normal
from pytest_sema_bench.dataset.prove import disproof
from pytest_sema_bench.dataset.row import BENCHMARK, Row
from pytest_sema_bench.dataset.spec import Spec, read_source
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.records.transcript import message_text
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks

T = TypeVar("T")
_AT_A_TIME = 16
_SAME_SIDE = 0.5
"""Programs that are at least so similar are not parted by the split."""


class Why(Enum):
    """The filters, in their order."""

    UNFIT = "not for this format"
    TWIN = "the same program"
    UNPROVEN = "the VM contradicts it"
    LEAK = "gives a task away"
    NEAR = "nearly the same program"
    SHARE = "more than its share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A row that was left out."""

    row: Row
    source: str
    why: Why
    detail: str = ""
    task: str | None = None
    """The task that it gives away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The rows of a data set."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    dropped: tuple[Dropped, ...]
    found: dict[str, int]
    """Rows read, by source."""
    kept: dict[str, int]
    binding: str | None
    """The source that has too few rows for more of the others; None if `rows` was reached."""


@dataclass(frozen=True, slots=True)
class _Item:
    source: str
    row: Row


def tasks_to_keep_out(suites: Iterable[Path]) -> tuple[Task, ...]:
    """The tasks of all bundled suites and of some more. Raises TaskError, SettingsError."""
    bundled = [suite_folder(name) for name in bundled_suites()]
    return tuple(t for folder in [*bundled, *map(suite_folder, suites)] for t in load_tasks(folder))


async def mix(spec: Spec, form: Format, tasks: Sequence[Task], vm: SemaVM) -> Mixture:
    """The rows that a specification asks for. Raises FileError, TaskError and VMError."""
    items = [_Item(source.name, row) for source in spec.sources for row in read_source(source)]
    found = _counts(spec, items)
    dropped: list[Dropped] = []
    items = _kept(
        items, Why.UNFIT, [_unfit(form, item.row, spec.system) for item in items], dropped
    )
    # From here on a row says what is asked, whatever names the documentation may know later.
    items = [_Item(item.source, _with_prompt(item.row)) for item in items]
    items = _kept(items, Why.TWIN, _twins(items), dropped)
    wrong = await _each(items, lambda item: disproof(item.row, vm))
    items = _kept(items, Why.UNPROVEN, wrong, dropped)
    items = _kept(items, Why.LEAK, await leaks([i.row for i in items], tasks, vm), dropped)
    programs = [_tokens(item.row) for item in items]
    pairs = [(i, j) for i, j, similarity in similar_pairs(programs, spec.near)]
    first = clusters(len(items), iter(pairs))
    near = [None if k == i else f"as {items[k].row.id}" for i, k in enumerate(first)]
    items = _kept(items, Why.NEAR, near, dropped)
    items, left, binding = _by_share(spec, items)
    dropped += [Dropped(row=i.row, source=i.source, why=Why.SHARE) for i in left]
    train, validation = _split(spec, items)
    return Mixture(
        train=tuple(item.row for item in train),
        validation=tuple(item.row for item in validation),
        dropped=tuple(dropped),
        found=found,
        kept=_counts(spec, items),
        binding=binding,
    )


async def leaks(rows: Sequence[Row], tasks: Sequence[Task], vm: SemaVM) -> list[Leak | None]:
    """For each row the task that it gives away. Rows of the benchmark, asked for, give none."""
    texts, solver = Texts(tasks=tasks), Solver(tasks, vm)
    await solver.prepare()

    async def leak(row: Row) -> Leak | None:
        if BENCHMARK in row.tags:
            return None
        said = [message_text(m) for m in row.messages if m["role"] == "user"]
        prompt = "\n".join(filter(None, [row.prompt, *said]))
        return texts.leak(row.code, prompt) or await solver.leak(row.code, row.value)

    return await _each(rows, leak)


def _kept(
    items: Sequence[_Item],
    why: Why,
    faults: Sequence[str | Leak | None],
    dropped: list[Dropped],
) -> list[_Item]:
    """The items without a fault; the others are put into the account of what is left out."""
    kept = []
    for item, fault in zip(items, faults, strict=True):
        if fault is None:
            kept.append(item)
            continue
        detail, task = (fault.why, fault.task) if isinstance(fault, Leak) else (fault, None)
        dropped.append(Dropped(row=item.row, source=item.source, why=why, detail=detail, task=task))
    return kept


S = TypeVar("S")


async def _each(things: Sequence[S], work: Callable[[S], Awaitable[T]]) -> list[T]:
    """The work on each thing, some at a time."""
    free = asyncio.Semaphore(_AT_A_TIME)

    async def one(thing: S) -> T:
        async with free:
            return await work(thing)

    return await asyncio.gather(*map(one, things))


def _counts(spec: Spec, items: Iterable[_Item]) -> dict[str, int]:
    counts = {source.name: 0 for source in spec.sources}
    for item in items:
        counts[item.source] += 1
    return counts


def _unfit(form: Format, row: Row, system: str | None) -> str | None:
    try:
        for record in form.records(row, system):
            check_record(Path(), 1, record, form)
    except Unfit as why:
        return str(why)
    except FileError as error:
        return error.message
    return None


def _with_prompt(row: Row) -> Row:
    return row if row.messages else replace(row, prompt=asked(row))


def _tokens(row: Row) -> tuple[str, ...]:
    """What a row is compared by: its program, and in a trace all that was said."""
    found = normal(row.code)
    said = " ".join(str(m.get("content")) for m in (*row.messages, *row.dispreferred)).split()
    return (*(found.numbered if found else row.code.split()), *said)


def _twins(items: Sequence[_Item]) -> list[str | None]:
    seen: dict[tuple[str, ...], str] = {}
    first = [seen.setdefault(_tokens(item.row), item.row.id) for item in items]
    met: set[str] = set()
    faults: list[str | None] = []
    for original in first:
        faults.append(f"as {original}" if original in met else None)
        met.add(original)
    return faults


def _by_share(spec: Spec, items: Sequence[_Item]) -> tuple[list[_Item], list[_Item], str | None]:
    """The items chosen by the shares, those left over, and the source that bounds them."""
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        by_source[item.source].append(number)
    room = {source.name: len(by_source[source.name]) / source.share for source in spec.sources}
    scarce = min(room, key=lambda name: room[name])
    total, binding = room[scarce], spec.rows is None or spec.rows > room[scarce]
    if spec.rows is not None and not binding:
        total = spec.rows
    dice, chosen = random.Random(f"{spec.seed} shares"), set[int]()  # noqa: S311 - reproducible
    for source in spec.sources:
        numbers = by_source[source.name]
        chosen.update(dice.sample(numbers, min(len(numbers), round(total * source.share))))
    kept = [item for number, item in enumerate(items) if number in chosen]
    left = [item for number, item in enumerate(items) if number not in chosen]
    return kept, left, scarce if binding else None


def _split(spec: Spec, items: Sequence[_Item]) -> tuple[list[_Item], list[_Item]]:
    """Train and validation; families and similar programs stay together."""
    programs = [_tokens(item.row) for item in items]
    held = [(i, j) for i, j, _ in similar_pairs(programs, _SAME_SIDE)]
    first: dict[str, int] = {}
    held += [(i, first.setdefault(item.row.family, i)) for i, item in enumerate(items)]
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(clusters(len(items), iter(held))):
        groups[group].append(i)
    order = sorted(groups)
    random.Random(f"{spec.seed} split").shuffle(order)  # noqa: S311 - reproducible
    # By source, so that each is held back in part; a group goes by its first row.
    wanted = {name: spec.validation * n for name, n in _counts(spec, items).items()}
    chosen: set[int] = set()
    for group in order:
        name, size = items[group].source, len(groups[group])
        if wanted[name] >= size - 0.5:
            wanted[name] -= size
            chosen.update(groups[group])
    train = [item for i, item in enumerate(items) if i not in chosen]
    return train, [item for i, item in enumerate(items) if i in chosen]
