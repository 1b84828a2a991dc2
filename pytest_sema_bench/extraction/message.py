"""A model's message taken apart: what is not part of the answer removed, blocks found.

Knows markdown and the marks that chat templates leave; knows nothing of Sema. Everything here
takes time in proportion to the text.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

_THOUGHT_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
_CALL_TAGS = (
    ("<tool_call>", "</tool_call>"),
    ("<tool_response>", "</tool_response>"),
    ("<function_call>", "</function_call>"),
    ("<function_calls>", "</function_calls>"),
    ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
)
_ANSWER_TAGS = (
    ("<answer>", "</answer>"),
    ("<final_answer>", "</final_answer>"),
    ("<final>", "</final>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
)
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_TURN_END = re.compile(
    r"<\|(?:im_end|eot_id|end|return|endoftext|end_of_text|eom_id|user|observation)\|>"
    r"|</s>|<end_of_turn>|<eos>|<｜end▁of▁sentence｜>|<\|im_start\|>(?:user|system)\b"
)
_TOKEN = re.compile(
    r"<\|(?:im_start|start_header_id)\|>(?:assistant)?(?:<\|end_header_id\|>)?\s?"
    r"|<start_of_turn>(?:model)?|<[|｜][^|｜<>\s]{1,40}[|｜]>|</?s>|\[/?INST\]"
)
_LEADING_TOKENS = re.compile(rf"(?:\s|{_TURN_END.pattern}|{_TOKEN.pattern})*+")
_HTML_BLOCK = re.compile(r"<pre\b[^<>]{0,80}>\s*(?:<code\b[^<>]{0,80}>)?|(?:</code>\s*)?</pre>")
_HTML_CODE = re.compile(r"</?code\b[^<>]{0,80}>")
_HTML_BOLD = re.compile(r"</?(?:b|strong)>")
_HTML_BOX = re.compile(r"</?(?:output|result|value|p|br ?/?)>")
_RUN = re.compile(r"`{3,}+|~{3,}+")
_TICKS = re.compile(r"`++")
_WRAPPER_TAGS = frozenset({"markdown", "md"})
_TAG = re.compile(r"(?P<tag>[A-Za-z][\w+#.-]*)(?:[:,{=][^`(]*)?")
_QUOTE = re.compile(r"^\s{0,3}>\s?")


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

    text: str
    blocks: tuple[Block, ...]
    prose: str
    """The text with each block replaced by a line `NUL index NUL`."""


def read_message(text: str) -> Message:
    """The parts of a message, in order."""
    cleaned = _without_marks(text.replace("\r\n", "\n").replace("\r", "\n"))
    reader = _Reader()
    for line in cleaned.split("\n"):
        reader.read(line)
    reader.finish()
    return Message(text=cleaned, blocks=tuple(reader.blocks), prose="\n".join(reader.prose))


def line_end(text: str, position: int) -> int:
    """Where the line ends in which a position stands."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def block_index(line: str) -> int | None:
    """The index of the block that this line of `Message.prose` stands for, None for prose."""
    found = re.fullmatch(r"\0(\d+)\0", line.strip())
    return int(found[1]) if found else None


def code_spans(line: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of each `…` span of a line."""
    runs = list(_TICKS.finditer(line))
    following: dict[int, int] = {}
    closer: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = len(runs[index][0])
        if length in following:
            closer[index] = following[length]
        following[length] = index
    index = 0
    while index < len(runs):
        if index in closer:
            opening, closing = runs[index], runs[closer[index]]
            yield opening.start(), closing.end(), line[opening.end() : closing.start()].strip()
            index = closer[index]
        index += 1


def _without_marks(text: str) -> str:
    if _FINAL_CHANNEL in text:
        text = text.rpartition(_FINAL_CHANNEL)[2]
    for opening, closing in _THOUGHT_TAGS + _CALL_TAGS:
        text = _without_spans(text, opening, closing)
    for opening, closing in _ANSWER_TAGS:
        text = _last_span(text, opening, closing)
    begin = _LEADING_TOKENS.match(text)
    text = text[begin.end() :] if begin and begin[0].strip() else text
    end = _TURN_END.search(text)
    text = _TOKEN.sub("", text[: end.start()] if end else text)
    return _without_html(text) if "```" not in text and "</" in text else text


def _without_html(text: str) -> str:
    """HTML written as markdown: only for messages that have no fence of their own."""
    text = _HTML_CODE.sub("`", _HTML_BLOCK.sub("\n```\n", text))
    return html.unescape(_HTML_BOX.sub("\n", _HTML_BOLD.sub("**", text)))


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


def _last_span(text: str, opening: str, closing: str) -> str:
    _, mark, after = text.rpartition(opening)
    content = after.partition(closing)[0]
    return content if mark and content.strip() else text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    before: str
    fence: str
    tag: str
    content: str
    """Code on the fence's own line."""
    info: str
    """All that follows the fence."""

    @property
    def is_prose(self) -> bool:
        """Whether words follow the fence, as behind a closing fence in a careless message."""
        return not self.content and len(self.info.split()) > 2


class _Reader:
    """Reads a message line by line, as CommonMark does, but forgives what models do.

    A fence may open at the end of a line of prose and close at the end of a line of code,
    code may stand on the opening line, and a tagged fence inside a block opens the next one.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.prose: list[str] = []
        self._lead: list[str] = []
        self._fence: str | None = None
        self._tag = ""
        self._body: list[str] = []
        self._is_quoted = False

    def read(self, line: str) -> None:
        """Take in the next line."""
        if self._fence is not None and self._is_quoted:
            line = _QUOTE.sub("", line)
        if self._fence is None:
            self._read_prose(line)
        elif (closing := self._closing(line)) is not None:
            self._body += [closing] if closing.strip() else []
            self._end(closed=True)
        elif (opening := _opening(line)) and not opening.before.strip() and opening.tag:
            self._end(closed=opening.is_prose)
            if opening.is_prose:
                self._say(opening.info)
            else:
                self._read_prose(line)
        else:
            self._body.append(line)

    def finish(self) -> None:
        """End a block that is still open."""
        if self._fence is not None:
            self._end(closed=False)

    def _read_prose(self, line: str) -> None:
        opening = _opening(line)
        if opening is None:
            self._say(line)
            return
        if opening.before.strip(" >"):
            self._say(opening.before)
        if opening.tag in _WRAPPER_TAGS:
            return
        self._fence, self._tag, self._body = opening.fence, opening.tag, [opening.content]
        self._is_quoted = opening.before.strip() == ">"
        if (end := opening.content.rfind(opening.fence)) >= 0:
            self._body = [opening.content[:end]]
            self._end(closed=True)
            self._say(opening.content[end + len(opening.fence) :])

    def _say(self, text: str) -> None:
        text = text.replace("\0", " ").replace("：", ": ")
        self.prose.append(text)
        self._lead.append(text)

    def _closing(self, line: str) -> str | None:
        """What stands before the closing fence on this line, None if it closes nothing."""
        fence = self._fence or "```"
        stripped = line.rstrip()
        kept = stripped.rstrip(fence[0])
        return kept if len(stripped) - len(kept) >= len(fence) else None

    def _end(self, *, closed: bool) -> None:
        if "".join(self._body).strip():
            self.prose.append(f"\0{len(self.blocks)}\0")
            self.blocks.append(
                Block(
                    tag=self._tag,
                    body="\n".join(self._body).strip("\n"),
                    lead="\n".join(self._lead),
                    closed=closed,
                )
            )
            self._lead = []
        self._fence = None


def _opening(line: str) -> _Opening | None:
    """The fence that opens a block on this line, None if there is none."""
    runs = list(_RUN.finditer(line))
    if not runs:
        return None
    before, info = line[: runs[0].start()], line[runs[0].end() :].strip()
    if before.strip() and (len(runs) != 1 or not re.fullmatch(r"[\w.+#-]*", info)):
        return None
    tag, content = _tag_and_content(info)
    return _Opening(before=before, fence=runs[0][0], tag=tag, content=content, info=info)


def _tag_and_content(info: str) -> tuple[str, str]:
    """The tag behind a fence and what is content already: `lisp (+ 1 2)` has both."""
    word = (info.strip("{}. ").split(None, 1) or [""])[0]
    found = _TAG.fullmatch(word)
    if found is None:
        return "", info
    rest = info.partition(word)[2].strip().strip("}")
    is_content = rest.startswith(("(", "'", "[", "{", ";", '"')) or "`" in rest
    return found["tag"].lower(), rest if is_content else ""
