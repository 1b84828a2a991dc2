"""A chat server that solves tasks and breaks a share of its replies in every way seen in the wild.

    server.play(Chaos(tasks, seed=1))

Which fault comes when is decided by the seed, the conversation and the request's number in it, so
that it does not depend on the order in which requests arrive. The faults of a server must not be
noticed in the end; after those of the model's own message (`MODEL`) the scripted model goes on to
the right answer. What a client may not do, such as leaving a tool call without an answer, is
noted in `violations`.

As a program, which survives whoever started it: `python -m tests.chaos_server TASKS [SEED]`
prints its URL and serves until it is killed.
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_sema_bench.agent.reference import ReferenceModel
from pytest_sema_bench.suite.task import Task, load_tasks
from tests.chat_server import (
    CUT_OFF,
    DROP,
    ChatServer,
    End,
    Request,
    Step,
    after,
    call_tools,
    complete,
    delta,
    raw,
    refuse,
    stream,
    tool_call,
)

_JSON = {"Content-Type": "application/json"}
_MOST_IN_A_ROW = 3
"""So often a reply is broken; an odd message that comes more often is the model's own."""
_PADDING = "The quick brown fox thinks about parentheses. " * 23_000
"""One megabyte."""


def _bytes(body: object) -> bytes:
    return json.dumps(body).encode()


def _message(body: Mapping[str, Any], **fields: Any) -> Step:
    """The completion with these fields in its message."""
    (choice,) = body["choices"]
    message = {**choice["message"], **fields}
    return complete({**body, "choices": [{**choice, "message": message}]})


def _choice(body: Mapping[str, Any], **fields: Any) -> Step:
    (choice,) = body["choices"]
    return complete({**body, "choices": [{**choice, **fields}]})


def _error(code: object, message: str = "upstream trouble") -> Step:
    return complete({"error": {"code": code, "message": message}, "choices": None})


def _padded(body: Mapping[str, Any]) -> Step:
    content = body["choices"][0]["message"]["content"]
    return _message(body, content=f"{_PADDING}\n\n{content or ''}")


def _half(body: Mapping[str, Any]) -> Step:
    return raw(_bytes(body)[: len(_bytes(body)) // 2], headers=_JSON)


def _bad_text(body: Mapping[str, Any]) -> Step:
    return raw(_bytes(body).replace(b'"content": ', b'"refusal": "\xff\xc3(", "content": '))


def _streamed(body: Mapping[str, Any], **ending: Any) -> Step:
    """A stream that nobody asked for."""
    (choice,) = body["choices"]
    content = choice["message"].get("content") or ""
    pieces = [delta(role="assistant"), delta(content=content[:5]), ": keep-alive\n\n"]
    calls = choice["message"].get("tool_calls")
    rest: dict[str, Any] = {"content": content[5:]} if content else {}
    rest |= {"tool_calls": [{"index": 0, **calls[0]}]} if calls else {}
    last = delta(choice["finish_reason"])
    return stream([*pieces, delta(**rest), *ending.pop("then", [last])], **ending)


Fault = Callable[[Mapping[str, Any]], Step]

HARMLESS: dict[str, Fault] = {
    "slow": lambda b: after(0.05, complete(b)),
    "dripped byte by byte": lambda b: Step(headers=_JSON, payload=_bytes(b), piece_bytes=1),
    "wrong content type": lambda b: raw(_bytes(b), headers={"Content-Type": "text/html"}),
    "no content type": lambda b: raw(_bytes(b)),
    "a byte order mark": lambda b: raw(b"\xef\xbb\xbf" + _bytes(b), headers=_JSON),
    "a megabyte of text": _padded,
    "a megabyte of reasoning": lambda b: _message(b, reasoning_content=_PADDING),
    "reasoning_content": lambda b: _message(b, reasoning_content="Hm (+ 1 2)."),
    "reasoning": lambda b: _message(b, reasoning="Hm. ```sema\n(wrong)\n```"),
    "reasoning_details": lambda b: _message(b, reasoning_details=[{"text": "Value: 99"}]),
    "thinking": lambda b: _message(b, thinking="Value: 99", reasoning=None),
    "no usage": lambda b: complete({k: v for k, v in b.items() if k != "usage"}),
    "null usage": lambda b: complete({**b, "usage": None}),
    "usage in words": lambda b: complete({**b, "usage": {"prompt_tokens": "many"}}),
    "no finish_reason": lambda b: _choice(b, finish_reason=None),
    "nulls": lambda b: _message(b, refusal=None, audio=None, function_call=None),
    "a stream": _streamed,
}
"""What must be taken as the reply that it is."""
PASSING: dict[str, Fault] = {
    "dropped": lambda _: DROP,
    "cut off": lambda _: CUT_OFF,
    "cut off in the middle": lambda b: Step(headers=_JSON, payload=_bytes(b)[:-40], end=End.DROP),
    "a stream cut off": lambda b: _streamed(b, then=[], done=False),
    "an error in a stream": lambda b: _streamed(b, then=[{"error": {"code": 500}}], done=False),
    "half a JSON": _half,
    "invalid UTF-8": _bad_text,
    "429": lambda _: refuse(429),
    "429 retry-after": lambda _: refuse(429, Retry_After="0.01"),
    "429 retry-after-ms": lambda _: refuse(429, retry_after_ms="5"),
    "429 reset": lambda _: refuse(
        429, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="5ms"
    ),
    "429 as HTML": lambda _: raw(b"<h1>Slow down", status=429),
    "429 Z.ai": lambda _: raw(_bytes({"error": {"code": "1302", "message": "!"}}), status=429),
    "408": lambda _: refuse(408),
    "500": lambda _: refuse(500),
    "500 without a body": lambda _: raw(b"", status=500),
    "502 HTML": lambda _: raw(
        b"<html>Bad Gateway", status=502, headers={"Content-Type": "text/html"}
    ),
    "503": lambda _: refuse(503, "overloaded"),
    "504": lambda _: refuse(504),
    "529": lambda _: refuse(529),
    "200 error 500": lambda _: _error(500),
    "200 error 429": lambda _: _error(429, "rate limited"),
    "200 error 1302": lambda _: _error("1302"),
    "200 error text": lambda _: complete({"error": "something broke"}),
    "200 choice error": lambda b: _choice(b, error={"code": 502, "message": "upstream"}),
    "200 finish_reason error": lambda b: _choice(b, finish_reason="error"),
    "empty": lambda _: raw(b"", headers=_JSON),
    "blanks": lambda _: raw(b"\n \n", headers=_JSON),
    "HTML": lambda _: raw(b"<!doctype html><p>Hello", headers={"Content-Type": "text/html"}),
    "a list": lambda _: complete([]),
    "nothing in it": lambda _: complete({}),
    "no choices": lambda b: complete({**b, "choices": []}),
    "null choices": lambda b: complete({**b, "choices": None}),
    "null message": lambda b: _choice(b, message=None),
    "null content": lambda b: _choice(b, message={"role": "assistant", "content": None}),
    "empty content": lambda b: _choice(b, message={"content": "", "tool_calls": []}),
    "no tool calls": lambda b: _choice(
        b, message={"content": None, "tool_calls": []}, finish_reason="tool_calls"
    ),
}
"""What must be asked for again."""
_CODE = json.dumps({"code": "(+ 1 2)"})
MODEL: dict[str, Step] = {
    "broken arguments": call_tools([tool_call(_CODE[:-4])]),
    "doubled arguments": call_tools([tool_call(_CODE * 2)]),
    "arguments and an empty object": call_tools([tool_call("{}" + _CODE)]),
    "empty arguments": call_tools([tool_call("")]),
    "null arguments": call_tools([tool_call(None)]),
    "object arguments": call_tools([tool_call({"code": "(+ 1 2)"})]),
    "list arguments": call_tools([tool_call([_CODE])]),
    "bare code": call_tools([tool_call("(+ 1 2)")]),
    "wrong name of the argument": call_tools([tool_call('{"source": "1"}')]),
    "an unknown tool": call_tools([tool_call(_CODE, name="python")]),
    "a tool without a name": call_tools([{"id": "a", "function": {"arguments": _CODE}}]),
    "missing id": call_tools([tool_call(_CODE, call_id=None)]),
    "empty id": call_tools([tool_call(_CODE, call_id="")]),
    "repeated id": call_tools([tool_call(_CODE, call_id="a"), tool_call(_CODE, call_id="a")]),
    "text beside the call": call_tools([tool_call(_CODE)], content="Value: 99"),
}
"""What the model itself does; the conversation goes on after it."""


class Chaos:
    """A script that solves these tasks, with a share of its replies broken."""

    def __init__(self, tasks: Iterable[Task], *, seed: int, rate: float = 1 / 3) -> None:
        self.played: Counter[str] = Counter()
        """How often each fault came."""
        self.violations: list[str] = []
        """What requests did that real servers refuse."""
        self._right = ReferenceModel(tasks)
        self._seed = seed
        self._rate = rate
        self._in_a_row: Counter[tuple[str, int]] = Counter()

    def __call__(self, request: Request) -> Step:
        """The reply to a request, right or broken."""
        self.violations += _violations(request.messages)
        chance = random.Random(f"{self._seed} {request.n_before} {request.prompt}")
        place = (request.prompt, len(request.messages))
        right = self._right(request.body)
        if chance.random() > self._rate or self._in_a_row[place] >= _MOST_IN_A_ROW:
            return complete(right)
        self._in_a_row[place] += 1
        may_call = request.body.get("tool_choice") == "auto" and request.turn < 2
        names = [*HARMLESS, *PASSING, *(MODEL if may_call else ())]
        name = chance.choice(names)
        self.played[name] += 1
        return MODEL[name] if name in MODEL else (HARMLESS | PASSING)[name](right)


def _violations(messages: list[dict[str, Any]]) -> list[str]:
    """A tool call must be answered at once, under its id, before anything else is said."""
    found, owed = [], Counter[str]()
    for message in messages:
        if message.get("role") not in ("system", "user", "assistant", "tool"):
            found.append(f"a message without a role: {message}")
        if message.get("role") == "tool":
            owed[message["tool_call_id"]] -= 1
        elif +owed:
            found.append(f"no answer to {sorted(+owed)}")
        for call in message.get("tool_calls") or ():
            owed[call["id"]] += 1
    return found + [f"{n:+} answers to {name!r}" for name, n in owed.items() if n]


def main() -> None:
    """Serve until killed."""
    path, *seed = sys.argv[1:]
    server = ChatServer()
    server.play(Chaos(load_tasks(Path(path)), seed=int(seed[0]) if seed else 0))
    print(server.url, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
