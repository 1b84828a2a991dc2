"""What the prose above a block says of it: the answer, a draft of it, or something beside it."""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum

from pytest_sema_bench.extraction.message import Block


class Standing(IntEnum):
    """How a block stands to an earlier one that holds the same: a higher one replaces it.

    Of two plain or two final blocks the later one counts, of two asides the earlier one.
    """

    DRAFT = 0
    ASIDE = 1
    PLAIN = 2
    FINAL = 3


_FINAL = re.compile(
    r"\b(?:final(?:ly)?|corrected|correction|fixed|revised|updated|improved|oops|sorry|altogether"
    r"|all together|putting (?:it|this|that|everything|them)|combin(?:ed|ing)|overall"
    r"|(?:correct|full|complete|working|right|whole) (?:version|answer|solution|code|expression"
    r"|function|macro|program|implementation|one|form))\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:oops|hmm|correction|mistake|my bad|scratch that|on second thought"
    r"|let me (?:fix|correct|revise|rewrite|redo|try again|reconsider))\b"
    r"|(?:^|[.!?\n])[ \t]{0,4}(?:but |no, )?(?:wait|actually)\b",
    re.IGNORECASE,
)
_DRAFT = re.compile(
    r"\b(?:(?:first|earlier|initial|original|previous) (?:attempt|try|draft|version|code|idea)"
    r"|draft|initially|originally|wrong|incorrect|broken|buggy|fails|failed|mistaken"
    r"|(?:wo|does|do)n[’']t (?:work|do|write)|(?:does|will|do) not (?:work|do|write))\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:alternativ\w*|alternate|equivalent\w*|another|variant|also|could|traces?|tracing"
    r"|expan(?:ds?|ded|sion|ding)|desugars?|becomes|steps?|conceptually|essentially|roughly"
    r"|same as|pseudo\w*|general form|instead of|rather than|bonus|shorter|more idiomatic"
    r"|in (?:clojure|scheme|common lisp|racket|python|javascript|haskell|elisp)"
    r"|(?:option|method|approach) (?:[2-9]|two|three|b)|how (?:it|this) works|explanation"
    r"|breakdown|notes?|why)\b|^\W*or\b",
    re.IGNORECASE,
)
_USE = re.compile(
    r"\b(?:examples?|for instance|e\.g|usage|us(?:e|ing) it|tests?|testing|try it|call(?:s|ing)?"
    r"|demo\w*|verif\w+|check\w*|outputs?|results?|returns?|gives|yields|prints|produces"
    r"|evaluat\w+)\b",
    re.IGNORECASE,
)
_INTRODUCES = re.compile(
    r"\bhere(?:[’']s| is| are)\b|\b(?:solution|implementation|function|macro|program|code"
    r"|expression|definition|answer)\b[^.]{0,60}$",
    re.IGNORECASE,
)
_STEPS = re.compile(r"\bsteps?\b", re.IGNORECASE)
_HEADING = re.compile(r"^\s*(?:#{1,6}\s+(?P<hash>\S.*)|\*\*(?P<bold>[^*]{1,80})\*\*:?\s*)$")
_LIST_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•+])\s")


def standings(blocks: Sequence[Block]) -> Iterator[Standing]:
    """The standing of each block, by the line above it, a change of mind, its heading."""
    heading = ""
    for block in blocks:
        lines = [line for line in block.lead.split("\n") if re.search(r"\w", line)]
        for line in lines:
            if found := _HEADING.match(line):
                heading = found["hash"] or found["bold"]
        yield _standing(lines, heading)


def tells_a_result(block: Block) -> bool:
    """Whether the line above a block says that it holds a result."""
    return bool(_USE.search(block.lead.strip().rsplit("\n", 1)[-1]))


def _standing(lead: Sequence[str], heading: str) -> Standing:
    above = lead[-1] if lead else ""
    if _FINAL.search(above) and not _STEPS.search(above):
        return Standing.FINAL
    if _DRAFT.search(above):
        return Standing.DRAFT
    if _ASIDE.search(above):
        return Standing.ASIDE
    if _TURN.search("\n".join(lead)):
        return Standing.FINAL
    if _INTRODUCES.search(above):
        return Standing.PLAIN
    aside = _USE.search(above) or _LIST_ITEM.match(above) or _heads_an_aside(heading)
    return Standing.ASIDE if aside else Standing.PLAIN


def _heads_an_aside(heading: str) -> bool:
    of_answer = _FINAL.search(heading) or _INTRODUCES.search(heading)
    return not of_answer and bool(_ASIDE.search(heading) or _USE.search(heading))
