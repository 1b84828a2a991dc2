"""Sentences about code in a dialect's words: prompts, documentation, hints.

Code in fences, in backticks and in brackets is translated as code. Of single words in plain text
only those change that cannot be anything but a name, and those that the text is known to be about.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from pytest_sema_bench.dialect.dialect import Dialect, all_names, forms
from pytest_sema_bench.dialect.translate import edited, from_sema, translate
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, read_forms

# A fenced block with its body; the body of one of another language is text.
_FENCED = re.compile(r"^(```(?:sema|lisp)?[ \t]*\n)(.*?)(^```)", re.MULTILINE | re.DOTALL)
_TICKED = re.compile(r"(`+)([^`\n]+)\1")
# `string/join`, `set!`, `->>`: what stands between blanks and punctuation.
_WORD = re.compile(r"(?<![^\s(\[{'\"`,:])(?P<word>[^\s()\[\]{}\"'`,;:]+?)(?=[.…]*(?:[\s()\[\]{}\"'`,;:]|$))")
# `; => (list 1 2)`: what a call gives is code too, in a prompt.
_RESULT = re.compile(r"(; => )(.*)$", re.MULTILINE)
_BRACKET = re.compile(r"\((?=[^\s()])")
# Words in brackets that are prose, `(list or vector)`, whatever name stands first.
_ENGLISH = re.compile(
    r"\b(?:a|an|and|are|as|at|by|for|from|in|is|it|its|no|not|of|on|one|only|or|that|the|to|what"
    r"|which|with)\b"
)
_PLAIN = frozenset(
    ("abs acos and any append apply assert async await begin case ceil ceiling complex cond context"
    " count define delay display do drop e enumerate env error eval every exact exit export filter"
    " first flatten float floor fn for-each force format frequencies get guard if import inexact"
    " int interpose integer keys last length let list load log macroexpand magnitude map mapping"
    " match max member merge message min module modulo newline not numerator or pair parallel"
    " partition pi pipeline pow print prompt quote quotient raise range read real record reduce"
    " remainder rest retry reverse round shell sleep sort spy step sin cos tan string tap take throw"
    " time truncate try type unless values vals vector when while zip denominator angle rationalize"
    " phase checkpoint").split()
)
"""Names that are words too: in plain text they are changed only where they are known to be meant."""
_NEVER = frozenset(
    "and any append apply async case count context do drop e every exact first float for if int keys"
    " last length list load log map match message not or pair prompt range read record rest string"
    " take time try type values vector when while".split()
)
"""Of these, those that are words as a rule, whatever the text is about."""


def is_unmistakable(name: str) -> bool:
    """Whether a name cannot be a word of a sentence."""
    return name not in _PLAIN and not (len(name) == 1)


@lru_cache(maxsize=4096)
def source_in(source: str, dialect: Dialect, own: frozenset[str] = frozenset()) -> str:
    """Sema's code in the dialect."""
    return edited(source, translate(source, from_sema(dialect), own))


def about_code(
    text: str,
    dialect: Dialect,
    about: Iterable[str] = (),
    own: frozenset[str] = frozenset(),
    data: frozenset[str] = frozenset(),
) -> str:
    """A text about code. `about` are names that it is about, `own` names that stay.

    `data` are names that stand for themselves wherever the text does not show whole programs.
    """
    known = frozenset(about) - _NEVER
    kept: list[str] = []

    def keep(code: str) -> str:
        """What is done with is put aside, lest it is taken for plain text."""
        kept.append(code)
        return f"\0{len(kept) - 1}\0"

    def fenced(found: re.Match[str]) -> str:
        code = _RESULT.sub(lambda r: r[1] + source_in(r[2], dialect, own), found[2])
        return keep(found[1] + source_in(code, dialect, own) + found[3])

    def ticked(found: re.Match[str]) -> str:
        return keep(found[1] + source_in(found[2], dialect, own | data) + found[1])

    text = _TICKED.sub(ticked, _FENCED.sub(fenced, text))
    text = _bracketed(text, lambda form: keep(source_in(form, dialect, own | data)))

    def word(found: re.Match[str]) -> str:
        name = found["word"]
        is_meant = name in known or is_unmistakable(name)
        return dialect.name(name) if is_meant and name not in own | data else name

    text = _WORD.sub(word, text)
    for index in reversed(range(len(kept))):
        text = text.replace(f"\0{index}\0", kept[index])
    return text


def shape_in(shape: str, dialect: Dialect, names: Iterable[str]) -> str:
    """The shape of an entry's calls, whose parameters are no names of Sema's."""
    own = frozenset(names) | forms()

    def head(found: re.Match[str]) -> str:
        return "(" + (dialect.name(found[1]) if found[1] in own else found[1])

    order = dialect.orders.get(next(iter(names), ""))
    if order is not None and (calls := _one_call(shape, len(order))):
        parts = [calls.children[place + 1].text for place in order]
        shape = f"({calls.head} {' '.join(parts)})"
    return re.sub(r"\(([^\s()\[\]{}]+)", head, shape)


def _one_call(shape: str, n: int) -> Form | None:
    try:
        found = read_forms(shape)
    except ReadError:
        return None
    return found[0] if len(found) == 1 and len(found[0].children) == n + 1 else None


def _bracketed(text: str, keep: Callable[[str], str]) -> str:
    """The text with `keep` made of its bracketed code."""
    known = {name.text for name in all_names()}
    parts, end = [], 0
    while found := _BRACKET.search(text, end):
        try:
            form = read_form(text, found.start())
        except ReadError:
            parts.append(text[end : found.end()])
            end = found.end()
            continue
        if _is_code(form, known):
            parts += [text[end : form.start], keep(form.text)]
            end = form.end
        else:
            parts.append(text[end : found.end()])
            end = found.end()
    return "".join([*parts, text[end:]])


def _is_code(form: Form, known: set[str]) -> bool:
    if form.head is None or form.head not in known:
        return False
    words = [child for child in form.children[1:] if child.kind is Kind.ATOM]
    if not form.children[1:] or (form.head in _PLAIN and len(words) == len(form.children) - 1 and _ENGLISH.search(form.text.lower())):
        return is_unmistakable(form.head)
    return True
