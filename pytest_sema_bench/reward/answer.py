"""Which text is graded: what the model said last. What a tool returned is no answer."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.transcript import message_text

# Where tool output ends, in the text of a chat template whose marks were left in.
_TOOL_ENDS = re.compile(
    r"</(?:tool_response|tool_result|tool_output|function_results|function_response)>"
    r"|\[/TOOL_RESULTS\]|<｜tool▁outputs▁end｜>"
)
# Where the assistant's turn begins: the marks of templates, whole.
_TURN_BEGINS = re.compile(
    r"<\|im_start\|>assistant|<\|start_header_id\|>assistant<\|end_header_id\|>|<\|assistant\|>"
    r"|<start_of_turn>model|<｜Assistant｜>|<\|start\|>assistant"
)
# The same where special tokens were stripped: the role alone is left, on a line of its own, or
# glued to what the tool returned, where only the end of the turn parted them.
_BARE_TURN_BEGINS = re.compile(r"(?:^|\n)(?:assistant|model)\n|(?<=\S)assistant\n\n")
# What a turn of a tool begins with; there a rollout may have been cut off.
_TOOL_BEGINS = re.compile(
    r"<(?:tool_response|tool_result|tool_output|function_results|function_response)>"
    r"|\[TOOL_RESULTS\]|<｜tool▁outputs▁begin｜>|<\|start_header_id\|>(?:ipython|tool)"
    r"|<\|im_start\|>tool|(?:^|\n)(?:tool|ipython)\n|(?<=\S)ipython\n\n"
)


class UnclearAnswer(BenchError):
    """It cannot be told what the model said from what its tools returned."""


def last_answer(completion: object) -> str:
    """What a completion says in the end: its text, or that of its last assistant message.

    "" where the assistant said nothing. Raises UnclearAnswer for what is no completion.
    """
    if isinstance(completion, str):
        return completion
    if completion is None:
        return ""
    messages = [completion] if isinstance(completion, Mapping) else completion
    if not isinstance(messages, Sequence) or not all(isinstance(m, Mapping) for m in messages):
        raise UnclearAnswer(
            f"a completion is a text or a list of messages; found {completion!r:.80}"
        )
    own: list[dict[str, Any]] = [dict(m) for m in messages if m.get("role") == "assistant"]
    return message_text(own[-1]) if own else ""


def said_last(text: str, n_turns: int | None = None) -> str:
    """What the model says in the end of a rollout that was decoded as one text, tools' included.

    `n_turns` counts the messages of the conversation, if that is known. Raises UnclearAnswer where
    tools were used and the text does not show where the model's last turn begins: with a template
    that marks turns by special tokens only, these must be kept.
    """
    if n_turns is not None and n_turns <= 2:
        return text
    begins = _last_end(_TURN_BEGINS, text)
    tool_begins = _last_start(_TOOL_BEGINS, text)
    if begins < 0 and (tool_begins >= 0 or n_turns):
        begins = max(_last_end(_TOOL_ENDS, text), _last_end(_BARE_TURN_BEGINS, text))
    if tool_begins > begins:
        return ""  # cut off inside of a tool's output: the model has not answered
    if begins < 0 and n_turns:
        raise UnclearAnswer(
            f"solution_str is said to hold {n_turns} turns, but nothing in it marks where the "
            "model's last one begins; keep special tokens when decoding, or use a template that "
            "wraps tool output in <tool_response>"
        )
    return text[max(begins, 0) :]


def _last_end(pattern: re.Pattern[str], text: str) -> int:
    return max((found.end() for found in pattern.finditer(text)), default=-1)


def _last_start(pattern: re.Pattern[str], text: str) -> int:
    return max((found.start() for found in pattern.finditer(text)), default=-1)
