"""What the prose above a block says of it: the answer, a draft of it, or something beside it."""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum

from pytest_sema_bench.extraction.message import Block


class BlockRole(IntEnum):
    """How a block stands to an earlier one that holds the same: a higher one replaces it.

    Of two plain or two final blocks the later one counts, of two asides the earlier one.
    """

    DRAFT = 0
    ASIDE = 1
    PLAIN = 2
    FINAL = 3


# What is said in the line above a block, strongest first.
# "the full function" says it; "full" and "correct" alone are said of anything.
_FINAL = re.compile(
    r"\b(?:final(?:ly)?|corrected|correction|fixed|revised|updated|improved|oops|sorry|altogether"
    r"|all together|putting (?:it|this|that|everything|them)|combin(?:ed|ing)|overall"
    r"|(?:correct|full|complete|working|right|whole) (?:version|answer|solution|code|expression"
    r"|function|macro|program|implementation|one|form))\b",
    re.IGNORECASE,
)
_DRAFT = re.compile(
    r"\b(?:(?:first|earlier|initial|original|previous) (?:attempt|try|draft|version|code|idea)"
    r"|draft|initially|originally|wrong|incorrect|broken|buggy|fails|failed|mistaken"
    r"|(?:wo|does|do)n[’']t (?:work|do|write)|(?:does|will|do) not (?:work|do|write))\b",
    re.IGNORECASE,
)
# "or" only as the first word: "Or with a fold:" is another way, "one or more" is not.
_ASIDE = re.compile(
    r"\b(?:alternat\w*|equivalent\w*|another|variant|also|could|traces?|tracing|expan(?:d|sion)\w*"
    r"|desugars?|becomes|steps?|conceptually|essentially|roughly|same as|pseudo\w*|general form"
    r"|instead of|rather than|bonus|shorter|more idiomatic|explanation|breakdown|notes?|why"
    r"|in (?:clojure|scheme|common lisp|racket|python|javascript|haskell|elisp)"
    r"|(?:option|method|approach) (?:[2-9]|two|three|b)|how (?:it|this) works)\b|^\W*or\b",
    re.IGNORECASE,
)
# A change of mind anywhere since the block before.
_TURN = re.compile(
    r"\b(?:oops|hmm|mistake|my bad|scratch that|on second thought"
    r"|let me (?:fix|correct|revise|rewrite|redo|try again|reconsider))\b"
    r"|(?:^|[.!?\n])[ \t]{0,4}(?:but |no, )?(?:wait|actually)\b",
    re.IGNORECASE,
)
# "Here's a function that returns …" introduces the answer; "It returns" or "Test:" does not.
_ANSWER = re.compile(
    r"\bhere(?:[’']s| is| are)\b|\b(?:solution|implementation|function|macro|program|code"
    r"|expression|definition|answer)\b[^.]{0,60}$",
    re.IGNORECASE,
)
_USE = re.compile(
    r"\b(?:examples?|for instance|e\.g|usage|us(?:e|ing) it|tests?|testing|try it|call(?:s|ing)?"
    r"|demo\w*|verif\w+|check\w*|outputs?|results?|returns?|gives|yields|prints|produces"
    r"|evaluat\w+)\b",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•+])\s")
# `## Usage`, or a line all in bold; bold words within a sentence head nothing.
_HEADING = re.compile(r"^\s*(?:#{1,6}\s+(?P<hash>\S.*)|\*\*(?P<bold>[^*]{1,80})\*\*:?\s*)$")


def roles(blocks: Sequence[Block]) -> Iterator[tuple[Block, BlockRole]]:
    """Each block with its role, by the line above it, a change of mind, its heading."""
    heading = ""
    for block in blocks:
        lines = [line for line in block.lead.split("\n") if re.search(r"\w", line)]
        for line in lines:
            if found := _HEADING.match(line):
                heading = found["hash"] or found["bold"]
        yield block, _role(lines[-1] if lines else "", block.lead, heading)


def tells_a_result(block: Block) -> bool:
    """Whether the line above a block says that it holds a result."""
    return bool(_USE.search(block.lead.strip().rsplit("\n", 1)[-1]))


def _role(above: str, lead: str, heading: str) -> BlockRole:
    # The first that fits counts. A "corrected example" replaces what it corrects, and "a function
    # that returns x" is the function, whatever the heading above it says.
    for pattern, text, role in (
        (_FINAL, above, BlockRole.FINAL),
        (_DRAFT, above, BlockRole.DRAFT),
        (_ASIDE, above, BlockRole.ASIDE),
        (_TURN, lead, BlockRole.FINAL),
        (_ANSWER, above, BlockRole.PLAIN),
        (_USE, above, BlockRole.ASIDE),
        (_LIST_ITEM, above, BlockRole.ASIDE),
        (_FINAL, heading, BlockRole.PLAIN),
        (_ANSWER, heading, BlockRole.PLAIN),
        (_ASIDE, heading, BlockRole.ASIDE),
        (_USE, heading, BlockRole.ASIDE),
    ):
        if pattern.search(text):
            return role
    return BlockRole.PLAIN
