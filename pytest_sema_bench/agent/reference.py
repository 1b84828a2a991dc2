"""The reference model: answers in the wire format of the chat API from the tasks' references.

It takes the same road as a paid model, so an offline run proves all of it but the network:
with tools, first a call of `eval_code` with its answer, then the final message.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.suite.task import GradeKind, Task


class ReferenceModel:
    """A function from request body to response body that knows the reference answers."""

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self._by_prompt = {task.full_prompt: task for task in tasks}

    def learn(self, task: Task) -> None:
        """Know the answer to one more task."""
        self._by_prompt[task.full_prompt] = task

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """A chat completion for a conversation whose user message is a task's prompt."""
        messages = body["messages"]
        prompt = next(m["content"] for m in messages if m["role"] == "user")
        task = self._by_prompt[prompt]
        asked = any(m["role"] == "tool" for m in messages)
        tools = {tool["function"]["name"] for tool in body.get("tools", ())}
        if (runs_code := _that_takes_code(body)) is not None and not asked:
            message = _call(runs_code, {"code": _source(task)})
        elif "docs_search" in tools and not asked:
            message = _call("docs_search", {"query": task.slug.replace("-", " ")})
        else:
            assert task.reference is not None
            said = as_answer(task.kind, task.reference)
            message = {"role": "assistant", "content": said}
        return _completion(messages, message)


def _that_takes_code(body: dict[str, Any]) -> str | None:
    """The tool that must be given code: `eval_code`, or `eval` of an MCP server."""
    functions = [tool["function"] for tool in body.get("tools", ())]
    takers = [f["name"] for f in functions if f["parameters"].get("required") == ["code"]]
    return takers[0] if takers else None


def check_references(tasks: Iterable[Task]) -> None:
    """Raises SettingsError if a task has no reference answer, so the model could not answer it."""
    for task in tasks:
        if task.reference is None:
            raise SettingsError(
                f"{task.path}: task {task.id} has no `reference`, so --sema-model=reference "
                "cannot answer it; add a reference answer or leave the task out with -k"
            )


def _source(task: Task) -> str:
    """What the tool is asked to run: the program with an example's input, or the value as data."""
    assert task.reference is not None
    if task.kind is GradeKind.VALUE:
        return f"'{task.reference.strip()}"
    given = [case.given for case in task.public_cases if case.given and case.call is None]
    return "\n".join([*given[:1], task.reference])


def _call(name: str, arguments: dict[str, str]) -> dict[str, Any]:
    text = json.dumps(arguments)
    call_id = "call_" + hashlib.sha256(text.encode()).hexdigest()[:12]
    function = {"name": name, "arguments": text}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _completion(messages: list[dict[str, Any]], message: dict[str, Any]) -> dict[str, Any]:
    """Usage is an estimate of four characters a token, so that the table's columns are alive."""
    n_prompt = sum(len(json.dumps(m)) for m in messages) // 4
    n_completion = len(json.dumps(message)) // 4
    return {
        "id": "reference",
        "object": "chat.completion",
        "model": "reference",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": n_prompt,
            "completion_tokens": n_completion,
            "total_tokens": n_prompt + n_completion,
        },
    }
