"""Adaptations: which refusals call for which, what they change, and that they are remembered."""

import asyncio
import json
import logging
from typing import Any

import pytest

from pytest_sema_bench.chat import ChatClient, ChatReply
from pytest_sema_bench.chat.adapt import BY_NAME, Adaptations
from pytest_sema_bench.chat.faults import ErrorBody
from pytest_sema_bench.chat.permit import Billing
from pytest_sema_bench.errors import ModelError, SettingsError
from tests.asking import KEY, NotingLimiter, use
from tests.chat_server import ChatServer, Request, Step, complete, raw, refuse, say

USER = {"role": "user", "content": "Two and two?"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "4"}
FULL: dict[str, Any] = {
    "model": "m",
    "messages": [USER, {**CALL, "content": ""}, RESULT],
    "max_tokens": 9000,
    "temperature": 0.2,
    "top_p": 0.9,
    "reasoning_effort": "high",
    "tools": [{"type": "function"}],
    "tool_choice": "none",
}

REFUSALS: dict[str, tuple[str, str]] = {
    "Fireworks, long replies": (
        "stream",
        "Requests with max_tokens > 4096 must have stream=true",
    ),
    "Qwen": (
        "stream",
        "parameter.enable_thinking must be set to false for non-streaming calls",
    ),
    "Alibaba": (
        "stream",
        "This model only support stream mode, please enable the stream parameter to access it.",
    ),
    "OpenAI, newer models": (
        "max-completion-tokens",
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
    ),
    "OpenAI, the bound": (
        "fewer-max-tokens=4096",
        "max_tokens is too large: 9000. This model supports at most 4096 completion tokens, "
        "whereas you provided 9000.",
    ),
    "DeepSeek, the bound": (
        "fewer-max-tokens=8192",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    ),
    "Alibaba, the bound": ("fewer-max-tokens=8192", "Range of max_tokens should be [1, 8192]"),
    "Groq, the bound": (
        "fewer-max-tokens=8192",
        "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` "
        "is less than the `context_window` for this model",
    ),
    "Anthropic, the bound": (
        "fewer-max-tokens=8192",
        "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens",
    ),
    "OpenAI, effort": (
        "no-reasoning-effort",
        "Unrecognized request argument supplied: reasoning_effort",
    ),
    "xAI, effort": (
        "no-reasoning-effort",
        "Model grok-4 does not support parameter reasoningEffort.",
    ),
    "OpenAI, temperature": (
        "no-temperature",
        "Unsupported value: 'temperature' does not support 0 with this model. "
        "Only the default (1) value is supported.",
    ),
    "Moonshot, temperature": (
        "no-temperature",
        "invalid temperature: only 0.6 is allowed for this model",
    ),
    "Anthropic, one of two": (
        "no-top-p",
        "`temperature` and `top_p` cannot both be specified for this model",
    ),
    "OpenRouter, tool_choice": (
        "no-tool-choice",
        "No endpoints found that support the provided 'tool_choice' value.",
    ),
    "DeepSeek, tool_choice": (
        "no-tool-choice",
        "deepseek-reasoner does not support this tool_choice",
    ),
    "Moonshot, reasoning": (
        "fill-reasoning",
        "thinking is enabled but reasoning_content is missing in assistant tool call message "
        "at index 2",
    ),
    "DeepSeek, reasoning": (
        "fill-reasoning",
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
    ),
    "Moonshot, empty": (
        "no-empty-content",
        "Invalid request: the message at position 1 with role 'assistant' must not be empty",
    ),
    "Moonshot, empty parts": ("no-empty-content", "Invalid request: text content is empty"),
}


@pytest.mark.parametrize(("label", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_picks_its_adaptation(label: str, text: str) -> None:
    """The words of real servers, and what they call for."""
    adaptations = Adaptations()
    assert adaptations.learn(ErrorBody(message=text), FULL, ())
    assert adaptations.apply(FULL)[1] == (label,)


@pytest.mark.parametrize(("label", "text"), REFUSALS.values(), ids=REFUSALS)
def test_an_adaptation_is_not_applied_twice(label: str, text: str) -> None:
    """What was changed already and is still refused is refused."""
    body, labels = Adaptations([label]).apply(FULL)
    again = Adaptations([label])
    again.learn(ErrorBody(message=text), body, labels)
    assert label not in [name for name in again.apply(FULL)[1] if name not in labels]


OTHERS: dict[str, str] = {
    "nothing": "",
    "something else": "messages.3: invalid role",
    "the bound of the context": "max_tokens is too large: 9000. This model's maximum context "
    "length is 8192 tokens and your request has 500 input tokens",
    "a bound that is kept": "This model supports max_tokens up to 32768",
    "far inside an echo of the request": "x" * 2000 + " temperature",
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_refusals_pick_none(text: str) -> None:
    """A request that is refused for another reason is not changed at random."""
    assert not Adaptations().learn(ErrorBody(message=text), FULL, ())


def test_what_is_not_in_the_request_is_not_taken_out_of_it() -> None:
    """A refusal that names a field which was not sent is about something else."""
    bare = {"model": "m", "messages": [USER]}
    for _, text in REFUSALS.values():
        learned = Adaptations()
        learned.learn(ErrorBody(message=text), bare, ())
        assert set(learned.apply(bare)[1]) <= {"stream"}


def test_the_parameter_that_a_server_names_decides() -> None:
    """Its text may mention others."""
    body = ErrorBody(message="top_p and temperature: see the docs", param="temperature")
    adaptations = Adaptations()
    adaptations.learn(body, FULL, ())
    assert adaptations.apply(FULL)[1] == ("no-temperature",)
    assert not Adaptations().learn(ErrorBody(message="temperature", param="messages[1]"), FULL, ())


LATER = {**FULL, "tool_choice": "auto"}
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "stream": ("stream", {}, {"stream": True, "stream_options": {"include_usage": True}}),
    "rename": (
        "max-completion-tokens",
        {"max_tokens": 5},
        {"max_tokens": None, "max_completion_tokens": 5},
    ),
    "bound": ("fewer-max-tokens=100", {"max_tokens": 5000}, {"max_tokens": 100}),
    "bound that is kept": ("fewer-max-tokens=100", {"max_tokens": 50}, {"max_tokens": 50}),
    "bound under the other name": (
        "fewer-max-tokens=100",
        {"max_completion_tokens": 5000},
        {"max_completion_tokens": 100},
    ),
    "tools go with a forced answer": (
        "no-tool-choice",
        {"tools": [1], "tool_choice": "none"},
        {"tools": None, "tool_choice": None},
    ),
    "tools stay where they are wanted": (
        "no-tool-choice",
        {"tools": [1], "tool_choice": "auto"},
        {"tools": [1], "tool_choice": None},
    ),
    "reasoning": (
        "fill-reasoning",
        {"messages": [USER, CALL, RESULT]},
        {"messages": [USER, {**CALL, "reasoning_content": " "}, RESULT]},
    ),
    "reasoning from its other field": (
        "fill-reasoning",
        {"messages": [{**CALL, "reasoning": "Hm."}]},
        {"messages": [{**CALL, "reasoning": "Hm.", "reasoning_content": "Hm."}]},
    ),
    "reasoning that is there": (
        "fill-reasoning",
        {"messages": [{**CALL, "reasoning_content": "Hm."}]},
        {"messages": [{**CALL, "reasoning_content": "Hm."}]},
    ),
    "empty beside tool calls": (
        "no-empty-content",
        {"messages": [USER, {**CALL, "content": ""}]},
        {"messages": [USER, CALL]},
    ),
    "empty parts": (
        "no-empty-content",
        {"messages": [{**CALL, "content": [{"type": "text", "text": ""}]}]},
        {"messages": [CALL]},
    ),
    "null beside tool calls": (
        "no-empty-content",
        {"messages": [CALL]},
        {"messages": [{**CALL, "content": " "}]},
    ),
    "empty without tool calls": (
        "no-empty-content",
        {"messages": [{"role": "assistant", "content": ""}]},
        {"messages": [{"role": "assistant", "content": " "}]},
    ),
}


@pytest.mark.parametrize(("label", "before", "after"), CHANGES.values(), ids=CHANGES)
def test_what_an_adaptation_changes(
    label: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Only what was refused; None here stands for a field that is gone."""
    before = {"model": "m", "messages": [USER], **before}
    frozen = json.dumps(before)
    got, labels = Adaptations([label]).apply(before)
    wanted = {**before, **after}
    assert got == {name: value for name, value in wanted.items() if value is not None}
    assert labels == (label,)
    assert json.dumps(before) == frozen


NO_NAMES = ("streams", "", "fewer-max-tokens", "fewer-max-tokens=many", "stream=1")


@pytest.mark.parametrize("name", NO_NAMES)
def test_an_unknown_adaptation_is_a_settings_error(name: str) -> None:
    """It says which there are."""
    with pytest.raises(SettingsError, match="no-tool-choice, fill-reasoning") as caught:
        Adaptations([name])
    assert repr(name) in str(caught.value)


def picky(request: Request) -> Step:
    """A server that takes neither temperature nor top_p, and says so one at a time."""
    for name in ("temperature", "top_p"):
        if name in request.body:
            return refuse(400, f"{name} is not supported, {KEY}")
    return say("Four.")


ASK = {"model": "m", "messages": [USER], "temperature": 0.5, "top_p": 0.5}


def test_a_refusal_is_adapted_to_once_and_remembered(
    chat_server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The second call sends no refused request, and no attempt of either was used up."""
    chat_server.play(picky)
    limiter = NotingLimiter()

    async def twice(client: ChatClient) -> list[ChatReply]:
        return [await client.complete(ASK), await client.complete(ASK)]

    with caplog.at_level(logging.INFO, logger="pytest_sema_bench.chat"):
        replies = use(twice, chat_server.url, limiter=limiter)
    assert [reply.call.retries for reply in replies] == [0, 0]
    assert {reply.call.adaptations for reply in replies} == {("no-top-p", "no-temperature")}
    assert chat_server.n_requests == 4
    assert [result.billing for result in limiter.results] == [
        Billing.NOTHING,
        Billing.NOTHING,
        Billing.USAGE,
        Billing.USAGE,
    ]
    assert not any(result.refusal or result.gave_up for result in limiter.results)
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "m: no-temperature from now on",
        "m: no-top-p from now on",
    ]
    assert KEY not in caplog.text


def test_another_model_behind_the_same_client_is_asked_as_it_is(chat_server: ChatServer) -> None:
    """What one model refuses another may need."""
    chat_server.play(picky)

    async def two(client: ChatClient) -> ChatReply:
        await client.complete(ASK)
        return await client.complete({**ASK, "model": "other"})

    use(two, chat_server.url)
    assert [request.body["model"] for request in chat_server.requests] == ["m"] * 3 + ["other"] * 3


def test_conversations_that_are_kept_apart_learn_for_themselves(chat_server: ChatServer) -> None:
    """What a conversation sends can be recorded and played back in any order of conversations."""
    chat_server.play(picky)

    async def two(client: ChatClient) -> ChatReply:
        for name in ("a", "b", "a"):
            reply = await client.complete(ASK, conversation=name)
        client.end("a")
        return reply

    use(two, chat_server.url, apart=True)
    asked = ["temperature" in request.body for request in chat_server.requests]
    assert asked == [True, False, False] * 2 + [False]


def test_calls_under_way_learn_from_each_other(chat_server: ChatServer) -> None:
    """Two that were refused at the same time both get their reply."""
    chat_server.play(picky)

    async def both(client: ChatClient) -> tuple[ChatReply, ChatReply]:
        return await asyncio.gather(client.complete(ASK), client.complete(ASK))

    for reply in use(both, chat_server.url):
        assert reply.message["content"] == "Four."


def test_named_adaptations_hold_from_the_start(chat_server: ChatServer) -> None:
    """The registry saves the call that a server would refuse; `extra` is in each body."""
    chat_server.play(picky)
    extra = {"thinking": {"type": "enabled"}}
    adapt = ["no-top-p", "no-temperature"]
    use(lambda client: client.complete(ASK), chat_server.url, adapt=adapt, extra=extra)
    (request,) = chat_server.requests
    assert request.body == {"model": "m", "messages": [USER], **extra}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_parameter_is_no_reason_to_give_the_model_up(
    status: int, chat_server: ChatServer
) -> None:
    """Whatever the status, and also inside a 200, if an adaptation fits it is tried first."""
    text = "No endpoints found that support the provided 'tool_choice' value"
    inside = complete({"error": {"code": status, "message": text}})
    body = {**ASK, "tool_choice": "auto"}
    for step in (refuse(status, text), inside):
        chat_server.play([step, say("Four.")])
        got = use(lambda client: client.complete(body), chat_server.url)
        assert got.call.adaptations == ("no-tool-choice",)


def test_a_server_that_refuses_in_spite_of_it_is_believed(chat_server: ChatServer) -> None:
    """No request is sent for ever: each adaptation is tried once."""
    chat_server.play([refuse(400, "temperature and top_p and tool_choice are odd")])
    with pytest.raises(ModelError, match="are odd") as caught:
        use(lambda client: client.complete(ASK), chat_server.url)
    assert (caught.value.attempts, chat_server.n_requests) == (1, 3)


def test_a_bound_that_sinks_with_each_request_is_followed_once(chat_server: ChatServer) -> None:
    """A server may name a lower one whenever it is asked."""
    chat_server.play(
        lambda request: refuse(
            400, f"This model takes max_tokens of at most {request.body['max_tokens'] - 1}"
        )
    )
    with pytest.raises(ModelError, match="at most 98"):
        use(lambda client: client.complete({**ASK, "max_tokens": 100}), chat_server.url)
    assert chat_server.n_requests == 2


FORMS: dict[str, bytes] = {
    "FastAPI": b'{"detail": [{"loc": ["body", "temperature"], "msg": "Extra inputs"}]}',
    "vLLM": b'{"object": "error", "message": "temperature: no", "code": 400}',
    "text": b'{"error": "temperature is unknown"}',
    "a list": b'[{"error": {"code": 400, "message": "Unknown name: temperature"}}]',
    "OpenRouter": b'{"error": {"message": "Provider returned error", "code": 400, '
    b'"metadata": {"raw": "{\\"message\\": \\"temperature\\"}"}}}',
    "no JSON": b"temperature is not supported",
}


@pytest.mark.parametrize("payload", FORMS.values(), ids=FORMS)
def test_the_refusal_may_be_written_in_many_forms(payload: bytes, chat_server: ChatServer) -> None:
    """Its words are found in all of them."""
    chat_server.play([raw(payload, status=400), say("Four.")])
    body = {"model": "m", "messages": [USER], "temperature": 0.5}
    got = use(lambda client: client.complete(body), chat_server.url)
    assert got.call.adaptations == ("no-temperature",)


def test_every_adaptation_is_tried_here() -> None:
    """A new one needs a refusal in the table above, in a server's own words."""
    tried = {label.partition("=")[0] for label, _ in REFUSALS.values()}
    assert tried | {"no-stream-options"} == set(BY_NAME)
