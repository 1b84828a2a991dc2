"""Chooses the blocks of a message that are its program or its expression.

The rules stand in docs/extraction.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sema_bench.extraction.block_role import Standing, standings, tells_a_result
from pytest_sema_bench.extraction.message import Block, Message
from pytest_sema_bench.extraction.source import Source, read_source
from pytest_sema_bench.extraction.unfenced import bare_code, inline_code

_SEMA_TAGS = frozenset({"", "sema", "code"})
_OTHER_LISP_TAGS = frozenset(
    {"lisp", "scheme", "scm", "clojure", "clj", "cljs", "clojurescript", "racket", "rkt", "elisp"}
    | {"emacs-lisp", "common-lisp", "commonlisp", "cl", "hy", "fennel", "janet", "guile"}
    | {"s-expression", "sexp", "sexpr", "sexps"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    source: Source
    standing: Standing
    folded: str
    """The code with each run of blanks made one."""

    @classmethod
    def of(cls, source: Source, standing: Standing = Standing.PLAIN) -> "_Candidate":
        return cls(source=source, standing=standing, folded=" ".join(source.text.split()))


def choose_program(message: Message) -> tuple[tuple[str, ...], str]:
    """The sources of the definitions, in the order they are loaded, and the rule."""
    candidates, rule = _candidates(message)
    if not any(candidate.source.defines for candidate in candidates):
        return _texts(candidates), rule
    return _texts(_definitions(candidates)), rule


def choose_expression(message: Message) -> tuple[tuple[str, ...], str]:
    """The sources of which the last one ends with the expression, and the rule."""
    candidates, rule = _candidates(message)
    chosen: _Candidate | None = None
    for candidate in candidates:
        if candidate.source.has_value and (chosen is None or _replaces(candidate, chosen)):
            chosen = candidate
    if chosen is None:
        return _texts(_definitions(candidates)), rule
    before = candidates[: next(i for i, c in enumerate(candidates) if c is chosen)]
    loaded = [c for c in _definitions([*before, chosen]) if c is not chosen]
    return _texts([*loaded, chosen]), rule


def _texts(candidates: Sequence[_Candidate]) -> tuple[str, ...]:
    return tuple(candidate.source.text for candidate in candidates)


def _definitions(candidates: Sequence[_Candidate]) -> list[_Candidate]:
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
        return new.standing >= Standing.PLAIN
    return new.standing > old.standing


def _candidates(message: Message) -> tuple[list[_Candidate], str]:
    if fenced := _fenced(message):
        return fenced, "fenced block" if len(fenced) == 1 else "fenced blocks"
    if bare := bare_code(message.prose):
        return [_Candidate.of(read_source(bare))], "bare code"
    if sources := inline_code(message.prose):
        return [_Candidate.of(source) for source in sources], "inline code"
    data = [block for block in message.blocks if block.tag in _SEMA_TAGS]
    if data and not tells_a_result(data[-1]):
        return [_Candidate.of(read_source(data[-1].body))], "fenced block"
    return [], "no code"


def _fenced(message: Message) -> list[_Candidate]:
    """The blocks that hold code, with what the prose above them says of them."""
    named = standings(message.blocks)
    read = [(b, s, _read_block(b)) for b, s in zip(message.blocks, named, strict=True)]
    code = [found for found in read if found[2].is_code]
    lisp = [found for found in code if found[0].tag in _SEMA_TAGS | _OTHER_LISP_TAGS]
    code = lisp or [found for found in code if found[2].readable]
    code = [(b, s, c) for b, s, c in code if b.closed or c.readable] or code
    code = [(b, s, c) for b, s, c in code if not c.is_sketch] or code
    has_sema = any(block.tag == "sema" for block, _, _ in code)
    candidates: list[_Candidate] = []
    for block, said, source in code:
        standing = said
        if has_sema and block.tag in _OTHER_LISP_TAGS:
            standing = min(said, Standing.ASIDE)
        elif not candidates and said is Standing.ASIDE:
            standing = Standing.PLAIN  # nothing stands before it that it could be an aside to
        candidates.append(_Candidate.of(source, standing))
    return candidates


def _read_block(block: Block) -> Source:
    """The code of a block; of one that is never closed only the code, not the prose below it."""
    bare = None if block.closed else bare_code(block.body, is_all_code=True)
    return read_source(bare or block.body)
