"""The agent loop: a task's prompt in, a final message out, tool calls in between.

At most `max_rounds` replies with tool calls are answered; then one final answer is forced.
The assistant's messages are kept exactly as they came, reasoning fields included, and sent back
so unless the server refuses them; every tool call gets an answer under the id it came with. What
is decided here is decided by what a message holds, not by its `finish_reason`, which servers set
differently.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from pytest_sema_bench.agent.calls import WantedCalls, read_calls
from pytest_sema_bench.agent.text_calls import server_flags
from pytest_sema_bench.agent.tools import Toolbox, ToolResult, about_tools
from pytest_sema_bench.catalog.models import TextToolCalls
from pytest_sema_bench.chat import ChatReply
from pytest_sema_bench.chat.reply import reasoning_field
from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.docsearch.in_dialect import prompt_in
from pytest_sema_bench.docsearch.search import Found
from pytest_sema_bench.errors import BenchError, ModelError
from pytest_sema_bench.grading import VMFailure
from pytest_sema_bench.records.outcome import Stop
from pytest_sema_bench.records.transcript import (
    TEXT_TOOL_CALLS,
    Call,
    ChatMessage,
    Tokens,
    Transcript,
)
from pytest_sema_bench.sema.versions import text_on
from pytest_sema_bench.sema.vm.install import pinned_version
from pytest_sema_bench.settings import Config


class Chat(Protocol):
    """What the loop needs of a chat API."""

    async def complete(self, body: dict[str, Any], conversation: str | None = None) -> ChatReply:
        """The reply to one request body, which belongs to the conversation of that name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRun:
    """What a model did with a prompt; by default nothing."""

    answer: str = ""
    """Text of the final message, without reasoning; "" if there was none."""
    stop: Stop | None = None
    """None if the run was broken off."""
    broken_off_by: Exception | None = None
    """What the run was ended with: by the API, the VM or a bug of ours."""
    rounds: int = 0
    """Replies with tool calls that were answered."""
    tool_calls: dict[str, int] = field(default_factory=dict)
    n_repairs: int = 0
    """Tool calls that did not fit their schema and were understood all the same."""
    n_misfits: int = 0
    """Tool calls that did not fit their schema and were answered with an error."""
    failures: tuple[VMFailure, ...] = ()
    """VM errors that tool calls met, in order."""
    searches: tuple[Found, ...] = ()
    """What searches of the documentation gave, in order."""
    tries: tuple[ToolResult, ...] = ()
    """The tool calls that evaluated a program, in order."""
    transcript: Transcript = field(default_factory=Transcript)

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
    sema: str | None = None,
    dialect: Dialect | None = None,
    conversation: str | None = None,
    text_tool_calls: TextToolCalls = TextToolCalls.READ,
    tell: Callable[[str], None] = lambda note: None,
) -> AgentRun:
    """The run, which may have been broken off by what is not the model's doing.

    `sema` is the version that is explained, the pinned one if nothing is said, in the `dialect`.
    `tell` is called with what the user should hear of the server, as often as it is seen.
    """
    loop = _Loop(model_id, config, toolbox, text_tool_calls, tell)
    loop.messages += [
        {"role": "system", "content": system_prompt(config, sema, dialect)},
        {"role": "user", "content": prompt},
    ]
    try:
        while True:
            forced = loop.rounds >= config.max_rounds and config.has_tools
            if forced:
                loop.force()
            reply = await chat.complete(loop.body(forced=forced), conversation)
            wanted = loop.read(reply)
            if forced or not (wanted.calls and config.has_tools):
                return loop.finish(reply, wanted, forced=forced)
            await loop.answer(wanted)
    except BenchError as error:
        return loop.so_far("", None, broken_off_by=error)


class _Loop:
    """The state of one run."""

    def __init__(
        self,
        model_id: str,
        config: Config,
        toolbox: Toolbox,
        text_tool_calls: TextToolCalls,
        tell: Callable[[str], None],
    ) -> None:
        self.messages: list[ChatMessage] = []
        self.calls: list[Call] = []
        self.rounds = 0
        self._model_id = model_id
        self._config = config
        self._toolbox = toolbox
        self._text_tool_calls = text_tool_calls
        self._tell = tell
        self._counts: Counter[str] = Counter()
        self._failures: list[VMFailure] = []
        self._n_repairs = 0
        self._n_misfits = 0
        self._searches: list[Found] = []
        self._tries: list[ToolResult] = []

    def body(self, *, forced: bool) -> dict[str, Any]:
        """The next request. A forced answer keeps the tools, so that prompt caches hold."""
        body: dict[str, Any] = {"model": self._model_id, "messages": self.messages}
        body |= self._config.sampling.body()
        if self._config.has_tools:
            body["tools"] = self._toolbox.schemas
            body["tool_choice"] = "none" if forced else "auto"
        return body

    def read(self, reply: ChatReply) -> WantedCalls:
        """The calls in a reply. Raises ModelError for those in its text if they are refused."""
        read_text = self._config.has_tools and self._text_tool_calls is not TextToolCalls.IGNORE
        wanted = read_calls(
            reply.message, self.rounds + 1, self._toolbox.offers if read_text else None
        )
        self.calls.append(reply.call)
        if wanted.form is not None:
            flags = server_flags(wanted.form.value)
            if self._text_tool_calls is TextToolCalls.REFUSE:
                self.messages.append(_replayed(reply.message))
                raise ModelError(
                    f"tool calls arrive as text ({wanted.form.value}) and text_tool_calls is "
                    f"refuse; start the server with its tool parser:\n{flags}"
                )
            self._tell(
                f"tool calls arrive as text ({wanted.form.value}) and are read from it; a server "
                f"with a tool parser hands them on: {flags}"
            )
            label = f"{TEXT_TOOL_CALLS}={wanted.form.value}"
            self.calls[-1] = replace(reply.call, adaptations=(*reply.call.adaptations, label))
        return wanted

    async def answer(self, wanted: WantedCalls) -> None:
        """Answer each tool call of a message, broken ones too."""
        self.rounds += 1
        self.messages.append(_replayed(wanted.message))
        results = []
        for call in wanted.calls:
            result = await self._toolbox.call(call.name, call.arguments)
            self._counts[result.name] += 1
            self._n_repairs += result.repaired or (call.displaced and not result.misfit)
            self._n_misfits += result.misfit
            if result.failure:
                self._failures.append(result.failure)
            if result.found:
                self._searches.append(result.found)
            if result.program is not None:
                self._tries.append(result)
            results.append(result.text)
        self.messages += wanted.answers(results)

    def force(self) -> None:
        """Ask for the final answer; templates of some models want no two messages of the user."""
        last = self.messages[-1]
        if self.rounds and last["role"] == "user":
            self.messages[-1] = {**last, "content": f"{last['content']}\n\n{_FORCE}"}
        else:
            self.messages.append({"role": "user", "content": _FORCE})

    def finish(self, reply: ChatReply, wanted: WantedCalls, *, forced: bool) -> AgentRun:
        """The run, with the reply as its last."""
        self.messages.append(_replayed(reply.message))
        # Before all else: what is cut off is not all that the model meant to send.
        if reply.call.finish_reason in ("length", "max_tokens"):
            stop = Stop.TRUNCATED
        elif wanted.text.strip():
            stop = Stop.FORCED if forced else Stop.ANSWERED
        elif wanted.calls:
            stop = Stop.STRAY_CALL
        elif reply.message.get("refusal"):
            stop = Stop.REFUSED
        else:
            stop = Stop.THOUGHT if reasoning_field(reply.message) else Stop.EMPTY
        return self.so_far(wanted.text, stop)

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
            tries=tuple(self._tries),
            transcript=Transcript(messages=tuple(self.messages), calls=tuple(self.calls)),
        )


def prompt_source(config: Config) -> str:
    """The text that the system prompt of a configuration is made of, for whatever version."""
    if config.system_prompt is not None:
        return config.system_prompt.read_text(encoding="utf-8")
    name = "system.md" if config.primer else "cold.md"
    return _prompt(name)


def _prompt(name: str) -> str:
    return (files("pytest_sema_bench.agent.prompts") / name).read_text("utf-8")


@cache
def system_prompt(config: Config, sema: str | None = None, dialect: Dialect | None = None) -> str:
    """What every conversation of a configuration starts with, for a version of Sema."""
    text = prompt_source(config)
    if config.system_prompt is None:
        text = text_on(text, sema or pinned_version())
    if dialect is not None:
        text = f"{prompt_in(text, dialect)}\n\n{_prompt('dialect.md')}"
    if not config.has_tools:
        return text.strip()
    return f"{text.strip()}\n\n{about_tools(config.tools, config.max_rounds)}"


def _replayed(message: ChatMessage) -> ChatMessage:
    """The message for the next request: as it came, with the role some servers leave out."""
    return message if "role" in message else {"role": "assistant", **message}
