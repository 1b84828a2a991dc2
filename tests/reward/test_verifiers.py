"""The task set with verifiers itself, where that is installed (`pip install verifiers`)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

vf: Any = pytest.importorskip("verifiers.v1")

from pytest_sema_bench.extraction import fenced  # noqa: E402
from pytest_sema_bench.reward.verifiers import SemaConfig, SemaTask, SemaTaskset  # noqa: E402
from pytest_sema_bench.sema.vm.install import EXECUTED  # noqa: E402

pytestmark = pytest.mark.vm

REPLIES = {
    "right": ([("assistant", fenced("(* 2 3)"))], 1.0),
    "wrong": ([("assistant", fenced("(* 2 4)"))], 0.0),
    "only-a-tool-has-it": (
        [("assistant", "See."), ("tool", fenced("(* 2 3)")), ("assistant", "So.")],
        0.0,
    ),
}


def trace_of(task: SemaTask, messages: list[tuple[str, str]]) -> Any:
    """A rollout of verifiers' with these messages, the assistant's among them sampled."""
    made = {"assistant": vf.AssistantMessage, "tool": vf.ToolMessage}
    more = {"assistant": {}, "tool": {"tool_call_id": "1"}}
    nodes = [
        vf.MessageNode(
            message=made[role](content=content, **more[role]), sampled=role == "assistant"
        )
        for role, content in messages
    ]
    about = vf.TraceTask(type="SemaTask", data=task.data)
    return vf.Trace(task=about, agent=vf.AgentInfo(config=vf.AgentConfig()), nodes=nodes)


def one_task(folder: Path, **config: Any) -> SemaTask:
    """The task of a data set with one row."""
    row = {"messages": [{"role": "user", "content": "Six."}], "ground_truth": {"value": "6"}}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    settings = SemaConfig(rows=folder / "rows.jsonl", task=config)
    (task,) = SemaTaskset(settings)
    assert isinstance(task, SemaTask)
    return task


@pytest.mark.parametrize(("messages", "worth"), REPLIES.values(), ids=[*REPLIES])
def test_a_trace_is_scored_by_its_last_reply(
    tmp_path: Path, messages: list[tuple[str, str]], worth: float
) -> None:
    """The score is that of `grade`, in the trace's rewards."""
    task = one_task(tmp_path)
    trace = trace_of(task, messages)
    asyncio.run(task.score(trace))
    assert trace.reward == worth


def test_a_vm_that_fails_fails_the_rollout(tmp_path: Path) -> None:
    """There is no reward in the trace."""
    for name in EXECUTED:
        (tmp_path / name).write_text("no VM")
    task = one_task(tmp_path, vm=f"wasm:{tmp_path}")
    trace = trace_of(task, [("assistant", fenced("(* 2 3)"))])
    with pytest.raises(vf.TaskError, match="the VM failed"):
        asyncio.run(task.score(trace))
    assert trace.rewards == {"sema": None}


def test_the_suite_is_valid_by_verifiers_own_check() -> None:
    """Sixty tasks, of which the reference of one is tried here."""
    tasks = [*SemaTaskset(SemaConfig())]
    assert len(tasks) == 60
    assert asyncio.run(tasks[20].validate(None)) is True
