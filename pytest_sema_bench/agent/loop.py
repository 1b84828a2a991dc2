"""The agent loop: a task's prompt in, a final message out, tool calls in between.

At most `max_rounds` replies with tool calls are answered; then one final answer is forced.
The assistant's messages are sent back exactly as they came, reasoning fields included, and
every tool call gets an answer under the id it came with. What is decided here is decided by
what a message holds, not by its `finish_reason`, which servers set differently.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from pytest_sema_bench.agent.tools import Toolbox, about_tools
from pytest_sema_bench.chat import ChatReply
from pytest_sema_bench.docsearch.search import Found
from pytest_sema_bench.errors import BenchError, ModelError
from pytest_sema_bench.grading import VMFailure
from pytest_sema_bench.records.outcome import Stop
from pytest_sema_bench.records.transcript import Call, ChatMessage, Tokens, Transcript, message_text
from pytest_sema_bench.settings import Config


class Chat(Protocol):
    """What the loop needs of a chat API."""

    async def complete(self, body: dict[str, Any], conversation: str | None = None) -> ChatReply:
        """The reply to one request body, which belongs to the conversation of that name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRun:
    """What a model did with a prompt."""

    answer: str
    """Text of the final message, without reasoning; "" if there was none."""
    stop: Stop | None
    """None if the run was broken off."""
    broken_off_by: BenchError | None = None
    """What the API or the VM ended the run with."""
    rounds: int
    """Replies with tool calls that were answered."""
    tool_calls: dict[str, int]
    n_repairs: int
    """Tool calls that did not fit their schema and were understood all the same."""
    n_misfits: int
    """Tool calls that did not fit their schema and were answered with an error."""
    failures: tuple[VMFailure, ...]
    """VM errors that tool calls met, in order."""
    searches: tuple[Found, ...]
    """What searches of the documentation gave, in order."""
    transcript: Transcript

    @property
    def truncated(self) -> bool:
        """Whether the token limit cut the final message off."""
        return self.stop is Stop.TRUNCATED

    @property
    def tokens(self) -> Tokens:
        """Of all calls together."""
        return sum((call.tokens for call in self.transcript.calls if call.tokens), Tokens())

    @property
    def retries(self) -> int:
        """Of all calls together, one that failed in the end included."""
        last = self.broken_off_by
        n_failed = last.attempts - 1 if isinstance(last, ModelError) else 0
        return n_failed + sum(call.retries for call in self.transcript.calls)

    @property
    def served_model(self) -> str | None:
        """What the server said it used, of the last call that said so."""
        names = [call.served_model for call in self.transcript.calls if call.served_model]
        return names[-1] if names else None


_FORCE = (
    "You have used all rounds of tool calls. Give the final answer now, without calling a tool."
)


async def run_agent(
    prompt: str,
    chat: Chat,
    *,
    model_id: str,
    config: Config,
    toolbox: Toolbox,
    conversation: str | None = None,
) -> AgentRun:
    """The run, which may have been broken off by what is not the model's doing."""
    loop = _Loop(model_id, config, toolbox)
    loop.messages += [
        {"role": "system", "content": system_prompt(config)},
        {"role": "user", "content": prompt},
    ]
    try:
        while True:
            forced = loop.rounds >= config.max_rounds and bool(config.tools)
            if forced:
                loop.messages.append({"role": "user", "content": _FORCE})
            reply = await chat.complete(loop.body(forced=forced), conversation)
            loop.calls.append(reply.call)
            wanted = _tool_calls(reply.message) if config.tools else []
            if forced or not wanted:
                loop.messages.append(_replayed(reply.message))
                return loop.finish(reply, forced=forced)
            await loop.answer(reply.message, wanted)
    except BenchError as error:
        return loop.so_far("", None, broken_off_by=error)


class _Loop:
    """The state of one run."""

    def __init__(self, model_id: str, config: Config, toolbox: Toolbox) -> None:
        self.messages: list[ChatMessage] = []
        self.calls: list[Call] = []
        self.rounds = 0
        self._model_id = model_id
        self._config = config
        self._toolbox = toolbox
        self._counts: Counter[str] = Counter()
        self._failures: list[VMFailure] = []
        self._n_repairs = 0
        self._n_misfits = 0
        self._searches: list[Found] = []

    def body(self, *, forced: bool) -> dict[str, Any]:
        """The next request. A forced answer keeps the tools, so that prompt caches hold."""
        sampling = self._config.sampling
        body: dict[str, Any] = {"model": self._model_id, "messages": self.messages}
        optional = {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "reasoning_effort": sampling.reasoning_effort,
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        if self._config.tools:
            body["tools"] = self._toolbox.schemas
            body["tool_choice"] = "none" if forced else "auto"
        return body

    async def answer(self, message: ChatMessage, wanted: list[Any]) -> None:
        """Answer each tool call of a message, broken ones too."""
        self.rounds += 1
        message, wanted = _with_ids(message, wanted, self.rounds)
        self.messages.append(_replayed(message))
        for call in wanted:
            function = call.get("function") if isinstance(call, dict) else None
            function = function if isinstance(function, dict) else {}
            name = function.get("name")
            result = await self._toolbox.call(name, function.get("arguments"))
            self._counts[name[:80] if isinstance(name, str) else "?"] += 1
            self._n_repairs += result.repaired
            self._n_misfits += result.misfit
            if result.failure:
                self._failures.append(result.failure)
            if result.found:
                self._searches.append(result.found)
            call_id = call.get("id") if isinstance(call, dict) else None
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": result.text})

    def finish(self, reply: ChatReply, *, forced: bool) -> AgentRun:
        """The run, with the reply as its last."""
        answer = message_text(reply.message)
        if reply.call.finish_reason in ("length", "max_tokens"):
            stop = Stop.TRUNCATED
        elif answer.strip():
            stop = Stop.FORCED if forced else Stop.ANSWERED
        else:
            stop = Stop.STRAY_CALL if _tool_calls(reply.message) else Stop.EMPTY
        return self.so_far(answer, stop)

    def so_far(
        self, answer: str, stop: Stop | None, broken_off_by: BenchError | None = None
    ) -> AgentRun:
        """The run as it is now."""
        return AgentRun(
            answer=answer,
            stop=stop,
            broken_off_by=broken_off_by,
            rounds=self.rounds,
            tool_calls=dict(sorted(self._counts.items())),
            n_repairs=self._n_repairs,
            n_misfits=self._n_misfits,
            failures=tuple(self._failures),
            searches=tuple(self._searches),
            transcript=Transcript(messages=tuple(self.messages), calls=tuple(self.calls)),
        )


@cache
def system_prompt(config: Config) -> str:
    """What every conversation of a configuration starts with."""
    if config.system_prompt is not None:
        text = config.system_prompt.read_text(encoding="utf-8")
    else:
        text = (files("pytest_sema_bench.agent.prompts") / "system.md").read_text("utf-8")
    if not config.tools:
        return text.strip()
    return f"{text.strip()}\n\n{about_tools(config.tools, config.max_rounds)}"


def _tool_calls(message: ChatMessage) -> list[Any]:
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list) else []


def _replayed(message: ChatMessage) -> ChatMessage:
    """The message for the next request: as it came, with the role some servers leave out."""
    return message if "role" in message else {"role": "assistant", **message}


def _with_ids(message: ChatMessage, calls: list[Any], turn: int) -> tuple[ChatMessage, list[Any]]:
    """Message and calls unchanged, unless a call has no id: then one is made up in both."""
    if all(isinstance(call, dict) and call.get("id") for call in calls):
        return message, calls
    named = [
        {**call, "id": call.get("id") or f"call_{turn}_{index}"} if isinstance(call, dict) else call
        for index, call in enumerate(calls)
    ]
    return {**message, "tool_calls": named}, named
