"""The engine from end to end: a real server, a real VM, records on disk; right, wrong and void."""

import dataclasses
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.catalog.models import REFERENCE, Model, Price
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.suite.task import Task, load_task
from tests.chat_server import (
    CUT_OFF,
    DRIP,
    DROP,
    HANG,
    ChatServer,
    Request,
    Step,
    call_tool,
    complete,
    raw,
    refuse,
    reply,
    say,
)
from tests.engine_bench import IMPATIENT, KEY, KEY_NAME, TOOLS, EngineBench
from tests.samples.double_task import DOUBLE, RIGHT, WRONG, write_double_task

pytestmark = pytest.mark.vm

PRICE = Price(input_usd=1.0, output_usd=2.0, cached_input_usd=0.1)


@pytest.fixture(scope="module", autouse=True)
def key() -> Iterator[None]:
    """The key stands in the environment, where the engine looks for it."""
    os.environ[KEY_NAME] = KEY
    yield
    del os.environ[KEY_NAME]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBench]:
    """An engine that waits long for replies, shared by the tests whose server answers."""
    bench = EngineBench(tmp_path_factory.mktemp("runs") / "patient")
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def hasty_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBench]:
    """An engine that gives up soon, shared by the tests whose server does not answer."""
    bench = EngineBench(tmp_path_factory.mktemp("runs") / "hasty", patience=IMPATIENT)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A task that asks for `(double n)`."""
    return load_task(write_double_task(tmp_path_factory.mktemp("suite")) / "double.yaml")


def test_a_right_answer_makes_a_complete_record(
    bench: EngineBench, chat_server: ChatServer, task: Task
) -> None:
    """Every field says what happened, and the record on disk is the one that is returned."""
    chat_server.play([call_tool("(twice 1)"), refuse(500), say(RIGHT)])
    item = bench.item(task, chat_server.url, PRICE)
    record = bench.engine.result(item)
    assert bench.records_of(item) == [record]
    assert record == dataclasses.replace(
        record,
        key=item.key,
        task="double",
        level=None,
        category=None,
        model="m",
        config="tools",
        outcome=Outcome.PASS,
        reason=Reason.RIGHT,
        detail=None,
        score=1.0,
        answer=RIGHT,
        vm_errors=[{"where": "tool", "class": "unbound", "name": "twice"}],
        tool_calls={"eval_code": 1},
        rounds=1,
        stop=Stop.ANSWERED,
        tokens=Tokens(prompt=200, cached=80, completion=20, reasoning=8),
        cost_usd=0.000168,
        retries=1,
        repairs=0,
        served_model="served-name",
        provider="p",
        vm=bench.vm.label,
        task_hash=task.task_hash,
    )
    assert [(case["call"], case["pass"]) for case in record.cases] == [
        ("(double 2)", True),
        ("(double -3)", True),
    ]
    assert record.latency_s > 0
    transcript = bench.transcript(record)
    assert transcript["messages"][:-1] == chat_server.requests[-1].messages


def test_a_wrong_answer_is_a_fail(bench: EngineBench, chat_server: ChatServer, task: Task) -> None:
    """What runs but is wrong has 0.3 points and the value that it gave."""
    chat_server.play([say(WRONG)])
    record = bench.ask(task, chat_server.url)
    assert (record.outcome, record.reason, record.score) == ("fail", "wrong value", 0.3)
    assert [case["got"] for case in record.cases] == ["4", "9"]


def test_an_answer_cut_off_by_the_token_limit_is_told_apart(
    bench: EngineBench, chat_server: ChatServer, task: Task
) -> None:
    """It is wrong, but the reader learns why."""
    chat_server.play([reply({"content": WRONG}, finish_reason="length")])
    record = bench.ask(task, chat_server.url)
    assert (record.outcome, record.reason, record.stop) == ("fail", "truncated", "token limit")


COSTS: dict[str, tuple[object, Price | None, Tokens, float | None]] = {
    "no usage": (None, PRICE, Tokens(), None),
    "no price": ({"prompt_tokens": 5}, None, Tokens(prompt=5), None),
    "cached input at its own price": (
        {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 600}},
        PRICE,
        Tokens(prompt=1000, cached=600),
        0.00046,
    ),
    "cached input at the price of input": (
        {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 600}},
        Price(input_usd=1.0, output_usd=2.0),
        Tokens(prompt=1000, cached=600),
        0.001,
    ),
    "reasoning is part of the completion": (
        {"completion_tokens": 500, "completion_tokens_details": {"reasoning_tokens": 400}},
        PRICE,
        Tokens(completion=500, reasoning=400),
        0.001,
    ),
}


@pytest.mark.parametrize(("usage", "price", "tokens", "cost_usd"), COSTS.values(), ids=COSTS)
def test_the_cost_is_what_the_price_says(
    usage: object,
    price: Price | None,
    tokens: Tokens,
    cost_usd: float | None,
    bench: EngineBench,
    chat_server: ChatServer,
    task: Task,
) -> None:
    """Tokens as the server reports them, times the price; unknown without one."""
    chat_server.play([reply({"content": RIGHT}, usage=usage)])
    record = bench.ask(task, chat_server.url, price)
    assert (record.tokens, record.cost_usd) == (tokens, cost_usd)


TROUBLE: dict[str, tuple[Step, str]] = {
    "hangs": (HANG, "no complete reply within 0.3 s"),
    "drips": (DRIP, "no complete reply within 0.3 s"),
    "500": (refuse(500), "the server answered 500"),
    "429 for ever": (refuse(429, Retry_After="0"), "the server answered 429"),
    "401": (refuse(401), "the server answered 401"),
    "404": (refuse(404, "no such model"), "no such model"),
    "no JSON": (raw(b"<html>"), "not a chat completion: <html>"),
    "an error with status 200": (complete({"error": {"message": "overloaded"}}), "overloaded"),
    "no HTTP": (Step(headers={"X": "a\r\nbroken"}), "cannot reach the server"),
    "dropped": (DROP, "cannot reach the server"),
    "cut off": (CUT_OFF, "cannot reach the server"),
}


@pytest.mark.parametrize("before", [(), (call_tool("1"),)], ids=["at once", "in the middle"])
@pytest.mark.parametrize(("step", "detail"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_with_the_api_is_void(
    step: Step,
    before: tuple[Step, ...],
    detail: str,
    hasty_bench: EngineBench,
    chat_server: ChatServer,
    task: Task,
) -> None:
    """No answer of the model, so no verdict about it: one record, void, and it says why.

    What was said and paid for before is in the record and its transcript.
    """
    chat_server.play([*before, step])
    item = hasty_bench.item(task, chat_server.url, PRICE)
    record = hasty_bench.engine.result(item)
    assert hasty_bench.records_of(item) == [record]
    assert (record.outcome, record.reason, record.score) == ("void", "api error", None)
    assert detail in str(record.detail)
    assert (record.answer, record.stop, record.cases) == (None, None, [])
    paid = Tokens(prompt=100, cached=40, completion=10, reasoning=4) if before else Tokens()
    assert (record.tokens, record.rounds) == (paid, len(before))
    assert record.cost_usd == (0.000084 if before else 0.0)
    transcript = hasty_bench.transcript(record)
    roles = ["system", "user", "assistant", "tool"] if before else ["system", "user"]
    assert [message["role"] for message in transcript["messages"]] == roles


def test_nobody_there_is_void(hasty_bench: EngineBench, task: Task) -> None:
    """A refused connection says nothing about the model either."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        record = hasty_bench.ask(task, f"http://127.0.0.1:{free.getsockname()[1]}/v1")
    assert (record.outcome, record.reason) == ("void", "api error")


def test_a_server_that_recovers_costs_only_retries(
    bench: EngineBench, chat_server: ChatServer, task: Task
) -> None:
    """The verdict is about the model, and the record counts the trouble."""
    chat_server.play([refuse(500), DROP, call_tool("1"), raw(b"oops"), say(RIGHT)])
    record = bench.ask(task, chat_server.url)
    assert (record.outcome, record.retries) == ("pass", 3)


def test_the_key_is_written_nowhere(bench: EngineBench, chat_server: ChatServer) -> None:
    """Echoed in an error, an answer, a tool call or a task: it never reaches the run folder."""
    quoted = json.dumps(KEY)[1:-1]
    chat_server.play(
        lambda request: {
            "refused": refuse(401, f"bad key {KEY}"),
            "answered": say(f"{RIGHT}\n; {KEY}"),
            "called": call_tool(KEY) if request.turn == 0 else say(KEY),
        }[request.prompt.split()[0]]
    )
    for prompt in ("refused", "answered", "called"):
        task = _task_with(bench.folder.path.parent / prompt, prompt=prompt)
        record = bench.ask(task, chat_server.url)
        assert KEY not in record.to_json()
        assert quoted not in record.to_json()
    assert chat_server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "[key removed]" in bench.written()
    assert KEY not in bench.written()
    assert quoted not in bench.written()


LONG: dict[str, tuple[str, str, str]] = {
    "200 KB of prose around the answer": (
        "Let me think. " * 8000 + f"\n\n{RIGHT}\n" + "Done. " * 15_000,
        "pass",
        "right",
    ),
    "200 KB of code": (RIGHT.replace("(*", "; so\n" * 40_000 + "(*"), "fail", "error"),
}


@pytest.mark.parametrize(("answer", "outcome", "reason"), LONG.values(), ids=LONG)
def test_200_kb_of_text(
    answer: str,
    outcome: str,
    reason: str,
    bench: EngineBench,
    chat_server: ChatServer,
    task: Task,
) -> None:
    """A talkative model is read to its end; a program beyond the limit is the model's fault."""
    assert len(answer) > 200_000
    chat_server.play([say(answer)])
    record = bench.ask(task, chat_server.url)
    assert (record.outcome, record.reason, record.answer) == (outcome, reason, answer)


HOSTILE: dict[str, tuple[str, str, str | None]] = {
    "loops for ever": ("(define (double n) (let loop () (loop)))", "fail", "steps"),
    "loops while it is loaded": ("(let loop () (loop)) (define (double n) 4)", "fail", "steps"),
    "fills the memory": (
        '(define (double n) (let loop ((s "xxxxxxxxxxxxxxxx")) (loop (string-append s s))))',
        "fail",
        "memory",
    ),
    "recurses without end": ("(define (double n) (+ 1 (double n)))", "fail", "stack"),
    "redefines = and is right": (
        "(define (double n) (* 2 n)) (define (= a b) #f) (define (equal? a b) #f)",
        "pass",
        None,
    ),
    "redefines = and is wrong": (
        "(define (double n) 7) (define (= a b) #t) (define (equal? a b) #t)",
        "fail",
        None,
    ),
}


def test_hostile_answers_harm_only_themselves(bench: EngineBench, chat_server: ChatServer) -> None:
    """All at once, each followed by a right answer: every verdict is about its own program."""

    def play(request: Request) -> Step:
        code = HOSTILE.get(request.prompt, (RIGHT, "", None))[0]
        return say(f"```sema\n{code}\n```" if request.prompt in HOSTILE else RIGHT)

    chat_server.play(play)
    items = []
    for index, name in enumerate(HOSTILE):
        folder = bench.folder.path.parent / f"hostile-{index}"
        items.append(bench.item(_task_with(folder, prompt=name), chat_server.url))
        folder = bench.folder.path.parent / f"decent-{index}"
        items.append(bench.item(_task_with(folder, prompt=f"decent {name}"), chat_server.url))
    bench.engine.start(items)
    for item in items:
        record = bench.engine.result(item)
        _, outcome, error_class = HOSTILE.get(item.task.prompt, ("", "pass", None))
        classes = [error["class"] for error in record.vm_errors]
        assert (item.task.prompt, record.outcome) == (item.task.prompt, outcome)
        assert (item.task.prompt, classes) == (item.task.prompt, [error_class] * bool(error_class))
        assert bench.records_of(item) == [record]


def test_the_tool_survives_hostile_programs(
    bench: EngineBench, chat_server: ChatServer, task: Task
) -> None:
    """A program that fills the memory is answered with what happened; the next one runs."""
    bomb = '(let loop ((s "xxxxxxxxxxxxxxxx")) (loop (string-append s s)))'
    chat_server.play([call_tool(bomb), call_tool("(+ 1 2)"), say(RIGHT)])
    record = bench.ask(task, chat_server.url)
    assert record.outcome is Outcome.PASS
    assert record.vm_errors == [{"where": "tool", "class": "memory", "name": None}]
    answers = [m["content"] for m in chat_server.requests[-1].messages if m["role"] == "tool"]
    assert "out of memory" in answers[0]
    assert answers[1] == "Value: 3"


def _task_with(folder: Path, *, prompt: str, equals: str = "4") -> Task:
    """The double task with another prompt and a single case."""
    text = DOUBLE.replace(
        "Write a Sema function `(double n)` that returns twice the number `n`.", prompt
    )
    text = text.replace("      public: true\n", "").replace('equals: "4"', f'equals: "{equals}"')
    text = text.replace('    - call: (double -3)\n      equals: "-6"\n', "")
    return load_task(write_double_task(folder, text) / "double.yaml")


def test_a_broken_task_is_void(bench: EngineBench, chat_server: ChatServer) -> None:
    """An expected value that the VM cannot evaluate is the task's fault."""
    task = _task_with(bench.folder.path.parent / "broken", prompt="Hm", equals="(frob)")
    chat_server.play([say(RIGHT)])
    record = bench.ask(task, chat_server.url)
    assert (record.outcome, record.reason, record.answer) == ("void", "task error", RIGHT)
    assert "cannot be evaluated" in str(record.detail)


def test_a_fault_of_our_own_is_void_and_keeps_its_traceback(bench: EngineBench, task: Task) -> None:
    """Whatever breaks in the harness is not held against the model, nor hushed up."""
    model = Model(name=REFERENCE, id=REFERENCE, provider="offline", base_url=None)
    # A task without a reference answer, which a run would have refused.
    item = WorkItem(task=replace(task, reference=None), model=model, config=TOOLS)
    record = bench.engine.result(item)
    assert (record.outcome, record.reason) == ("void", "internal error")
    assert str(record.detail).startswith("AssertionError")
    transcript = bench.transcript(record)
    assert "Traceback" in transcript["traceback"]


def test_an_item_is_asked_once(bench: EngineBench, chat_server: ChatServer, task: Task) -> None:
    """Started twice and asked for twice, it is one conversation and one record."""
    chat_server.play([say(RIGHT)])
    item = bench.item(task, chat_server.url)
    bench.engine.start([item])
    bench.engine.start([item])
    assert bench.engine.result(item) == bench.engine.result(item)
    assert (chat_server.n_requests, len(bench.records_of(item))) == (1, 1)
