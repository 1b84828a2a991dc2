"""From what came of an item to its record: the verdict, or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from pytest_sema_bench.agent.loop import AgentRun
from pytest_sema_bench.agent.tools import ToolResult
from pytest_sema_bench.catalog.models import Price
from pytest_sema_bench.dialect import Dialect, speak
from pytest_sema_bench.docsearch.usage import docs_use, foreign_use
from pytest_sema_bench.errors import (
    BudgetSpent,
    ModelError,
    NoRecording,
    NotAsked,
    TaskError,
    VMError,
)
from pytest_sema_bench.grading import Verdict, VMFailure
from pytest_sema_bench.grading.graded import Graded
from pytest_sema_bench.records.outcome import Stop, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Call
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.sema.vm import ErrorClass, VMInfo

_VOIDS: tuple[tuple[type[Exception], Void], ...] = (
    (NotAsked, Void.NOT_ASKED),
    (BudgetSpent, Void.BUDGET),
    (NoRecording, Void.RECORDING),
    (ModelError, Void.API),
    (VMError, Void.VM),
    (TaskError, Void.TASK),
)


def void_verdict(error: Exception) -> Verdict:
    """What an exception says of the answer: nothing, and why. What should not happen is our bug."""
    for kind, void in _VOIDS:
        if isinstance(error, kind):
            return Verdict.void(void, str(error))
    return Verdict.void(Void.INTERNAL, f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Took:
    """How long an item took."""

    latency_s: float
    """Of the conversation: the model, its tools, waits that a server asked for."""
    waited_s: float = 0.0
    """Before that, and within it, for leave to ask: what this machine's other calls cost it."""


def make_record(
    item: WorkItem,
    run: AgentRun,
    verdict: Verdict,
    *,
    took: Took,
    vm: VMInfo,
    right: Sequence[bool | None] = (),
) -> Record:
    """The record of an item; `run` is what there is of the conversation.

    `right` says of each of its tries whether it would have passed, where that was looked at.
    """
    calls = run.transcript.calls
    graded = Graded.of(item.task, verdict, vm.label)
    graded = replace(graded, detail=graded.detail or _why_empty(run))
    return Record(
        key=item.key,
        task=item.task.id,
        suite=item.task.suite.id if item.task.suite else None,
        level=item.task.level,
        category=item.task.category,
        model=item.model.name,
        config=item.config.name,
        sample=item.sample,
        dialect=item.dialect.label if item.dialect else None,
        **graded.in_record(failure.as_json("tool") for failure in run.failures),
        answer=run.answer if run.stop else None,
        tries=[_try_as_json(t, r) for t, r in zip_longest(run.tries, right)],
        foreign=_foreign(run, verdict, vm.version, item.dialect),
        offered=list(item.config.tools or (item.config.mcp and item.config.mcp.command) or ()),
        tool_calls=run.tool_calls,
        rounds=run.rounds,
        stop=run.stop,
        tokens=run.tokens,
        cost_usd=_cost_usd(calls, item.model.price),
        latency_s=round(took.latency_s, 3),
        waited_s=round(took.waited_s, 3),
        retries=run.retries,
        repairs=run.n_repairs,
        misfits=run.n_misfits,
        docs=docs_use(verdict.extracted, run.searches) if run.searches else {},
        adaptations=sorted({name for call in calls for name in call.adaptations}),
        served_model=run.served_model,
        provider=item.model.provider,
        upstream=next((call.upstream for call in reversed(calls) if call.upstream), None),
    )


def _try_as_json(tried: ToolResult, right: bool | None) -> dict[str, Any]:
    failure = tried.failure
    return {
        "class": failure.error_class.value if failure else None,
        "name": failure.name if failure else None,
        "right": right,
    }


def _foreign(
    run: AgentRun, verdict: Verdict, version: str, dialect: Dialect | None
) -> list[dict[str, Any]]:
    answer = speak(dialect, ["\n".join(verdict.extracted)]).plain
    in_answer = [_unbound(case.failure) for case in verdict.cases if case.failure]
    programs = [(speak(dialect, [t.program or ""]).plain, _unbound(t.failure)) for t in run.tries]
    return foreign_use([*programs, *((answer, name) for name in in_answer or [None])], version)


def _unbound(failure: VMFailure | None) -> str | None:
    """The name that a program lacked, if that is what ended it."""
    is_unbound = failure is not None and failure.error_class is ErrorClass.UNBOUND
    return failure.name if failure and is_unbound else None


def _why_empty(run: AgentRun) -> str | None:
    """What there is instead of an answer: a refusal, or a token limit that was used up before."""
    if run.stop is Stop.REFUSED:
        return f"the model refused: {run.transcript.messages[-1]['refusal']}"
    if not run.truncated or run.answer.strip():
        return None
    last = run.transcript.calls[-1].tokens
    if last is None or not last.reasoning:
        return "the token limit was used up before the answer began; raise max_tokens"
    return (
        f"{last.reasoning} of {last.completion} tokens went into reasoning and none was left for "
        "the answer; raise max_tokens"
    )


def _cost_usd(calls: Sequence[Call], price: Price | None) -> float | None:
    """What the calls cost; None when the price or any call's usage is unknown."""
    tokens = [call.tokens for call in calls]
    if price is None:
        return None
    if None in tokens and (price.input_usd or price.output_usd):
        return None
    return round(sum(price.cost_usd(count) for count in tokens if count), 8)
