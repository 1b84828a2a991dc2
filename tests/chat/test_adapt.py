"""Adaptations: which refusals call for which, what they change, and that they are remembered."""

import json
from typing import Any

import pytest

from pytest_sema_bench.chat.adapt import BY_NAME, Adaptations
from pytest_sema_bench.chat.faults import Fault, refusal
from pytest_sema_bench.chat.history import tidied
from pytest_sema_bench.errors import SettingsError

USER = {"role": "user", "content": "Two and two?"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "4"}
FULL: dict[str, Any] = {
    "model": "m",
    "messages": [USER, {**CALL, "content": "", "annotations": []}, RESULT],
    "max_tokens": 9000,
    "temperature": 0.2,
    "top_p": 0.9,
    "reasoning_effort": "high",
    "tools": [{"type": "function"}],
    "tool_choice": "none",
}
TIDY = {**FULL, "messages": tidied(FULL["messages"])}

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
    "vLLM, arguments": ("tidy-history", "Expecting ',' delimiter: line 1 column 54 (char 53)"),
    "Groq, fields": ("no-extra-fields", "'messages.1' : property 'annotations' is unsupported"),
    "Moonshot, empty parts": ("no-empty-content", "Invalid request: text content is empty"),
}


def refused(text: str, param: str | None = None, status: int = 400) -> Fault:
    """A refusal in these words."""
    return refusal(status, json.dumps({"error": {"message": text, "param": param}}))


@pytest.mark.parametrize(("label", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_picks_its_adaptation(label: str, text: str) -> None:
    """The words of real servers, and what they call for."""
    adaptations = Adaptations()
    assert adaptations.learn(refused(text), FULL, ())
    assert adaptations.apply(FULL)[1] == (label,)


@pytest.mark.parametrize(("label", "text"), REFUSALS.values(), ids=REFUSALS)
def test_an_adaptation_is_not_applied_twice(label: str, text: str) -> None:
    """What was changed already and is still refused is refused."""
    body, labels = Adaptations([label]).apply(FULL)
    again = Adaptations([label])
    again.learn(refused(text), body, labels)
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
    assert not Adaptations().learn(refused(text), TIDY, ())


FAULTS_OF_ITS_OWN = {
    "llama.cpp": (True, "Failed to parse tool call arguments as JSON: [json.exception.parse_error"),
    "llama-cpp-python": (True, "Input should be a valid string"),
    "a template": (True, "'None' has no attribute 'strip'"),
    "memory": (False, "CUDA out of memory"),
    "nothing": (False, ""),
}


@pytest.mark.parametrize(("told", "text"), FAULTS_OF_ITS_OWN.values(), ids=FAULTS_OF_ITS_OWN)
def test_a_500_is_about_the_history_if_it_says_so(told: bool, text: str) -> None:
    """Some servers take what they cannot read for a fault of their own."""
    assert Adaptations().learn(refused(text, status=500), FULL, ()) is told


def test_what_is_not_in_the_request_is_not_taken_out_of_it() -> None:
    """A refusal that names a field which was not sent is about something else."""
    bare = {"model": "m", "messages": [USER]}
    for _, text in REFUSALS.values():
        learned = Adaptations()
        learned.learn(refused(text), bare, ())
        assert set(learned.apply(bare)[1]) <= {"stream"}


def test_the_parameter_that_a_server_names_decides() -> None:
    """Its text may mention others."""
    adaptations = Adaptations()
    adaptations.learn(refused("top_p and temperature: see the docs", "temperature"), FULL, ())
    assert adaptations.apply(FULL)[1] == ("no-temperature",)
    assert not Adaptations().learn(refused("temperature", "messages[1]"), TIDY, ())


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
    assert labels == ((label,) if got != before else ())
    assert json.dumps(before) == frozen


NO_NAMES = ("streams", "", "fewer-max-tokens", "fewer-max-tokens=many", "stream=1")


@pytest.mark.parametrize("name", NO_NAMES)
def test_an_unknown_adaptation_is_a_settings_error(name: str) -> None:
    """It says which there are."""
    with pytest.raises(SettingsError, match="no-tool-choice, tidy-history") as caught:
        Adaptations([name])
    assert repr(name) in str(caught.value)


def test_every_adaptation_is_tried_here() -> None:
    """A new one needs a refusal in the table above, in a server's own words."""
    tried = {label.partition("=")[0] for label, _ in REFUSALS.values()}
    assert tried | {"no-stream-options"} == set(BY_NAME)
