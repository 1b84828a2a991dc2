"""Which blocks of a message are its program or expression.

The rules stand in docs/extraction.md; this module follows its sections.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pytest_sema_bench.answer.message import Block, Message, code_spans
from pytest_sema_bench.answer.source import Source, is_call, read_source
from pytest_sema_bench.syntax import Form, ReadError, read_form


class _Standing(IntEnum):
    """How a block stands to an earlier one that defines the same: a higher one replaces it."""

    DRAFT = 0
    ASIDE = 1
    PLAIN = 2
    FINAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    source: Source
    standing: _Standing
    folded: str
    """The code with each run of blanks made one."""

    @classmethod
    def of(cls, source: Source, standing: _Standing = _Standing.PLAIN) -> "_Candidate":
        """A candidate; plain where nothing is said of it."""
        return cls(source=source, standing=standing, folded=" ".join(source.text.split()))


_SEMA_TAGS = frozenset({"", "sema", "code"})
_LISP_TAGS = frozenset(
    [
        "lisp",
        "scheme",
        "scm",
        "clojure",
        "clj",
        "cljs",
        "clojurescript",
        "racket",
        "rkt",
        "elisp",
        "emacs-lisp",
        "common-lisp",
        "commonlisp",
        "cl",
        "hy",
        "fennel",
        "janet",
        "guile",
        "s-expression",
        "sexp",
        "sexpr",
        "sexps",
    ]
)
_FINAL_CUE = re.compile(
    r"\b(?:final(?:ly)?|corrected|correction|fixed|revised|updated|improved|oops|sorry|altogether"
    r"|all together|putting (?:it|this|that|everything|them)|combin(?:ed|ing)|overall"
    r"|(?:correct|full|complete|working|right|whole) (?:version|answer|solution|code|expression"
    r"|function|macro|program|implementation|one|form))\b",
    re.IGNORECASE,
)
_TURN_CUE = re.compile(
    r"\b(?:oops|hmm|correction|mistake|my bad|scratch that|on second thought|let me (?:fix|correct"
    r"|revise|rewrite|redo|try again|reconsider))\b"
    r"|(?:^|[.!?\n])[ \t]{0,4}(?:but |no, )?(?:wait|actually)\b",
    re.IGNORECASE,
)
_DRAFT_CUE = re.compile(
    r"\b(?:(?:first|earlier|initial|original|previous) (?:attempt|try|draft|version|code|idea)"
    r"|draft|initially|originally|wrong|incorrect|broken|buggy"
    r"|(?:wo|does|do)n[’']t (?:work|do|write)"
    r"|does not work|will not work|fails|failed|mistaken)\b",
    re.IGNORECASE,
)
_ASIDE_CUE = re.compile(
    r"\b(?:alternativ\w*|alternate|equivalent\w*|another|variant|also|could|expan(?:d|ds|ded|sion"
    r"|ding)|desugars?|becomes|trac(?:e|ing)|steps?|conceptually|essentially|roughly|same as"
    r"|pseudo\w*|general form|instead of|rather than|bonus|shorter|more (?:idiomatic|general)"
    r"|in (?:clojure|scheme|common lisp|racket|python|javascript|haskell|elisp)"
    r"|(?:option|method|approach) (?:[2-9]|two|three|b)"
    r"|how (?:it|this) works|explanation|breakdown|notes?|why)\b|^\W*or\b",
    re.IGNORECASE,
)
_USE_CUE = re.compile(
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
_HEADING = re.compile(r"^\s*(?:#{1,6}\s+(?P<hash>\S.*)|\*\*(?P<bold>[^*]{1,80})\*\*:?\s*)$")
_STEP = re.compile(r"^\s*(?:\d+[.)]|[-*•+])\s")
_CODE_LINE = re.compile(
    r"^[ \t]*(?:[-*>•][ \t]+|\d+[.)][ \t]+)?[*_]{0,3}(?:\w[\w ]{0,30}:\s*|"
    r"(?:sema\S{0,10}>|>{1,3}|λ>?)\s+)?(?=\()",
    re.MULTILINE,
)
_CLOSERS = re.compile(r"(?:[ \t]*[)\]}])*+")
_AFTER_CODE = re.compile(r"[ \t]*(?:[)\]}]|;|=>|→|⇒|->|//|#|[*_]{1,3}\s|[*_]{0,3}$)", re.MULTILINE)


def extract_program(message: Message) -> tuple[tuple[str, ...], str]:
    """The sources of the definitions, in the order they are loaded, and the rule."""
    candidates, rule = _candidates(message)
    if not any(c.source.defines for c in candidates):
        return _texts(candidates), rule
    return _texts(_standing_definitions(candidates)), rule


def extract_expression(message: Message) -> tuple[tuple[str, ...], str]:
    """The sources whose last one ends with the expression, and the rule."""
    candidates, rule = _candidates(message)
    chosen: int | None = None
    for index, candidate in enumerate(candidates):
        if not candidate.source.has_value:
            continue
        if chosen is None or _replaces(candidate, candidates[chosen]):
            chosen = index
    if chosen is None:
        return _texts(_standing_definitions(candidates)), rule
    before = [c for c in candidates[:chosen] if c.source.defines]
    definitions = _standing_definitions([*before, candidates[chosen]])
    loaded = [c for c in definitions if c is not candidates[chosen]]
    return _texts([*loaded, candidates[chosen]]), rule


def _texts(candidates: Sequence[_Candidate]) -> tuple[str, ...]:
    return tuple(c.source.text for c in candidates)


def _standing_definitions(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The candidates that define something, without drafts and alternatives."""
    kept: list[_Candidate] = []
    owner: dict[str, _Candidate] = {}
    for new in candidates:
        rivals = [owner[name] for name in new.source.defines if name in owner]
        if new.source.defines and all(_replaces(new, old) for old in rivals):
            kept.append(new)
            owner |= dict.fromkeys(new.source.defines, new)
    return [c for c in kept if any(owner[name] is c for name in c.source.defines)]


def _replaces(new: _Candidate, old: _Candidate) -> bool:
    if new.source.readable and new.folded in old.folded:
        return False
    if new.standing is old.standing:
        return new.standing >= _Standing.PLAIN
    return new.standing > old.standing


def _candidates(message: Message) -> tuple[list[_Candidate], str]:
    if fenced := _fenced(message):
        return fenced, "fenced block" if len(fenced) == 1 else "fenced blocks"
    if bare := _bare_code(message.prose):
        return [_Candidate.of(read_source(bare))], "bare code"
    if spans := _inline_code(message.prose):
        return spans, "inline code"
    if constants := _constants(message):
        return constants, "fenced block"
    return [], "no code"


def _constants(message: Message) -> list[_Candidate]:
    """A block that holds data only, unless the line above says that it is a result."""
    blocks = [block for block in message.blocks if block.tag in _SEMA_TAGS]
    lead = blocks[-1].lead.strip().split("\n")[-1] if blocks else ""
    return (
        [_Candidate.of(read_source(blocks[-1].body))]
        if blocks and not _USE_CUE.search(lead)
        else []
    )


def _fenced(message: Message) -> list[_Candidate]:
    """The blocks that hold code, with what the prose before them says of them."""
    read = [(block, _read_block(block)) for block in message.blocks]
    code = [(b, s) for b, s in read if s.is_code and b.tag in _SEMA_TAGS | _LISP_TAGS]
    code = code or [(b, s) for b, s in read if s.is_code and s.readable]
    whole = [(b, s) for b, s in code if b.closed or s.readable]
    code = whole or code
    code = [(b, s) for b, s in code if not s.is_sketch] or code
    has_sema = any(block.tag == "sema" for block, _ in code)
    standings = dict(zip(map(id, message.blocks), _standings(message.blocks), strict=True))
    candidates: list[_Candidate] = []
    for block, source in code:
        standing = standings[id(block)]
        if has_sema and block.tag in _LISP_TAGS:
            standing = min(standing, _Standing.ASIDE)
        elif not candidates and standing is _Standing.ASIDE:
            standing = _Standing.PLAIN
        candidates.append(_Candidate.of(source, standing))
    return candidates


def _read_block(block: Block) -> Source:
    """The code of a block; of one that is never closed only the code, not the prose below it."""
    bare = None if block.closed else _bare_code(block.body, is_all_code=True)
    return read_source(bare or block.body)


def _standings(blocks: Sequence[Block]) -> Iterator[_Standing]:
    heading = ""
    for block in blocks:
        lines = [line for line in block.lead.split("\n") if re.search(r"\w", line)]
        for line in lines:
            if found := _HEADING.match(line):
                heading = found["hash"] or found["bold"]
        yield _standing(lines, heading)


def _standing(lead: Sequence[str], heading: str) -> _Standing:
    """What the prose above a block says of it: the line above, turns in between, the heading."""
    last = lead[-1] if lead else ""
    if _DRAFT_CUE.search(last) and not _FINAL_CUE.search(last):
        return _Standing.DRAFT
    if _FINAL_CUE.search(last) and not re.search(r"\bsteps?\b", last, re.IGNORECASE):
        return _Standing.FINAL
    if _ASIDE_CUE.search(last):
        return _Standing.ASIDE
    if _TURN_CUE.search("\n".join(lead)):
        return _Standing.FINAL
    if _INTRODUCES.search(last):
        return _Standing.PLAIN
    aside = _USE_CUE.search(last) or _STEP.match(last)
    return _Standing.ASIDE if aside or _is_aside_heading(heading) else _Standing.PLAIN


def _is_aside_heading(heading: str) -> bool:
    return bool(
        (_ASIDE_CUE.search(heading) or _USE_CUE.search(heading))
        and not _FINAL_CUE.search(heading)
        and not _INTRODUCES.search(heading)
    )


def _bare_code(prose: str, *, is_all_code: bool = False) -> str | None:
    """The forms that stand on lines of their own, None if there are none.

    A closing bracket too many is kept, and so is a form that is never closed if it begins as
    code does or the text is to be code: leaving prose out must not mend code.
    """
    kept: list[str] = []
    position, to_spend = 0, len(prose) + 20_000
    while to_spend > 0 and (found := _CODE_LINE.search(prose, position)):
        start = found.end()
        position = _line_end(prose, start)
        try:
            form = read_form(prose, start)
        except ReadError as error:
            begins_code = is_all_code or re.match(r"\((?:def|let|->)", prose[start : start + 5])
            if error.unfinished and begins_code:
                kept.append(prose[start:])
                break
            to_spend -= len(prose) - start if error.unfinished else error.position - start
            continue
        to_spend -= form.end - start
        position = form.end
        if _AFTER_CODE.match(prose, form.end) and _reads_as_code(form):
            closers = _CLOSERS.match(prose, form.end)
            position = closers.end() if closers else form.end
            kept.append(prose[start:position])
    return "\n".join(kept) or None


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _reads_as_code(form: Form) -> bool:
    """Whether a form is code and not a remark in brackets."""
    if not is_call(form) or form.head is None:
        return False
    remark = form.head[0].isupper() or re.search(r"\w[.,:](?:\s|\)$)", form.text)
    return form.head.startswith("def") or not remark


def _inline_code(prose: str) -> list[_Candidate]:
    """The definitions among the `…` spans, or the longest call."""
    spans = [text for line in prose.split("\n") for _, _, text in code_spans(line)]
    sources = [source for source in map(read_source, spans) if source.is_code]
    definitions = [_Candidate.of(source) for source in sources if source.defines]
    longest = max(sources, key=lambda source: len(source.text), default=None)
    return definitions or ([_Candidate.of(longest)] if longest else [])
