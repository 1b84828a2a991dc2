"""A chat server on loopback that plays scripts: real HTTP, kept in a thread of its own.

    def test_x(chat_server: ChatServer) -> None:
        chat_server.play([call_tool("(+ 1 2)"), say("Value: 3")])   # for each conversation
        … pytest --sema-model=any --sema-base-url={chat_server.url} …
        assert chat_server.n_requests == 2

A script is a list of steps or a function from `Request` to a step. A list is played from its
start for each conversation, that is for each first user message; a request that is tried again
moves on in the list too, and the last step repeats. A function decides by what it is given, for
instance `request.turn` and `request.prompt`, and is called in the server's thread. Steps are
made by `say`, `call_tool`, `call_tools`, `reply`, `complete`, `stream`, `refuse`, `raw`, or are
`HANG`, `DROP`, `CUT_OFF`, `DRIP`; `after(seconds, step)` delays one. `solve(tasks)` is a script
that answers from the references.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pytest_sema_bench.agent.reference import ReferenceModel
from pytest_sema_bench.suite.task import Task

USAGE = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens": 10,
    "completion_tokens_details": {"reasoning_tokens": 4},
}
"""What a reply claims to have used unless its step says otherwise."""
_DRIP_S = 0.02


class End(Enum):
    """What follows the bytes of a step."""

    WHOLE = "the reply is complete"
    HANG = "nothing ever comes"
    DROP = "the connection is cut"
    DRIP = "a blank every 20 ms, for ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reply of the server."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: bytes = b""
    piece_bytes: int | None = None
    """How much of the payload is written at a time; None for all at once."""
    delay_s: float = 0.0
    end: End = End.WHOLE


HANG = Step(end=End.HANG)
DROP = Step(end=End.DROP)
CUT_OFF = Step(payload=b'{"choices": [', end=End.DROP)
DRIP = Step(end=End.DRIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived."""

    raw: bytes
    body: dict[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""
    path: str
    n_before: int
    """Requests that this conversation had made before, repeated ones included."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation so far."""
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    @property
    def prompt(self) -> str:
        """The first user message: the task."""
        return _prompt(self.body)

    @property
    def turn(self) -> int:
        """How many assistant messages came before: 0 at the start of a conversation."""
        return sum(message["role"] == "assistant" for message in self.messages)


Script = Callable[[Request], Step] | Sequence[Step]


class ChatServer:
    """The server; `chat_server` in conftest.py starts and stops one for each test."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """All requests in the order in which they arrived."""
        self.max_in_flight = 0
        """The most requests that ever waited for their reply at the same time."""
        self.n_in_flight = 0
        self.n_connections = 0
        self._script: Script = [say("I do not know.")]
        self._n_by_prompt: Counter[str] = Counter()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}/v1"
        """What --sema-base-url takes."""

    @property
    def n_requests(self) -> int:
        """How many requests have arrived."""
        return len(self.requests)

    def play(self, script: Script) -> None:
        """Answer with this script from now on, each conversation from its start."""
        self._n_by_prompt.clear()
        self._script = script

    def close(self) -> None:
        """Cut all connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in self._open:
            writer.transport.abort()
        # The transports tell their protocols in the next round of the loop.
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        self._open.add(writer)
        try:
            while request := await self._read(reader):
                self.n_in_flight += 1
                self.max_in_flight = max(self.max_in_flight, self.n_in_flight)
                try:
                    if not await _answer(_next(self._script, request), reader, writer):
                        break
                finally:
                    self.n_in_flight -= 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw) if raw else {"messages": []}  # nothing for a CONNECT
        request = Request(
            raw=raw,
            body=body,
            headers=headers,
            path=first.split(" ")[1],
            n_before=self._n_by_prompt[_prompt(body)],
        )
        self._n_by_prompt[request.prompt] += 1
        self.requests.append(request)
        return request


def say(text: str | None, **fields: Any) -> Step:
    """A final message; `fields` go into the message (`reasoning_content`, …)."""
    return reply({"role": "assistant", "content": text, **fields})


def call_tool(
    code: str | None = None,
    *,
    name: str = "eval_code",
    arguments: object = None,
    call_id: str | None = "call_1",
    **fields: Any,
) -> Step:
    """A message with one tool call: of `eval_code` with `code`, or as given."""
    text = json.dumps({"code": code}) if arguments is None else arguments
    return call_tools([tool_call(text, name=name, call_id=call_id)], **fields)


def call_tools(calls: Sequence[Any], **fields: Any) -> Step:
    """A message with these tool calls, as they are."""
    message = {"role": "assistant", "content": None, "tool_calls": list(calls), **fields}
    return reply(message, finish_reason="tool_calls")


def tool_call(
    arguments: object, *, name: str = "eval_code", call_id: str | None = "call_1"
) -> dict[str, Any]:
    """One entry of `tool_calls`; without an id where `call_id` is None."""
    call: dict[str, Any] = {"type": "function"}
    call["function"] = {"name": name, "arguments": arguments}
    return call if call_id is None else {"id": call_id, **call}


def reply(
    message: object, *, finish_reason: str | None = "stop", usage: object = USAGE, **fields: Any
) -> Step:
    """A chat completion with this message; no usage for None; `fields` stand beside `choices`."""
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    body: dict[str, object] = {"id": "x", "object": "chat.completion", "choices": [choice]}
    body["model"] = "served-name"
    if usage is not None:
        body["usage"] = usage
    return complete({**body, **fields})


def complete(body: object) -> Step:
    """A reply with status 200 and this JSON body."""
    return raw(json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def delta(finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk of a streamed reply with these fields in its delta."""
    choice = {"index": 0, "delta": fields, "finish_reason": finish_reason}
    return {"id": "x", "object": "chat.completion.chunk", "choices": [choice]}


def stream(chunks: Iterable[object], *, done: bool = True, end: End = End.WHOLE) -> Step:
    """A streamed reply: objects as events, texts as they are, `[DONE]` last unless told not to."""
    events = [c if isinstance(c, str) else f"data: {json.dumps(c)}\n\n" for c in chunks]
    payload = "".join([*events, "data: [DONE]\n\n" if done else ""]).encode()
    return Step(headers={"Content-Type": "text/event-stream"}, payload=payload, end=end)


def refuse(status: int, text: str = "not today", **headers: str) -> Step:
    """A reply with an error status; underscores in header names are dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw(json.dumps({"error": {"message": text}}).encode(), status=status, headers=named)


def raw(payload: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Step:
    """A reply with these bytes as its body."""
    return Step(status=status, headers=headers or {}, payload=payload)


def after(delay_s: float, step: Step) -> Step:
    """The step, but only after a while."""
    return replace(step, delay_s=delay_s)


def solve(tasks: Iterable[Task], delay_s: float = 0.0) -> Callable[[Request], Step]:
    """A script that solves these tasks from their references: a tool call, then the answer."""
    model = ReferenceModel(tasks)
    return lambda request: after(delay_s, complete(model(request.body)))


def _prompt(body: Mapping[str, Any]) -> str:
    return next((m["content"] for m in body["messages"] if m["role"] == "user"), "")


def _next(script: Script, request: Request) -> Step:
    if callable(script):
        return script(request)
    return script[min(request.n_before, len(script) - 1)]


async def _answer(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Write the step; whether the connection can be used for another request."""
    await asyncio.sleep(step.delay_s)
    if step.end is End.HANG:
        await reader.read()
        return False
    n_bytes = len(step.payload) + (0 if step.end is End.WHOLE else 1_000_000)
    if step.end is not End.DROP or step.payload:
        headers = {"Content-Length": str(n_bytes), **step.headers}
        lines = [f"HTTP/1.1 {step.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        piece_bytes = step.piece_bytes or max(1, len(step.payload))
        for start in range(0, max(1, len(step.payload)), piece_bytes):
            writer.write(head + step.payload[start : start + piece_bytes])
            await writer.drain()
            await asyncio.sleep(0)
            head = b""
    while step.end is End.DRIP:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(_DRIP_S)
    return step.end is End.WHOLE
