"""From what came of an item to its record."""

import asyncio
from dataclasses import replace

import pytest

from pytest_sema_bench.agent.loop import AgentRun
from pytest_sema_bench.agent.tools import ToolResult
from pytest_sema_bench.catalog.models import Model, Price
from pytest_sema_bench.errors import (
    BudgetSpent,
    ModelError,
    NoRecording,
    NotAsked,
    VMError,
)
from pytest_sema_bench.grading import Verdict
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Call, Tokens, Transcript
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.outcome import Took, make_record, void_verdict
from pytest_sema_bench.run.resources import EngineOptions, Resources
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.settings import Config, Limits
from pytest_sema_bench.suite.task import Task, load_task
from tests.samples.double_task import write_double_task

PRICE = Price(input_usd=1.0, output_usd=2.0)
VM = VMInfo(backend="wasm", version="1", build="abcdef0123", host="node")
CALL = Call(
    finish_reason="stop",
    served_model="served",
    tokens=Tokens(prompt=1000, completion=100),
    latency_s=0.1,
    retries=2,
    adaptations=("stream",),
    upstream="somebody",
)
RUN = AgentRun(
    answer="the answer",
    stop=Stop.ANSWERED,
    rounds=1,
    tool_calls={"eval_code": 1},
    n_repairs=1,
    transcript=Transcript(calls=(CALL, CALL)),
)
RIGHT = Verdict(outcome=Outcome.PASS, reason=Reason.RIGHT, score=1.0)

VOIDS: dict[str, tuple[Exception, Void]] = {
    "refused before": (NotAsked("why"), Void.NOT_ASKED),
    "money": (BudgetSpent("why"), Void.BUDGET),
    "recording": (NoRecording("why"), Void.RECORDING),
    "server": (ModelError("why"), Void.API),
    "host": (VMError("why"), Void.VM),
    "ours": (KeyError("why"), Void.INTERNAL),
}


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> WorkItem:
    """A task for a model with a price."""
    task: Task = load_task(write_double_task(tmp_path_factory.mktemp("suite")) / "double.yaml")
    model = Model(name="m", id="m", provider="p", base_url=None, price=PRICE)
    return WorkItem(task=task, model=model, config=Config(name="tools"))


def concluded(item: WorkItem, run: AgentRun, verdict: Verdict = RIGHT) -> Record:
    """The record."""
    return make_record(item, run, verdict, took=Took(1.23456, 0.98765), vm=VM)


@pytest.mark.parametrize("name", VOIDS)
def test_what_is_not_the_models_doing_has_a_reason_of_its_own(item: WorkItem, name: str) -> None:
    """Void, without score and answer, and nothing was paid for."""
    error, reason = VOIDS[name]
    record = concluded(item, AgentRun(broken_off_by=error), void_verdict(error))
    assert (record.outcome, record.reason, record.score) == (Outcome.VOID, reason, None)
    assert (record.answer, record.cases, record.cost_usd) == (None, [], 0.0)
    if reason is not Void.INTERNAL:
        assert record.detail == "why"


def test_a_verdict_and_its_conversation_make_a_record(item: WorkItem) -> None:
    """Sums over the calls, and what the last ones said of themselves."""
    record = concluded(item, RUN)
    assert (record.key, record.outcome, record.score) == (item.key, "pass", 1.0)
    assert (record.answer, record.stop) == ("the answer", "answered")
    assert (record.latency_s, record.waited_s) == (1.235, 0.988)
    assert record.tokens == Tokens(prompt=2000, completion=200)
    assert (record.retries, record.repairs, record.rounds) == (4, 1, 1)
    assert (record.adaptations, record.upstream) == (["stream"], "somebody")
    assert record.cost_usd == pytest.approx(2 * (1000 * 1.0 + 100 * 2.0) / 1e6)


def with_tokens(*tokens: Tokens | None) -> AgentRun:
    """The run with one call for each of these."""
    calls = tuple(replace(CALL, tokens=count) for count in tokens)
    return replace(RUN, transcript=Transcript(messages=(), calls=calls))


def test_a_cost_that_is_not_known_is_not_made_up(item: WorkItem) -> None:
    """Without a price or a call's usage there is none, unless everything is free."""
    half_known = with_tokens(Tokens(prompt=1), None)
    assert concluded(item, half_known).cost_usd is None
    free = replace(item, model=replace(item.model, price=Price(input_usd=0.0, output_usd=0.0)))
    assert concluded(free, half_known).cost_usd == 0.0
    unpriced = replace(item, model=replace(item.model, price=None))
    assert concluded(unpriced, RUN).cost_usd is None


REASONED = {
    "reasoning": (Tokens(completion=500, reasoning=499), "499 of 500 tokens went into reasoning"),
    "not counted": (Tokens(completion=500), "the token limit was used up before the answer began"),
    "no usage": (None, "the token limit was used up before the answer began"),
}


@pytest.mark.parametrize("name", REASONED)
def test_an_answer_that_never_began_says_where_the_tokens_went(item: WorkItem, name: str) -> None:
    """An empty answer with a spent budget says so; one with a text does not."""
    tokens, expected = REASONED[name]
    cut = Verdict(outcome=Outcome.FAIL, reason=Reason.TRUNCATED, score=0.0)
    run = replace(with_tokens(tokens), stop=Stop.TRUNCATED, answer=" \n")
    assert str(concluded(item, run, cut).detail).startswith(expected)
    assert concluded(item, replace(run, answer="(define"), cut).detail is None


SLOW = """\
(define (double x)
  (let loop ((i 0) (xs (list))) (if (< i 40000) (loop (+ i 1) (cons i xs)) (* 2 x))))
"""


async def concluded_with(item: WorkItem, program: str, limits: Limits, *, fails: bool) -> Record:
    """The record of an item without an answer that tried a program, on a VM that fails or not."""
    resources = await Resources.open(
        "wasm",
        n_hosts=1,
        n_connections=1,
        options=EngineOptions(),
        limits=limits,
        redactor=Redactor([]),
    )
    if fails:
        await resources.close()
    run = replace(RUN, answer="", tries=(ToolResult(text="", program=program),))
    record, _ = await resources.conclude(item, run, Took(1.0, 0.0))
    await resources.close()
    await resources.close_ledger()
    return record


@pytest.mark.vm
@pytest.mark.parametrize(
    ("program", "limits", "fails", "right"),
    [
        ("(define (double x) (* 2 x))", Limits(), False, True),
        ("(define (double x) x)", Limits(), False, False),
        (SLOW, Limits(cpu_s=0.1), False, None),
        ("(f)", Limits(), True, None),
    ],
    ids=["right", "wrong", "slow", "a VM that fails"],
)
def test_what_a_tool_call_would_have_earned_is_told_where_it_is_known(
    item: WorkItem,
    event_loop_runner: asyncio.Runner,
    program: str,
    limits: Limits,
    fails: bool,
    right: bool | None,
) -> None:
    """Not of one that time stops, which is not tried again as an answer is; the verdict stands."""
    record = event_loop_runner.run(concluded_with(item, program, limits, fails=fails))
    assert (record.outcome, record.reason) == (Outcome.FAIL, Reason.NO_ANSWER)
    assert [tried["right"] for tried in record.tries or ()] == [right]
