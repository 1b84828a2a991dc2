"""From what came of an item to its record: the verdict, or why there is none."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sema_bench.agent.loop import AgentRun
from pytest_sema_bench.catalog.models import Price
from pytest_sema_bench.docsearch.usage import docs_use
from pytest_sema_bench.errors import (
    BudgetSpent,
    ModelError,
    NoRecording,
    NotAsked,
    TaskError,
    VMError,
)
from pytest_sema_bench.grading import Verdict
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.records.outcome import Outcome, Stop, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Call, Tokens
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.sema.vm import VMInfo

_VOIDS: tuple[tuple[type[BaseException], Void], ...] = (
    (NotAsked, Void.NOT_ASKED),
    (BudgetSpent, Void.BUDGET),
    (NoRecording, Void.RECORDING),
    (ModelError, Void.API),
    (VMError, Void.VM),
    (TaskError, Void.TASK),
)


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """Why an item says nothing about the model."""

    void: Void
    detail: str
    trace: str | None = None
    """Of what should not happen."""

    @classmethod
    def because(cls, error: BaseException) -> "NoVerdict":
        """The reason that an exception gives."""
        for kind, void in _VOIDS:
            if isinstance(error, kind):
                return cls(void, str(error))
        trace = "".join(traceback.format_exception(error))
        return cls(Void.INTERNAL, f"{type(error).__name__}: {error}", trace)


def make_record(
    item: WorkItem,
    run: AgentRun | None,
    end: Verdict | NoVerdict,
    *,
    latency_s: float,
    vm: VMInfo,
) -> Record:
    """The record of an item; `run` is what there is of the conversation, None if nothing is."""
    calls = run.transcript.calls if run else ()
    verdict = end if isinstance(end, Verdict) else None
    failures = [failure.as_json("tool") for failure in (run.failures if run else ())]
    if verdict:
        failures += verdict.vm_errors()
    return Record(
        key=item.key,
        task=item.task.id,
        suite=item.task.suite.id if item.task.suite else None,
        level=item.task.level,
        category=item.task.category,
        model=item.model.name,
        config=item.config.name,
        sample=item.sample,
        outcome=verdict.outcome if verdict else Outcome.VOID,
        reason=end.reason if isinstance(end, Verdict) else end.void,
        detail=end.detail or _why_empty(run),
        score=verdict.score if verdict else None,
        answer=run.answer if run and run.stop else None,
        cases=[case.as_json() for case in verdict.cases] if verdict else [],
        vm_errors=failures,
        offered=list(item.config.tools),
        tool_calls=run.tool_calls if run else {},
        rounds=run.rounds if run else 0,
        stop=run.stop if run else None,
        tokens=run.tokens if run else Tokens(),
        cost_usd=_cost_usd(calls, item.model.price) if run else None,
        latency_s=round(latency_s, 3),
        retries=run.retries if run else 0,
        repairs=run.n_repairs if run else 0,
        misfits=run.n_misfits if run else 0,
        docs=_docs(run, verdict),
        adaptations=sorted({name for call in calls for name in call.adaptations}),
        served_model=run.served_model if run else None,
        provider=item.model.provider,
        upstream=next((call.upstream for call in reversed(calls) if call.upstream), None),
        vm=vm.label,
        grader=GRADER_VERSION,
        task_hash=item.task.task_hash,
    )


def _docs(run: AgentRun | None, verdict: Verdict | None) -> dict[str, object]:
    """What became of the searches; {} if there were none."""
    if run is None or not run.searches:
        return {}
    return docs_use(verdict.extracted if verdict else (), run.searches).as_json()


def _why_empty(run: AgentRun | None) -> str | None:
    """What there is instead of an answer: a refusal, or a token limit that was used up before."""
    if run is not None and run.stop is Stop.REFUSED:
        return f"the model refused: {run.transcript.messages[-1]['refusal']}"
    if run is None or not run.truncated or run.answer.strip():
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
