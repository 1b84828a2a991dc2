"""A model's message taken apart: what is not part of the answer removed, blocks found.

Knows markdown and the marks that chat templates leave; knows nothing of Sema. Everything here
takes time in proportion to the text.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

_HIDDEN = (
    *("think", "thinking", "thought", "reasoning", "reflection", "scratchpad"),
    *("tool_call", "tool_response", "function_call", "function_calls"),
)
_HIDDEN_SPANS = (
    *((f"<{name}>", f"</{name}>") for name in _HIDDEN),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
)
"""Thoughts and calls, left in the text by servers that do not parse them."""
_ANSWER_SPANS = (
    *((f"<{name}>", f"</{name}>") for name in ("answer", "final_answer", "final")),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
)
# gpt-oss thinks aloud on other channels before it.
_FINAL_CHANNEL = "<|channel|>final<|message|>"
# A model that does not stop goes on with the user's next turn; that is no part of the answer.
_TURN_END = re.compile(
    r"<\|(?:im_end|eot_id|end|return|endoftext|end_of_text|eom_id|user|observation)\|>"
    r"|</s>|<end_of_turn>|<eos>|<｜end▁of▁sentence｜>|<\|im_start\|>(?:user|system)\b"
)
# Any `<|mark|>` of a template; with a blank inside, as in `<| a |>`, it may be code.
_TOKEN = re.compile(
    r"<\|(?:im_start|start_header_id)\|>(?:assistant)?(?:<\|end_header_id\|>)?\s?"
    r"|<start_of_turn>(?:model)?|<[|｜][^|｜<>\s]{1,40}[|｜]>|</?s>|\[/?INST\]"
)
# At the very start, the end of a turn is that of the prompt.
_LEADING_TOKENS = re.compile(rf"(?:\s|{_TURN_END.pattern}|{_TOKEN.pattern})*+")
# HTML becomes the markdown that is read below.
_HTML = (
    (re.compile(r"<pre\b[^<>]{0,80}>\s*(?:<code\b[^<>]{0,80}>)?|(?:</code>\s*)?</pre>"), "\n```\n"),
    (re.compile(r"</?code\b[^<>]{0,80}>"), "`"),
    (re.compile(r"</?(?:b|strong)>"), "**"),
    (re.compile(r"</?(?:output|result|value|p|br ?/?)>"), "\n"),
)

CODE_SPAN = re.compile(r"(?<!`)(?P<ticks>`++)(?P<code>[^`\n]++)(?P=ticks)(?!`)")
"""Code in a sentence. Possessive: a run of backticks is one mark, and none is tried twice."""
# A line with a fence in it; before it there may be shorter runs, those of code in the sentence.
_OPENING = re.compile(
    r"^(?P<before>(?:[^`~\n]|(?<!`)`{1,2}(?!`)|~(?!~~))*+)(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n]*)",
    re.MULTILINE,
)
# A run that neither begins nor ends its line is code: `(display "```")`.
_FENCE = re.compile(r"(?P<first>^[ \t>]*+)?(?P<run>`{3,}+|~{3,}+)(?P<last>[ \t]*$)?", re.MULTILINE)
# Behind a fence: a tag, alone or with attributes (`sema:f.sema`, `{.scheme}`).
_TAG = re.compile(r"\s*(?:\{?\.?(?P<tag>[A-Za-z][\w+#.-]*)(?:[:,{=][^\s`(]*)?\}?(?=\s|$))?\s*")
_CODE_STARTS = ("(", "'", "[", "{", ";", '"')
_WRAPPER_TAGS = frozenset({"markdown", "md"})
"""A whole message may stand in such a block; it is read as if the fence were not there."""
# In a quotation each line of a block has the mark.
_QUOTE = re.compile(r"^\s{0,3}>\s?", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    tag: str
    """First word after the fence in small letters, "" if there is none."""
    body: str
    lead: str
    """The prose between the block before it, or the message's start, and this one."""
    closed: bool
    """False if the message ends, or the next block begins, before the closing fence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message without thinking, tool calls and template marks."""

    blocks: tuple[Block, ...]
    prose: str
    """The text with each block replaced by a line `NUL index NUL`."""
    to_sema: Callable[[str], str] = str
    """What makes Sema of its code."""


def read_message(text: str) -> Message:
    """The parts of a message, in order.

    Fences are those of CommonMark, but what models do is forgiven: a fence may open behind prose
    and close behind code, code may stand on the opening line, and a tagged fence inside a block
    opens the next one.
    """
    text = _without_marks(text.replace("\r\n", "\n").replace("\r", "\n"))
    blocks: list[Block] = []
    prose, lead = list[str](), list[str]()
    said_from = position = 0
    while opening := _OPENING.search(text, position):
        position = opening.end()
        before, info = opening["before"].strip(), opening["info"]
        if before not in ("", ">") and not re.fullmatch(r"[\w.+#-]*\s*", info):
            continue  # backticks in a sentence
        lead.append(_prose(text[said_from : opening.start("fence")]))
        tag, code_at = _tag_and_code(info)
        start = opening.end() if code_at is None else opening.start("info") + code_at
        if tag in _WRAPPER_TAGS:
            said_from = start
            continue
        end, position, closed = _block_end(text, start, opening)
        said_from = position
        body = _QUOTE.sub("", text[start:end]) if before else text[start:end]
        if body.strip():
            prose += [*lead, f"\n\0{len(blocks)}\0\n"]
            body = body.strip("\n")
            blocks.append(Block(tag=tag, body=body, lead="".join(lead), closed=closed))
            lead = []
    prose += [*lead, _prose(text[said_from:])]
    return Message(blocks=tuple(blocks), prose="".join(prose))


def line_end(text: str, position: int) -> int:
    """Where the line ends in which a position stands."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _prose(text: str) -> str:
    """Text without what marks a block in prose, and with colons of one width."""
    return text.replace("\0", " ").replace("：", ": ")


def _tag_and_code(info: str) -> tuple[str, int | None]:
    """The tag behind a fence and where code begins on its line; None if none does."""
    found = _TAG.match(info)
    tag, end = ((found["tag"] or "").lower(), found.end()) if found else ("", 0)
    is_code = not tag or info.startswith(_CODE_STARTS, end) or "`" in info[end:]
    return tag, end if is_code else None


def _block_end(text: str, start: int, opening: re.Match[str]) -> tuple[int, int, bool]:
    """Where a block's body ends, where the text goes on, and whether a fence has closed it."""
    for found in _FENCE.finditer(text, start):
        closes = found["run"].startswith(opening["fence"])
        if closes and (found["last"] is not None or found.start() < opening.end()):
            return found.start(), found.end(), True
        if found["first"] is not None:
            info = text[found.end() : line_end(text, found.end())]
            tag, code_at = _tag_and_code(info)
            if tag and (code_at is not None or len(info.split()) <= 2):
                return found.start(), found.start(), False
            if closes:
                return found.start(), found.end(), True
    return len(text), len(text), False


def _without_marks(text: str) -> str:
    if _FINAL_CHANNEL in text:
        text = text.rpartition(_FINAL_CHANNEL)[2]
    for opening, closing in _HIDDEN_SPANS:
        text = _without_spans(text, opening, closing)
    for opening, closing in _ANSWER_SPANS:
        _, mark, after = text.rpartition(opening)
        content = after.partition(closing)[0]
        text = content if mark and content.strip() else text
    begin = _LEADING_TOKENS.match(text)
    text = text[begin.end() :] if begin and begin[0].strip() else text
    end = _TURN_END.search(text)
    text = _TOKEN.sub("", text[: end.start()] if end else text)
    if "```" not in text and "</" in text:  # only where there is no markdown
        for pattern, replacement in _HTML:
            text = pattern.sub(replacement, text)
        text = html.unescape(text)
    return text


def _without_spans(text: str, opening: str, closing: str) -> str:
    """The text outside `opening` … `closing`; a lone closing mark ends what began before."""
    kept, position = [], 0
    while (start := text.find(opening, position)) >= 0:
        kept.append(text[position:start])
        end = text.find(closing, start)
        if end < 0:
            return "".join(kept)
        position = end + len(closing)
    kept.append(text[position:])
    return "".join(kept).rpartition(closing)[2]
