"""A small server of OpenAI chat completions for a folder with a model, on loopback.

    python benchmarks/training/serve.py FOLDER [--port 8001]

It prints its address as its first line and ends with SIGTERM or SIGINT. One reply is made at a
time; tools, streams and several choices are refused with 400. vLLM or llama.cpp serve a real model.
"""

import argparse
import asyncio
import contextlib
import json
import time
import uuid
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

UNKNOWN = ("tools", "stream", "logprobs")


class Model:
    """A model and its tokenizer, asked by one at a time."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
        self._alone = asyncio.Lock()

    async def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """The completion of a chat. Raises ValueError for what cannot be asked."""
        if unknown := [name for name in UNKNOWN if body.get(name)]:
            raise ValueError(f"{unknown[0]} is not known here")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise ValueError("messages is no list of messages")
        wanted = body.get("max_completion_tokens") or body.get("max_tokens") or 64
        temperature = float(body.get("temperature") or 0.0)
        async with self._alone:
            return await asyncio.to_thread(self._reply, messages, int(wanted), temperature)

    def _reply(
        self, messages: list[dict[str, Any]], wanted: int, temperature: float
    ) -> dict[str, Any]:
        tokens = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        n_prompt = tokens["input_ids"].shape[1]
        room = self._model.config.max_position_embeddings - n_prompt
        if room < 1:
            raise ValueError(f"the context length is exceeded: {n_prompt} tokens were given")
        sampling = {"do_sample": True, "temperature": temperature} if temperature else {}
        with torch.inference_mode():
            made = self._model.generate(
                **tokens,
                max_new_tokens=min(wanted, room),
                pad_token_id=self._tokenizer.pad_token_id,
                **sampling,
            )[0, n_prompt:]
        ended = made[-1].item() == self._tokenizer.eos_token_id
        content = self._tokenizer.decode(made, skip_special_tokens=True)
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "stop" if ended else "length",
                }
            ],
            "usage": {
                "prompt_tokens": n_prompt,
                "completion_tokens": len(made),
                "total_tokens": n_prompt + len(made),
            },
        }


def application(model: Model) -> web.Application:
    """The server's routes."""

    async def complete(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            return web.json_response(await model.reply(body))
        except (ValueError, TypeError, json.JSONDecodeError) as error:
            told = {"message": str(error), "type": "invalid_request_error"}
            return web.json_response({"error": told}, status=400)

    async def list_models(_: web.Request) -> web.Response:
        told = [{"id": model.name, "object": "model", "owned_by": "local"}]
        return web.json_response({"object": "list", "data": told})

    made = web.Application()
    made.router.add_post("/v1/chat/completions", complete)
    made.router.add_get("/v1/models", list_models)
    return made


async def serve(folder: Path, port: int) -> None:
    """Serve until the process is told to end."""
    runner = web.AppRunner(application(Model(folder)))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, bound = runner.addresses[0]
    print(f"http://{host}:{bound}/v1", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    arguments = parser.parse_args()
    disable_progress_bar()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.folder, arguments.port))
