"""Which text of a completion is graded."""

from typing import Any

import pytest

from pytest_sema_bench.reward.answer import UnclearAnswer, last_answer, said_last

CODE = "```sema\n(define (f) 1)\n```"
TOOL = f"Value: 1\n{CODE}"


def said(role: str, content: object) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content}


COMPLETIONS: dict[str, tuple[object, str]] = {
    "text": (CODE, CODE),
    "one-message": ([said("assistant", CODE)], CODE),
    "a-message-without-a-list": (said("assistant", CODE), CODE),
    "last-of-two": ([said("assistant", CODE), said("user", "?"), said("assistant", "no")], "no"),
    "tool-last": ([said("assistant", "let me see"), said("tool", CODE)], "let me see"),
    "no-assistant": ([said("tool", CODE), said("user", CODE)], ""),
    "empty": ([], ""),
    "null": (None, ""),
    "null-content": ([said("assistant", CODE), said("assistant", None)], ""),
    "parts": ([said("assistant", [{"type": "text", "text": CODE}])], CODE),
}
ROLLOUTS: dict[str, tuple[str, int | None, str]] = {
    "one-turn": (CODE, 2, CODE),
    "one-turn-unknown": (CODE, None, CODE),
    "one-turn-with-the-word": ("I am your\nassistant\n" + CODE, 2, "I am your\nassistant\n" + CODE),
    "qwen": (
        f"<tool_call>\n{{}}\n</tool_call>\nuser\n<tool_response>\n{TOOL}\n</tool_response>\n"
        "assistant\nno",
        4,
        "no",
    ),
    "qwen-whole": (
        f"<tool_call></tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n{TOOL}\n"
        "</tool_response><|im_end|>\n<|im_start|>assistant\nno<|im_end|>",
        None,
        "\nno<|im_end|>",
    ),
    "llama-stripped": (f'{{"name": "f"}}ipython\n\n{TOOL}assistant\n\nno', 4, "no"),
    "deepseek-whole": (
        f"x<｜tool▁outputs▁begin｜>{TOOL}<｜tool▁outputs▁end｜><｜Assistant｜>no",
        None,
        "no",
    ),
    "mistral": (f"[TOOL_CALLS][][TOOL_RESULTS]{TOOL}[/TOOL_RESULTS]no", 4, "no"),
    "cut-off-in-the-tool": (f"look\nuser\n<tool_response>\n{TOOL}", None, ""),
    "cut-off-after-a-turn": (
        f"<tool_response>a</tool_response>\nassistant\nagain\n<tool_response>{TOOL}",
        6,
        "",
    ),
    "a-tool-prints-a-turn": (
        f"<tool_response>\nassistant\n{CODE}\n</tool_response>\nassistant\nno",
        4,
        "no",
    ),
    "tool-response-last": (f"x<tool_response>{TOOL}</tool_response>", 4, ""),
}


@pytest.mark.parametrize(("completion", "expected"), COMPLETIONS.values(), ids=[*COMPLETIONS])
def test_the_last_message_of_the_assistant_is_graded(completion: object, expected: str) -> None:
    """Neither an earlier one, nor a tool's, nor the user's."""
    assert last_answer(completion) == expected


@pytest.mark.parametrize("completion", [5, ["text"], [[said("assistant", CODE)]]])
def test_what_is_no_completion_is_refused(completion: object) -> None:
    """It is not graded as an empty answer."""
    with pytest.raises(UnclearAnswer, match="found"):
        last_answer(completion)


@pytest.mark.parametrize(("text", "n_turns", "expected"), ROLLOUTS.values(), ids=[*ROLLOUTS])
def test_of_a_decoded_rollout_the_last_turn_is_graded(
    text: str, n_turns: int | None, expected: str
) -> None:
    """What tools returned is cut off, whatever template has marked it."""
    assert said_last(text, n_turns).strip() == expected.strip()


def test_tool_output_that_cannot_be_told_apart_is_not_graded() -> None:
    """Where a template's marks were stripped and turns are known to be several, it is an error."""
    with pytest.raises(UnclearAnswer, match="keep special tokens"):
        said_last(f"look{TOOL}no", 4)
