"""Programs run on the VM, and an account of all that was found: what is kept, what not, and why.

A program is kept if it keeps to itself (`effects`), ends as its source says that it does, and does
the same each of three times. Nothing is lost without a reason: found is kept and dropped.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from pytest_sema_bench.dataset.effects import effect_of
from pytest_sema_bench.dataset.row import Row, RowError, Source
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM
from pytest_sema_bench.settings import Limits

N_RUNS = 3
LIMITS = Limits(cpu_s=5.0, output_bytes=20_000)
"""Of each run: what a row says was said under them."""
_BY_LIMITS = frozenset({ErrorClass.STEPS, ErrorClass.MEMORY, ErrorClass.TIME})
"""Errors of which the limits of this run are to blame."""


class End(Enum):
    """How a program must end to be kept."""

    VALUE = "value"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A program as its source has it, before the VM has seen it."""

    place: str
    """Where it stands, for people."""
    source: Source
    licence: str
    family: str
    prompt: str | None = None
    code: str
    tags: tuple[str, ...] = ()
    end: End = End.VALUE
    expected: str | None = None
    """The value that its source tells, in the words of `str` or of the VM; of an error a part."""

    def row(self, done: Evaluation, vm: str) -> Row:
        """The row, with what the VM made of it."""
        error = None
        if done.error is not None:
            error = RowError(kind=done.error_class or ErrorClass.OTHER, message=done.error)
        return Row(
            source=self.source,
            licence=self.licence,
            family=self.family,
            prompt=self.prompt,
            code=self.code,
            value=done.value,
            output=done.output,
            error=error,
            vm=vm,
            tags=self.tags,
        )


@dataclass(slots=True, kw_only=True)
class Sifting:
    """The account of one source."""

    kept: list[Row] = field(default_factory=list)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    """The places of what was dropped, by the reason."""

    @property
    def n_found(self) -> int:
        """All that there was."""
        return len(self.kept) + sum(map(len, self.dropped.values()))

    def drop(self, why: str, place: str) -> None:
        """Leave one out."""
        self.dropped.setdefault(why, []).append(place)


async def prove(drafts: Iterable[Draft], vm: SemaVM, sifting: Sifting) -> None:
    """Run the programs, and put each into the account, in their order. Raises VMError."""
    seen: set[str] = set()
    jobs: list[Draft] = []
    for draft in drafts:
        if not draft.code.strip():
            sifting.drop("there is no code", draft.place)
        elif draft.code in seen:
            sifting.drop("the same code a second time", draft.place)
        elif effect := effect_of(draft.code):
            sifting.drop(f"uses {effect.partition(' ')[0]}", f"{draft.place} {effect}")
        else:
            seen.add(draft.code)
            jobs.append(draft)
    version = (await vm.info()).version
    for draft, found in zip(jobs, await asyncio.gather(*(_run(d, vm) for d in jobs)), strict=True):
        if isinstance(found, str):
            sifting.drop(found, draft.place)
        else:
            sifting.kept.append(draft.row(found, version))


async def _run(draft: Draft, vm: SemaVM) -> Evaluation | str:
    """What the program does each time, or why it is dropped."""
    (first,) = await vm.evaluate([draft.code], LIMITS)
    if why := _fault(draft, first):
        return why
    again = await asyncio.gather(*(vm.evaluate([draft.code], LIMITS) for _ in range(N_RUNS - 1)))
    if any(evaluations != (first,) for evaluations in again):
        return "does not do the same each time"
    return first


def _fault(draft: Draft, done: Evaluation) -> str | None:
    if done.error_class in _BY_LIMITS:
        return f"is stopped by a limit ({done.error_class.value})"
    if draft.end is End.ERROR:
        if done.error is None:
            return "gives a value where an error is expected"
        told = (draft.expected or "").lower() in done.error.lower()
        return None if told else "ends in another error than its source tells"
    if done.error_class is not None:
        return f"ends in an error ({done.error_class.value})"
    if draft.expected is not None and not same_text(done.value, draft.expected):
        return "does not give the value that its source tells"
    return None


def same_text(value: str | None, expected: str) -> bool:
    """Whether a printed value is the expected one; a string may be told without its quotes."""
    told = [value or "nil"]
    try:
        told.append(str(json.loads(told[0], strict=False)))
    except ValueError:
        pass
    # Not every backend breaks a long value into lines.
    return any(text.split() == expected.split() for text in told)


async def disproof(row: Row, vm: SemaVM) -> str | None:
    """In what the VM contradicts a row, None if in nothing. Raises VMError."""
    (done,) = await vm.evaluate([row.code], LIMITS)
    told = None if row.error is None else row.error.kind
    if done.error_class is not told:
        found = f"error ({done.error_class.value}) {done.error}" if done.error_class else "value"
        return f"the VM gives {found:.200}; the row says {told.value if told else 'a value'}"
    # Not every backend breaks a long value into lines.
    if (done.value or "nil").split() != (row.value or "nil").split():
        return f"the VM gives {done.value or 'nil':.200}; the row says {row.value or 'nil':.200}"
    if done.output != row.output:
        return f"the VM prints {list(done.output)!r:.200}; the row says {list(row.output)!r:.200}"
    return None


def sorted_reasons(sifting: Sifting) -> Sequence[tuple[str, list[str]]]:
    """The reasons, the most frequent first."""
    return sorted(sifting.dropped.items(), key=lambda entry: (-len(entry[1]), entry[0]))
