"""What a longer query is about: a name of Sema's among plain words, or a name that met an error.

Many names are plain words too (`sort`, `range`, `case`), so what stands around one decides: it
is asked about in `does sort keep …`, `reduce expects …`, `a pattern in match`, not in `sort users`.
"""

import re
from collections.abc import Callable, Iterator

from pytest_sema_bench.docsearch.entry import Entry, EntryKind
from pytest_sema_bench.docsearch.words import has_wish, is_telling, tokens_of

Names = Callable[[str], Entry | None]
"""The entry that bears a name."""

_ASKED_BEFORE = frozenset({"is", "are", "does", "can", "will", "should", "why"})
_SAID_AFTER = frozenset({"expects", "takes", "returns", "gives", "throws", "raises", "fails"})
_PART_AFTER = frozenset({"clause", "clauses", "branch", "branches", "form", "syntax"})
_INSIDE = frozenset({"in", "inside", "of"})
_NO_SUBJECT = frozenset({"and", "or", "if", "not", "when", "as", "then", "else", "do"})
"""Names that nearly always only join or ask, whatever stands beside them."""
_MIN_TOKENS = 3

# `contains? expected map, got list`, `expected list, got string in map`: who complains, of what
_WRONG_TYPE = re.compile(
    r"(?:(?P<first>[^\s:]+):? )?expected \w.*?"
    r"\bgot (?:an? )?(?P<got>[a-z]+)(?: in (?P<last>[^\s:]+))?"
)


def subjects(query: str, own: Names) -> Iterator[Entry]:
    """The entries whose names a query asks about."""
    tokens = tokens_of(query)
    words = ["", *(token.lower() for token in tokens), ""]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        entry = own(word) if len(tokens) >= _MIN_TOKENS and _may_be_subject(word) else None
        if entry is None:
            continue
        is_form = entry.kind is EntryKind.SPECIAL_FORM and word == entry.name
        part = is_form and (after in _PART_AFTER or (not after and before in _INSIDE))
        # `list` in `does list contain` is what `list?` tests, and not the function
        kind_of_value = own(f"{word}?") is not None
        asked = before in _ASKED_BEFORE and not kind_of_value
        if asked or part or after in _SAID_AFTER:
            yield entry


def _may_be_subject(word: str) -> bool:
    return word[:1].isalpha() and is_telling(word) and word not in _NO_SUBJECT


def counterpart(query: str, own: Names) -> tuple[str, Entry] | None:
    """What does for the value that was given what the name does that refused it, and that name.

    For `contains? expected map, got list` it is `list/contains?`, for `string/length` `length`.
    """
    error = None if has_wish(query) else _WRONG_TYPE.search(query)
    name = error and (error["last"] or error["first"])
    if error is None or name is None or own(name) is None:
        return None
    bare = name.rpartition("/")[2]
    entry = own(f"{error['got']}/{bare}") or (own(bare) if bare != name else None)
    return (name, entry) if entry is not None else None
