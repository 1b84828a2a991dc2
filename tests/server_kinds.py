"""Servers of several kinds: what each refuses, in its own words, around a script of `chat_server`.

    chat_server.play(behind("vLLM", [call_tool(arguments="{"), say("Value: 3")]))
    chat_server.play(as_text(solve(tasks)))

A new kind is one function from a request to its refusal, None where it takes the request, and one
row of `KINDS`. The steps are those of the conversation: a request that is refused uses none up.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.chat_server import Request, Script, Step, raw, say

Refusal = Callable[[Request], Step | None]


def behind(kind: str, script: Script) -> Script:
    """The script as a server of this kind plays it."""
    refuse = KINDS[kind]
    return lambda request: refuse(request) or step_of(script, request)


def step_of(script: Script, request: Request) -> Step:
    """What a script has for a request, by how far the conversation has come."""
    return script(request) if callable(script) else script[min(request.turn, len(script) - 1)]


def as_text(script: Script) -> Script:
    """The script as a server without a tool parser plays it: Hermes' marks in the content."""

    def play(request: Request) -> Step:
        messages = [_as_result(message) for message in request.messages]
        request = replace(request, body={**request.body, "messages": messages})
        completion = json.loads(step_of(script, request).payload)
        message = completion["choices"][0]["message"]
        calls = [call["function"] for call in message.pop("tool_calls", ())]
        named = [{**call, "arguments": json.loads(call["arguments"])} for call in calls]
        marks = [f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in named]
        return say("\n".join(filter(None, [message["content"], *marks])))

    return play


def _as_result(message: dict[str, Any]) -> dict[str, Any]:
    given = str(message.get("content")).startswith("<tool_response>")
    return {**message, "role": "tool"} if given else message


def _error(status: int, **error: Any) -> Step:
    return raw(json.dumps({"error": error}).encode(), status=status)


def _calls(request: Request) -> list[Any]:
    """All tool calls that are sent back; of what is no list of calls, one that is none."""
    found: list[Any] = []
    for message in request.messages:
        calls = message.get("tool_calls") or []
        found += calls if isinstance(calls, list) else [None]
    return found


def _arguments(request: Request) -> list[Any]:
    calls = (call if isinstance(call, dict) else {} for call in _calls(request))
    return [call.get("function", {}).get("arguments") for call in calls]


def _parses_arguments(request: Request) -> Step | None:
    """As vLLM does with what it is sent back, for its templates (vllm-project/vllm#43995)."""
    for arguments in _arguments(request):
        try:
            json.loads(arguments)
        except (ValueError, TypeError) as error:
            text = str(error) if isinstance(error, ValueError) else "Input should be a valid string"
            return _error(400, message=text, type="BadRequestError", param=None, code=400)
    return None


def _wants_an_object(request: Request) -> Step | None:
    """Qwen's templates go through the arguments' items: JSON alone is not enough."""
    refused = _parses_arguments(request)
    if refused is None and any(
        not isinstance(json.loads(arguments), dict) for arguments in _arguments(request)
    ):
        text = "Can only get item pairs from a mapping."
        refused = _error(400, message=text, type="BadRequestError", param=None, code=400)
    return refused


def _fails_at_arguments(request: Request) -> Step | None:
    """llama.cpp calls it a fault of its own (ggml-org/llama.cpp#25510)."""
    if _parses_arguments(request) is None:
        return None
    text = (
        "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error "
        "at line 1, column 2: syntax error while parsing object key - invalid literal"
    )
    return _error(500, code=500, message=text, type="server_error")


def _wants_text(request: Request) -> Step | None:
    """llama-cpp-python validates `content` and does not take the null that it has sent itself.

    The text is that of version 0.3.36, but for the path of a file at its end.
    """
    roles = ("System", "User", "Assistant", "Tool", "Function")
    for index, message in enumerate(request.messages):
        if isinstance(message.get("content"), str):
            continue
        lines = []
        for role in roles:
            field = "content" if role == "Assistant" else "role"
            where = (
                f"('body', 'messages', {index}, 'ChatCompletionRequest{role}Message', '{field}')"
            )
            told = "'Input should be a valid string', 'input': None"
            if role != "Assistant":
                told = f"\"Input should be '{role.lower()}'\", 'input': {message!r}"
            lines.append(f"  {{'type': 'string_type', 'loc': {where}, 'msg': {told}}}")
        text = "\n".join([f"{len(lines)} validation errors:", *lines])
        return _error(500, message=text, type="internal_server_error", param=None, code=None)
    return None


def _wants_own_fields(request: Request) -> Step | None:
    """Groq and Cerebras refuse fields in a message that other servers put there."""
    known = {"role", "content", "tool_calls", "tool_call_id", "name"}
    for index, message in enumerate(request.messages):
        if odd := set(message) - known:
            text = f"'messages.{index}' : property '{min(odd)}' is unsupported"
            return _error(400, message=text, type="invalid_request_error")
    return None


def _wants_whole_messages(request: Request) -> Step | None:
    """FastAPI servers: a role for each message, a type for each call, a name for each result."""
    for index, message in enumerate(request.messages):
        wanted = [(message, "role")]
        calls = message.get("tool_calls") or []
        calls = calls if isinstance(calls, list) else [{}]
        wanted += [(call if isinstance(call, dict) else {}, "type") for call in calls]
        wanted += [(message, "name")] if message.get("role") == "tool" else []
        for table, field in wanted:
            if not table.get(field):
                loc = ["body", "messages", index, field]
                detail = [{"type": "missing", "loc": loc, "msg": "Field required"}]
                return raw(json.dumps({"detail": detail}).encode(), status=422)
    return None


def _says_nothing(request: Request) -> Step | None:
    """A proxy that hides why it refuses."""
    return _parses_arguments(request) and _error(400, message="Bad Request")


KINDS: dict[str, Refusal] = {
    "vLLM": _parses_arguments,
    "vLLM with a template that wants an object": _wants_an_object,
    "llama.cpp": _fails_at_arguments,
    "llama-cpp-python": _wants_text,
    "Groq": _wants_own_fields,
    "FastAPI": _wants_whole_messages,
    "a proxy": _says_nothing,
}
