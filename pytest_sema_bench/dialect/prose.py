"""Sentences about code in a dialect's words: prompts, documentation, hints.

Code in fences, in backticks and in brackets is translated as code. Of single words in plain text
only those change that cannot be anything but a name, and those that the text is known to be about.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache

from pytest_sema_bench.dialect.dialect import Dialect, Name, Word, all_names, special_forms
from pytest_sema_bench.dialect.translate import edited, from_sema, translate
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, read_forms

# A fenced block: its tag, its body.
FENCED = re.compile(r"^```(?P<tag>[\w+-]*)[ \t]*\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
OURS = ("", "sema")
"""Tags of blocks that hold Sema; all others are of another language."""
TICKED = re.compile(r"(?<!`)(`{1,2})([^`\n]+)\1(?!`)")
# `` `second` (nth) ``: what is said to do for it. NUL stands for code that is done with.
_INSTEAD = re.compile(r"(?<=\0 \()[^()\0]+(?=\))")
# `string/join`, `set!`, `->>`: what stands between blanks and punctuation.
_WORD = re.compile(
    r"(?<![^\s(\[{'\"`,:])(?P<word>[^\s()\[\]{}\"'`,;:]+?)(?=[.…]*(?:[\s()\[\]{}\"'`,;:]|$))"
)
# `; => (list 1 2)`: what a call gives is code too, in a prompt.
_RESULT = re.compile(r"(; => )(.*)$", re.MULTILINE)
_BRACKET = re.compile(r"\((?=[^\s()])")
# Words in brackets that are prose, `(list or vector)`, whatever name stands first.
_ENGLISH = re.compile(
    r"\b(?:a|an|and|are|as|at|by|for|from|in|is|it|its|no|not|of|on|one|only|or|that|the|to|what"
    r"|which|with)\b"
)

_NO_NAME_BEHIND = frozenset(
    re.findall(
        r"\w+",
        "a all an any each equal every first its lower no one other that the this title to upper "
        "value",
    )
)
"""Before a name that is a word, they make a word of it: `an angle`, `upper case`."""
_TELLING_FORMS = frozenset({"case", "match", "try"})
"""Forms that are words as a rule, but not in a text about forms."""


@cache
def _known() -> Mapping[str, Name]:
    """The names that texts speak of, by themselves."""
    return {name.text: name for name in all_names() if name.is_documented}


@cache
def _unspoken() -> frozenset[str]:
    return frozenset(name.text for name in all_names() if not name.is_documented)


def _is_meant(word: str, about: frozenset[str], before: str) -> bool:
    """Whether a word of a sentence, behind another one, is a name of Sema's there."""
    name = _known().get(word)
    if name is None or name.word is Word.NO:
        return name is not None
    if word not in about or before in _NO_NAME_BEHIND:
        return False
    return name.word is Word.TOO or word in _TELLING_FORMS


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
    *,
    words: bool = True,
) -> str:
    """A text about code. `about` are names that it is about, `own` names that stay.

    `data` are names that stand for themselves wherever the text does not show whole programs.
    Without `words` only what is marked as code changes.
    """
    known = frozenset(about)
    kept: list[str] = []

    def keep(code: str) -> str:
        """What is done with is put aside, lest it is taken for plain text."""
        kept.append(code)
        return f"\0{len(kept) - 1}\0"

    def fenced(found: re.Match[str]) -> str:
        if found["tag"] not in OURS:
            return keep(found[0])
        code = _RESULT.sub(lambda r: r[1] + source_in(r[2], dialect, own), found["body"])
        return keep(f"```{found['tag']}\n{source_in(code, dialect, own)}```")

    def ticked(found: re.Match[str]) -> str:
        stays = own | data | _unspoken()
        code = found[2]
        # A name alone is spoken of, and not called in whatever order.
        is_name = code in _known() and code not in stays
        said = dialect.name(code) if is_name else source_in(code, dialect, stays)
        return keep(found[1] + said + found[1])

    text = TICKED.sub(ticked, FENCED.sub(fenced, text))

    def instead(found: re.Match[str]) -> str:
        names = found[0].split(", ")
        return ", ".join(map(dialect.name, names)) if _known().keys() >= {*names} else found[0]

    text = _INSTEAD.sub(instead, text)
    text = _bracketed(text, lambda form: keep(source_in(form, dialect, own | data)))

    def word(found: re.Match[str]) -> str:
        name = found["word"]
        before = text[: found.start()].rsplit(None, 1)[-1:]
        is_meant = _is_meant(name, known, "".join(before).lower())
        return dialect.name(name) if name not in own | data and is_meant else name

    text = _WORD.sub(word, text) if words else text
    for index in reversed(range(len(kept))):
        text = text.replace(f"\0{index}\0", kept[index])
    return text


def shape_in(shape: str, dialect: Dialect, names: Sequence[str]) -> str:
    """The shape of an entry's calls, whose parameters are no names of Sema's."""
    if shape in names:
        return dialect.name(shape)
    own = frozenset(names) | special_forms()

    def head(found: re.Match[str]) -> str:
        return "(" + (dialect.name(found[1]) if found[1] in own else found[1])

    order = dialect.orders.get(names[0])
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
    parts, end = [], 0
    while found := _BRACKET.search(text, end):
        try:
            form = read_form(text, found.start())
        except ReadError:
            parts.append(text[end : found.end()])
            end = found.end()
            continue
        if _is_code(form):
            parts += [text[end : form.start], keep(form.text)]
            end = form.end
        else:
            parts.append(text[end : found.end()])
            end = found.end()
    return "".join([*parts, text[end:]])


def _is_code(form: Form) -> bool:
    """Whether brackets in a sentence hold code and not a remark, `(list or vector)`."""
    name = _known().get(form.head or "")
    if name is None or name.word is Word.NO:
        return name is not None
    rest = form.children[1:]
    words = [child.text for child in rest if child.text.isalpha() and len(child.text) > 2]
    if any(child.kind is not Kind.ATOM for child in rest) or (rest and not words):
        return True
    if name.word is Word.RULE and not _known().keys() >= {*words}:
        return False
    return bool(rest) and not _ENGLISH.search(form.text.lower())
