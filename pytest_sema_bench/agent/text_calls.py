"""Tool calls that arrive as text: what models write where their server has no parser for it.

A model calls tools in marks of its own, which the server is to turn into `tool_calls`; one that
was started without that parser, or with another model's, hands the marks on as the answer. Only
what is closed and names a tool that was offered is a call, so that prose about calls stays prose
(vllm-project/vllm#48931 has what happens otherwise).
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any


class CallForm(Enum):
    """A way to write calls; the value is its name in records."""

    HERMES = "hermes"
    QWEN = "qwen3-coder"
    GLM = "glm"
    KIMI = "kimi"
    DEEPSEEK = "deepseek"
    INVOKE = "invoke"
    MISTRAL = "mistral"
    LLAMA = "llama"
    HARMONY = "harmony"
    JSON = "json"


_PARSERS = {
    CallForm.HERMES: ("hermes", "qwen25"),
    CallForm.QWEN: ("qwen3_coder", "qwen3_coder"),
    CallForm.GLM: ("glm45", "glm45"),
    CallForm.KIMI: ("kimi_k2", "kimi_k2"),
    CallForm.DEEPSEEK: ("deepseek_v3", "deepseekv3"),
    CallForm.MISTRAL: ("mistral", "mistral"),
    CallForm.LLAMA: ("llama3_json", "llama3"),
    CallForm.HARMONY: ("openai", "gpt-oss"),
}
"""What vLLM and SGLang call the parser (docs.vllm.ai/en/latest/features/tool_calling and
docs.sglang.ai/advanced_features/tool_parser); the other forms are those of several models."""


def server_flags(form: str) -> str:
    """The flags with which servers turn this form, as records name it, into tool calls."""
    vllm, sglang = _PARSERS.get(CallForm(form), ("…", "…"))
    return (
        f"vLLM --enable-auto-tool-choice --tool-call-parser {vllm}, "
        f"SGLang --tool-call-parser {sglang}, llama.cpp --jinja"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedCalls:
    """A stretch of a text that is one call or several in a row."""

    form: CallForm
    calls: tuple[tuple[str, object], ...]
    """Name and arguments of each: an object, or the text of what should be one."""
    start: int
    end: int


def find_calls(text: str, is_offered: Callable[[str], bool]) -> tuple[MarkedCalls, ...]:
    """The calls in a text, in order; those in `<think>` are thoughts."""
    for thought in _spans(text, "<think>", "</think>"):
        start, end = thought.span()
        text = text[:start] + " " * (end - start) + text[end:]
    chosen: list[MarkedCalls] = []
    # Of those that begin at one place the first counts: what could be read in full.
    for marked in sorted(_all_marked(text), key=lambda marked: marked.start):
        offered = all(is_offered(name) for name, _ in marked.calls)
        if offered and not (chosen and marked.start < chosen[-1].end):
            chosen.append(marked)
    return tuple(chosen)


def without_calls(text: str, calls: tuple[MarkedCalls, ...]) -> str:
    """What a text says beside its calls."""
    for marked in reversed(calls):
        text = text[: marked.start] + text[marked.end :]
    return _WRAPPER.sub("", text).strip()


# DeepSeek's bars come in several widths, doubled or not (cline/cline#13348).
_BARS = r"[|｜‖]{1,2}"
_DSML = rf"(?:{_BARS}DSML{_BARS})?"
# What stands around one call or several, and means nothing once they are taken out.
_WRAPPER = re.compile(
    rf"</?{_DSML}(?:minimax:)?(?:tool_calls?|function_calls|calls)>|</function>|\[TOOL_CALLS\]"
    rf"|<{_BARS}tool[_▁]calls?(?:_section)?[_▁](?:begin|end){_BARS}>"
    r"|<\|(?:python_tag|eom_id|im_end|call|end|start)\|>|<\|channel\|>\w*"
)

# A mark, the name, an object of arguments: Kimi K2 (MoonshotAI/Kimi-K2 docs/tool_call_guidance.md),
# DeepSeek V3 and V3.1, Mistral from v11 on (raullenchai/Rapid-MLX#1071), gpt-oss, Llama 3.
_NAMED = (
    (CallForm.KIMI, r"<\|tool_call_begin\|>\s*([\w.:-]{1,80})\s*<\|tool_call_argument_begin\|>"),
    (
        CallForm.DEEPSEEK,
        rf"<{_BARS}tool▁call▁begin{_BARS}>\s*(?:function<{_BARS}tool▁sep{_BARS}>)?\s*(\w+)"
        rf"\s*(?:<{_BARS}tool▁sep{_BARS}>|```json)",
    ),
    (
        CallForm.MISTRAL,
        r"\[TOOL_CALLS\]\s*([\w.-]+)\s*(?:\[CALL_ID\]\w+)?\s*(?:\[ARGS\])?(?=\s*\{)",
    ),
    (CallForm.HARMONY, r"to=(functions\.\w+)[^{}]{0,80}?<\|message\|>"),
    (CallForm.LLAMA, r"<function=([\w.-]+)>(?=\s*\{)"),
)
# A mark, and objects that hold name and arguments: Hermes and Qwen, Mistral up to v7, Llama 3.
_MARKED = (
    (CallForm.HERMES, r"<tool_call>|<\|tool_call\|>"),
    (CallForm.MISTRAL, r"\[TOOL_CALLS\]"),
    (CallForm.LLAMA, r"<\|python_tag\|>"),
)
# A tag with the name, a tag for each argument, their ends: Qwen3-Coder; MiniMax, DeepSeek's DSML
# and the `<function_calls>` of models that have read Claude's; GLM.
_TAGGED = (
    (CallForm.QWEN, r"<function=([\w.-]+)>", "</function>", r"<parameter=(\w+)>", "</parameter>"),
    (
        *(CallForm.INVOKE, rf'<{_DSML}invoke name="([^"]{{1,80}})">', rf"</{_DSML}invoke>"),
        *(rf'<{_DSML}parameter name="(\w+)"[^<>]*>', rf"</{_DSML}parameter>"),
    ),
    (
        *(CallForm.GLM, r"<tool_call>\s*([\w.-]+)\s*(?=<arg_key>)", "</tool_call>"),
        *(r"<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>", "</arg_value>"),
    ),
)
# A fence, or a message, that holds nothing but the objects: Llama 3 behind Ollama, Command R.
_WHOLE = re.compile(r"```[\w-]*[ \t]*\n(?P<fenced>.*?)```|\A\s*(?P<all>[{\[].*)\Z", re.DOTALL)
# Where a call's object is no JSON, its name is all that can be told.
_NAME = re.compile(r'"name"\s*:\s*"([^"]+)"')
_MOST = 64
"""Marks of one form that are looked at: no model calls so often at once, a hostile text does."""
# Several calls may follow one mark, with a sign between them or none.
_BETWEEN = re.compile(r"[\s;,]*")
# DeepSeek V3 fences its arguments and closes the fence before its own end mark.
_FENCE_END = re.compile(r"\s*```(?=\s*<)")
# Not strict: models write code with its line ends as they are.
_DECODER = json.JSONDecoder(strict=False)


def _all_marked(text: str) -> Iterator[MarkedCalls]:
    for form, mark in _NAMED:
        for found in islice(re.finditer(mark, text), _MOST):
            values, end = _values_at(text, found.end(), at_most=1)
            if values and isinstance(values[0], dict):
                fence = _FENCE_END.match(text, end)
                end = fence.end() if fence else end
                yield _marked(form, [(found[1], values[0])], found.start(), end)
    for form, mark in _MARKED:
        for found in islice(re.finditer(mark, text), _MOST):
            values, end = _values_at(text, found.end())
            if values and None not in (calls := [_call_in(value) for value in values]):
                yield _marked(form, calls, found.start(), end)
    for form, opening, closing, *parameter in _TAGGED:
        for found in _spans(text, opening, closing):
            pairs = [(value[1], value["inside"]) for value in _spans(found["inside"], *parameter)]
            if pairs or not found["inside"].strip():
                arguments = {name: _unwrapped(value) for name, value in pairs}
                yield _marked(form, [(found[1], arguments)], *found.span())
    for found in _WHOLE.finditer(text):
        body = found["fenced"] or found["all"] or ""
        values, end = _values_at(body, 0)
        calls = [_call_in(value) for value in values]
        complete = values and not body[end:].strip() and None not in calls
        if complete and all(isinstance(arguments, dict) for _, arguments in filter(None, calls)):
            yield _marked(CallForm.JSON, calls, *found.span())
    for found in _spans(text, "<tool_call>", "</tool_call>"):
        # Arguments that are no JSON are the model's fault and not the server's: an answer says so.
        if (name := _NAME.search(found["inside"])) and found["inside"].lstrip().startswith("{"):
            yield _marked(CallForm.HERMES, [(name[1], found["inside"].strip())], *found.span())


def _spans(text: str, opening: str, closing: str) -> Iterator[re.Match[str]]:
    """What stands from an opening to the next closing, the group `inside` in between.

    What follows the last closing is left out: from each opening there, a search would go on to
    the end in vain, and a hostile text can hold thousands.
    """
    ends = [found.end() for found in re.finditer(closing, text)]
    pattern = re.compile(rf"{opening}(?P<inside>.*?){closing}", re.DOTALL)
    return pattern.finditer(text, 0, ends[-1]) if ends else iter(())


def _marked(
    form: CallForm, calls: list[tuple[str, object]] | list[Any], start: int, end: int
) -> MarkedCalls:
    return MarkedCalls(form=form, calls=tuple(calls), start=start, end=end)


def _values_at(text: str, position: int, at_most: int | None = None) -> tuple[list[Any], int]:
    """The objects that stand there in a row, those of lists too, and where they end."""
    values: list[Any] = []
    end = position
    while at_most is None or len(values) < at_most:
        between = _BETWEEN.match(text, end)
        start = between.end() if between else end
        if not text.startswith(("{", "["), start):
            break
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        values += value if isinstance(value, list) else [value]
    return values, end


def _call_in(value: Any) -> tuple[str, object] | None:
    """Name and arguments of an object that is a call, under the names that models give them."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("function"), dict):
        value = value["function"]
    names = (value.get(key) for key in ("name", "tool_name", "function"))
    name = next((name for name in names if isinstance(name, str)), None)
    key = next((key for key in ("arguments", "parameters", "input") if key in value), None)
    return None if name is None or key is None else (name, value[key])


def _unwrapped(value: str) -> str:
    """An argument without the line ends that set it off from its tags."""
    return value.removeprefix("\n").removesuffix("\n")
