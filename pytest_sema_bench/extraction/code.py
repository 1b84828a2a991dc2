"""Chooses the pieces of a message that are its program or its expression.

The rules stand in docs/extraction.md.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_sema_bench.extraction.block_role import BlockRole, roles, tells_a_result
from pytest_sema_bench.extraction.message import CODE_SPAN, Block, Message, line_end
from pytest_sema_bench.extraction.source import LISP_TAGS, SEMA_TAGS, Source, is_call, read_source
from pytest_sema_bench.sema.reader import Form, ReadError, read_form

# A line that begins with code, behind a list mark, a label ("Answer:") or a prompt.
_CODE_LINE = re.compile(
    r"^[ \t]*(?:[-*>•][ \t]+|\d+[.)][ \t]+)?[*_]{0,3}"
    r"(?:\w[\w ]{0,30}:[ \t]*|(?:sema\S{0,10}>|>{1,3}|λ>?)[ \t]+)?(?=\()",
    re.MULTILINE,
)
# An open bracket in prose is a remark, as a rule; no remark begins like these.
_BEGINS_CODE = re.compile(r"\((?:def|let|->)")
_CLOSERS = re.compile(r"(?:[ \t]*[)\]}])*+")
# "(square 5) evaluates to 25" is a sentence; a comment, a result or nothing may follow code.
_AFTER_CODE = re.compile(r"[ \t]*(?:[)\]}]|;|=>|→|⇒|->|//|#|[*_]{1,3}\s|[*_]{0,3}$)", re.MULTILINE)
# Words with punctuation, "(see above, or below)": code has none behind a name.
_REMARK = re.compile(r"\w[.,:](?:\s|\)$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    source: Source
    role: BlockRole = BlockRole.PLAIN


def choose_program(message: Message) -> tuple[tuple[str, ...], str]:
    """The sources of the definitions, in the order they are loaded, and the rule."""
    candidates, rule = _candidates(message)
    return _texts(_definitions(candidates) or candidates), rule


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
    """Whether a later candidate takes an earlier one's place; what is quoted from it does not."""
    if new.source.forms is not None and _folded(new.source.text) in _folded(old.source.text):
        return False
    if new.role is old.role:
        return new.role >= BlockRole.PLAIN
    return new.role > old.role


def _folded(text: str) -> str:
    return " ".join(text.split())


def _candidates(message: Message) -> tuple[list[_Candidate], str]:
    if fenced := _fenced(message):
        return fenced, "fenced block" if len(fenced) == 1 else "fenced blocks"
    if bare := _bare_code(message.prose):
        return [_Candidate(source=read_source(bare, message.to_sema))], "bare code"
    if sources := _inline_code(message):
        return [_Candidate(source=source) for source in sources], "inline code"
    data = [block for block in message.blocks if block.tag in SEMA_TAGS]
    if data and not tells_a_result(data[-1]):
        return [_Candidate(source=read_source(data[-1].body, message.to_sema))], "fenced block"
    return [], "no code"


def _fenced(message: Message) -> list[_Candidate]:
    """The blocks that hold code, with what the prose above them says of them."""
    read = [
        (block, _read_block(block, message.to_sema), role) for block, role in roles(message.blocks)
    ]
    code = [found for found in read if found[1].is_code]
    lisp = [found for found in code if found[0].tag in SEMA_TAGS | LISP_TAGS]
    code = lisp or [found for found in code if found[1].forms is not None]
    # Neither sieve may leave nothing: an answer that is cut off or has gaps is still the answer.
    code = [found for found in code if found[0].closed or found[1].forms is not None] or code
    code = [found for found in code if not found[1].is_sketch] or code
    has_sema = any(block.tag == "sema" for block, _, _ in code)
    candidates: list[_Candidate] = []
    for block, source, said in code:
        is_foreign = has_sema and block.tag in LISP_TAGS
        role = min(said, BlockRole.ASIDE) if is_foreign else said
        if role is BlockRole.ASIDE and not (candidates or is_foreign):
            role = BlockRole.PLAIN  # nothing stands before it that it could be an aside to
        candidates.append(_Candidate(source=source, role=role))
    return candidates


def _read_block(block: Block, to_sema: Callable[[str], str]) -> Source:
    """The code of a block; of one that is never closed only the code, not the prose below it."""
    bare = None if block.closed else _bare_code(block.body, is_all_code=True)
    return read_source(bare or block.body, to_sema)


def _bare_code(prose: str, *, is_all_code: bool = False) -> str | None:
    """The forms that begin a line and are not followed by words, None if there are none.

    A closing bracket too many is kept, and so is a form that is never closed if it begins as
    code does or the text is meant to be code: leaving prose out must not mend code.
    """
    kept: list[str] = []
    # Each failed read can go to the end of the text, so what all reads may cost is bounded.
    position, to_spend = 0, len(prose) + 20_000
    while to_spend > 0 and (found := _CODE_LINE.search(prose, position)):
        start = found.end()
        position = line_end(prose, start)
        try:
            form = read_form(prose, start)
        except ReadError as error:
            if error.unfinished and (is_all_code or _BEGINS_CODE.match(prose, start)):
                kept.append(prose[start:])
                break
            to_spend -= (len(prose) if error.unfinished else error.position) - start
            continue
        to_spend -= form.end - start
        position = form.end
        if _AFTER_CODE.match(prose, form.end) and _reads_as_code(form):
            closers = _CLOSERS.match(prose, form.end)
            position = closers.end() if closers else form.end
            kept.append(prose[start:position])
    return "\n".join(kept) or None


def _reads_as_code(form: Form) -> bool:
    """Whether a form is code and not a remark in brackets."""
    if not is_call(form) or form.head is None:
        return False
    return form.head.startswith("def") or not (form.head[0].isupper() or _REMARK.search(form.text))


def _inline_code(message: Message) -> list[Source]:
    """The definitions among the `…` spans, or else the longest call; [] if there is none."""
    spans = (found["code"].strip() for found in CODE_SPAN.finditer(message.prose))
    sources = [read_source(span, message.to_sema) for span in spans]
    sources = [source for source in sources if source.is_code]
    definitions = [source for source in sources if source.defines]
    return definitions or sorted(sources, key=lambda source: len(source.text))[-1:]
