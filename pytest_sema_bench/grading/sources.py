"""What the interpreter of one case is given, one source after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_sema_bench.grading.prepare import Prepared
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.sema.names import DEFINERS
from pytest_sema_bench.sema.reader import ReadError, read_forms
from pytest_sema_bench.suite.task import GradeKind, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSources:
    """The sources of one case, in the order in which they are evaluated."""

    before: tuple[str, ...]
    """The probe, what the case gives, what keeps its names, what watches those of the rules."""
    i_given: int | None
    """Which of them is what the case gives; None if it gives nothing."""
    blocks: tuple[str, ...]
    """The answer; of an expression all blocks but the last."""
    after: tuple[str, ...]
    """What puts names back for the call."""
    calls: tuple[str, ...]
    """The call, as often as it is made; of an expression its last block."""

    @property
    def in_order(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.before, *self.blocks, *self.after, *self.calls)


def make_sources(
    task: Task,
    index: int,
    blocks: tuple[str, ...],
    prepared: Prepared,
    probe: Probe,
    read: Callable[[str], str],
) -> CaseSources:
    """The sources of the case at `index` for an answer; `read` wraps what is to be evaluated."""
    scope, rules = prepared.scopes[index], prepared.rules
    before = [probe.source(rules.flags(probe)), scope.lend(probe)]
    if scope.given is not None:
        # It has a source of its own, as in the plain VM: what it cannot run is the task's fault.
        before = [_joined(before), scope.given.fill(probe), scope.keep(probe)]
    else:
        before = [_joined([*before, scope.keep(probe)])]
    before = [*filter(None, before), *rules.sources(probe)]
    i_given = None if scope.given is None else 1
    if scope.call is None:
        last = with_last_form(blocks[-1], read)
        return CaseSources(
            before=tuple(before), i_given=i_given, blocks=blocks[:-1], after=(), calls=(last,)
        )
    twice = task.kind is GradeKind.PROGRAM and task.reference is not None
    return CaseSources(
        before=tuple(before),
        i_given=i_given,
        blocks=blocks,
        after=scope.restore(probe),
        calls=(scope.call_source(probe, read),) * (2 if twice else 1),
    )


def plain_sources(task: Task, index: int, blocks: tuple[str, ...]) -> tuple[str, ...]:
    """The case as one would try it by hand: what it gives, the answer, the call."""
    case = task.cases[index]
    return tuple(text for text in (case.given, *blocks, case.call) if text is not None)


def _joined(sources: Sequence[str]) -> str:
    return "\n".join(filter(None, sources))


def with_last_form(block: str, read: Callable[[str], str]) -> str:
    """The block with its last form wrapped; unchanged if it has none with a value."""
    try:
        forms = read_forms(block)
    except ReadError:
        return block
    if not forms or forms[-1].head in DEFINERS:
        return block
    last = forms[-1]
    return f"{block[: last.start]}{read(block[last.start : last.end])}"
