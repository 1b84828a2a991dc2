"""A chat server on loopback that takes a fixed time per reply, in a process of its own.

As a program: `python benchmarks/slow_server.py SECONDS MODE` prints its port, then serves.
MODE `reference` answers as the reference model does; MODE `prose` first calls a tool with
broken arguments and then answers without code, so that no evaluation is needed: two calls an
item in both.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from pytest_sema_bench.agent.reference import ReferenceModel
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks


@contextmanager
def slow_server(reply_s: float, mode: str) -> Iterator[str]:
    """The base URL of such a server, for as long as the context lasts."""
    command = [sys.executable, __file__, str(reply_s), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def answer_in_prose(body: dict[str, Any]) -> dict[str, Any]:
    """A broken tool call first, then a sentence."""
    message: dict[str, Any] = {"role": "assistant", "content": "I do not know."}
    if body.get("tools") and not any(m["role"] == "tool" for m in body["messages"]):
        function = {"name": "eval_code", "arguments": "{"}
        call = {"id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    return {"model": "slow", "choices": [{"message": message}], "usage": usage}


async def _serve(reply_s: float, mode: str) -> None:
    answer: Callable[[dict[str, Any]], dict[str, Any]] = answer_in_prose
    if mode == "reference":
        answer = ReferenceModel(load_tasks(suite_folder()))

    async def complete(request: web.Request) -> web.Response:
        body, _ = await asyncio.gather(request.json(), asyncio.sleep(reply_s))
        return web.json_response(answer(body))

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float, help="what each reply takes")
    parser.add_argument("mode", choices=("reference", "prose"))
    given = parser.parse_args()
    asyncio.run(_serve(given.seconds, given.mode))
