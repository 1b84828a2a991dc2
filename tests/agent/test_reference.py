"""The offline model: it speaks the wire format, and takes the road that a paid model takes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.agent.loop import AgentRun, run_agent
from pytest_sema_bench.agent.reference import ReferenceModel, check_references
from pytest_sema_bench.agent.tools import make_toolbox
from pytest_sema_bench.catalog.registry import load_registry
from pytest_sema_bench.chat import ChatClient, ChatReply, LocalWire
from pytest_sema_bench.errors import ModelError, SettingsError
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.records.outcome import Outcome, Stop
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Config, Limits
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_task, load_tasks
from tests.samples.double_task import DOUBLE, write_double_task

SUITE = load_tasks(Path(__file__).parents[1] / "samples" / "bench_dir" / "tasks")
"""A value (adding), two programs (palindrome, doubling), an expression (summing)."""
CONFIGS = load_registry(Path(__file__).parent).configs


def ask_with(wire: LocalWire) -> ChatClient:
    """A client that this wire answers."""
    return ChatClient(wire, redactor=Redactor())


def solve(runner: asyncio.Runner, vm: SemaVM, task: Task, config: Config) -> AgentRun:
    """The agent run of the reference model with a task."""

    async def run() -> AgentRun:
        client = ask_with(LocalWire(ReferenceModel(SUITE)))
        toolbox = make_toolbox(config.tools, vm, Limits())
        try:
            return await run_agent(
                task.full_prompt, client, model_id="reference", config=config, toolbox=toolbox
            )
        finally:
            await client.close()

    return runner.run(run())


@pytest.mark.parametrize("task", SUITE, ids=lambda task: task.slug)
def test_with_tools_it_tries_its_answer_before_it_gives_it(
    task: Task, event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """One tool call, then an answer that is right."""
    run = solve(event_loop_runner, vm, task, CONFIGS["tools"])
    assert (run.stop, run.rounds, run.tool_calls) == (Stop.ANSWERED, 1, {"eval_code": 1})
    # The numbers `xs` of summing are in hidden cases only, and what is hidden is not sent.
    assert [failure.name for failure in run.failures] == ["xs"] * (task.slug == "summing")
    verdict = event_loop_runner.run(Grader(vm).grade(task, run.answer))
    assert (verdict.outcome, verdict.score) == (Outcome.PASS, 1.0)


@pytest.mark.parametrize("task", SUITE, ids=lambda task: task.slug)
def test_without_tools_it_answers_at_once(
    task: Task, event_loop_runner: asyncio.Runner, vm: SemaVM
) -> None:
    """The bare configuration gets the same answer in one call."""
    run = solve(event_loop_runner, vm, task, CONFIGS["bare"])
    assert (run.stop, run.rounds, run.tool_calls) == (Stop.ANSWERED, 0, {})
    assert run.answer == solve(event_loop_runner, vm, task, CONFIGS["tools"]).answer


def test_what_it_uses_is_estimated(event_loop_runner: asyncio.Runner, vm: SemaVM) -> None:
    """The table's columns are alive: more was read in the second call than in the first."""
    run = solve(event_loop_runner, vm, SUITE[0], CONFIGS["tools"])
    first, second = (call.tokens or Tokens() for call in run.transcript.calls)
    assert second.prompt > first.prompt > 1000
    assert 0 < first.completion < 200
    assert run.served_model == "reference"


def test_call_ids_are_the_same_each_time() -> None:
    """Nothing in a reply depends on chance, so runs can be compared."""
    task = SUITE[0]
    body = {
        "messages": [{"role": "user", "content": task.full_prompt}],
        "tools": [{"function": {"name": "eval_code", "parameters": {"required": ["code"]}}}],
    }
    replies = [ReferenceModel(SUITE)(body) for _ in range(2)]
    assert replies[0] == replies[1]
    assert json.loads(json.dumps(replies[0])) == replies[0]


def test_no_two_tasks_of_the_suite_have_the_same_prompt() -> None:
    """The model knows a task by its prompt, so it could not tell them apart."""
    prompts = [task.full_prompt for task in load_tasks(suite_folder())]
    assert len(set(prompts)) == len(prompts) == 60


def test_a_task_without_a_reference_is_named(tmp_path: Path) -> None:
    """The user learns which file cannot be answered, and what to do."""
    text = DOUBLE.partition("reference:")[0]
    task = load_task(write_double_task(tmp_path / "suite", text) / "double.yaml")
    check_references(SUITE)
    with pytest.raises(SettingsError, match=r"double\.yaml: task double has no `reference`"):
        check_references([*SUITE, task])


def complete(answer: Any, body: dict[str, Any]) -> ChatReply:
    """The reply that a client gets through a local wire."""

    async def run() -> ChatReply:
        client = ask_with(LocalWire(answer))
        try:
            return await client.complete(body)
        finally:
            await client.close()

    return asyncio.run(run())


def test_a_local_wire_speaks_the_same_format() -> None:
    """A function of this process answers without a network."""
    got = complete(
        lambda body: {"choices": [{"message": {"content": body["model"]}}], "model": "local"},
        {"model": "m", "messages": []},
    )
    assert got.message == {"content": "m"}
    assert got.call.served_model == "local"


def test_a_fault_of_the_function_is_no_trouble_with_the_api() -> None:
    """It is ours, so it is neither tried again nor disguised."""
    calls = []

    def broken(body: dict[str, Any]) -> dict[str, Any]:
        calls.append(body)
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug") as caught:
        complete(broken, {"messages": []})
    assert not isinstance(caught.value, ModelError)
    assert len(calls) == 1
