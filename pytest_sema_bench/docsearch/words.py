"""Words out of queries, sentences and names: splitting, stop words, stems.

A name counts whole and in its parts: `string/index-of` is that name and `string`, `index`, `of`.
Words such as `not`, `if`, `each` and symbols such as `->>` mean something here and stay.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import snowballstemmer

_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the of to is are be am was it its this that these those i me my we you your "
        "some one ones which what how so such there here then than can could should would will "
        "does did has have had using use used via thing things something please want need way "
        "sema lisp",
    )
)
"""Left out of sentences; a query that holds nothing else is taken whole."""
# How questions begin, whatever they are about.
_PREAMBLE = re.compile(
    r"^(?:how (?:do|can|would|should) (?:i|you|we|one)|how to|is there (?:a|an|any)"
    r"(?: built-?in)?(?: function| way| form| macro)?(?: to| that| for| which)?"
    r"|what is the (?:function|name|way|form|syntax)(?: to| for| that)?"
    r"|(?:a |the )?(?:function|form|macro|builtin|way)s? (?:to|that|for|which)"
    r"|i (?:want|need|would like) to)\b",
    re.IGNORECASE,
)
# "do all …" asks, "do something twice" does not.
_YES_OR_NO = re.compile(
    r"^(?:(?:can|could) (?:i|you|we|one) (?=(?:check|test|find out|see|tell|know) (?:if|whether)))?"
    r"(?:(?:is|are|was|does|has|can|whether|do(?= (?:all|any|both|the|these|two)\b))"
    # `check if …` asks for a test, `check type of …` does not
    r"|(?:check|test|determine|find out|see|tell|know|verify) (?:if|whether|for|that))\b ",
    re.IGNORECASE,
)
# `expected list, got string in map: how to …`: the wish stands behind the complaint
_COMPLAINT = re.compile(r"^.*\bexpect(?:ed|s) .*?\bgot [^:;]*[:;] +(?=(?:\S+ +){2})")
_JOINING = frozenset({"and", "or", "if", "then", "than", "as", "when"})
"""Names of forms that in a sentence mostly join its parts."""
# `indexOf` has two parts, and so have `HTTPServer` and `utf8`.
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# What joins the words of names: `string/index-of`, `list->vector`.
_SPLITS = re.compile(r"[/\-?!>.:_*+=<|,'`@#&^%$\"()\[\]{}~;\\]+")
_WRAPPING = "`'\"“”‘’«».,;()[]{}…"
_STEMMER = snowballstemmer.stemmer("english")
_NAME_MARK = re.compile(r"[/>!_*=<+|&#@^%~:\d]|\.\w|\w-\w")
"""What stands inside names, and inside English words only with a hyphen."""
_QUESTION_WORDS = 4
_ARTICLES = frozenset({"a", "an", "the", "its", "my"})
_TOWARDS = frozenset({"to", "into"})
_LETTER = re.compile(r"[A-Za-z]")


def tokens_of(text: str) -> list[str]:
    """The pieces of a query that stand between spaces, freed of quotes and brackets around them.

    A piece that is nothing but symbols stays as it is. The mark that ends a question of some
    words is none of a name: `is this list empty?` ends in `empty`, `string empty?` in `empty?`.
    """
    pieces = text.split()
    if len(pieces) >= _QUESTION_WORDS and not _NAME_MARK.search(pieces[-1][:-1]):
        pieces[-1] = pieces[-1].rstrip("?!") or pieces[-1]
    bare = [p.strip(_WRAPPING) if _LETTER.search(p) else p for p in pieces]
    return [short or piece for short, piece in zip(bare, pieces, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedQuery:
    """What a query asks."""

    text: str
    """Without `how do I …`, `is it …` and the like before it."""
    terse: str
    """Without the words, too, that only join its parts."""
    wants_yes_or_no: bool

    @classmethod
    def of(cls, query: str) -> "ParsedQuery":
        """The question of a query; whole where nothing would be left."""
        query = _COMPLAINT.sub("", query.strip())
        text = _PREAMBLE.sub("", query).strip(" ?.") or query
        asks = _YES_OR_NO.match(text)
        text = text[asks.end() :].strip() if asks else text
        first, *rest = text.split() or [""]
        kept = [word for word in rest if word.lower() not in _JOINING]
        # `if let` and `logical or` are about the form
        terse = " ".join([first, *kept]) if len(rest) > 1 else text
        return cls(text=text, terse=terse, wants_yes_or_no=asks is not None)


def has_wish(query: str) -> bool:
    """Whether a query says what is wanted after the error that it quotes."""
    return _COMPLAINT.match(query.strip()) is not None


def split_name(name: str) -> list[str]:
    """The lower-case parts of a name: `string/indexOf->list` gives string, index, of, list."""
    return [part.lower() for piece in _SPLITS.split(name) for part in _PARTS.findall(piece)]


def looks_like_name(token: str) -> bool:
    """Whether a piece of a query is written as no English word and no number is."""
    if not _LETTER.search(token):
        return not any(char.isdigit() for char in token)
    return (
        bool(_NAME_MARK.search(token[:-1]))
        or token.endswith(("?", "!", "*", "="))
        or (token[1:] != token[1:].lower() and token != token.upper())
    )


def is_telling(token: str) -> bool:
    """Whether a word of a query says something by itself."""
    return token.lower() not in _STOP_WORDS


def terms_of(text: str) -> list[str]:
    """The index terms of a sentence or query, in order, with repeats."""
    tokens = tokens_of(text)
    found = [term for token in tokens for term in _terms_of_token(token)]
    kept = [term for term in found if term not in _STOP_WORDS]
    return [stem(term) for term in kept or found] + _directions(tokens)


def _directions(tokens: list[str]) -> list[str]:
    """`list>vector` for `a list to a vector`: which way round a conversion goes."""
    words = [token.lower() for token in tokens if token.lower() not in _ARTICLES]
    return [
        f"{stem(before)}>{stem(after)}"
        for before, to, after in zip(words, words[1:], words[2:], strict=False)
        if to in _TOWARDS
    ]


@cache
def _terms_of_token(token: str) -> list[str]:
    """A name whole and in its parts."""
    lower, parts = token.lower(), split_name(token)
    if not parts:
        return [lower]
    return parts if parts == [lower] else [lower, *parts]


@cache
def stem(term: str) -> str:
    """The Snowball stem of an English word; names and symbols stay as they are."""
    return str(_STEMMER.stemWord(term)) if term.isalpha() and term.isascii() else term


class Thesaurus:
    """Groups of words and phrases, each member of which can stand for the others."""

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._words: dict[str, dict[str, None]] = {}
        self._phrases: dict[tuple[str, ...], dict[str, None]] = {}
        for group in groups:
            members = [tuple(stem(word) for word in text.lower().split()) for text in group]
            words = [member[0] for member in members if len(member) == 1]
            for member in members:
                others = dict.fromkeys(word for word in words if member != (word,))
                if len(member) == 1:
                    self._words.setdefault(member[0], {}).update(others)
                else:
                    self._phrases.setdefault(member, {}).update(others)
        self._longest = max(map(len, self._phrases), default=0)

    def words(self, term: str) -> tuple[str, ...]:
        """The stems that can stand for a stem."""
        return tuple(self._words.get(term, ()))

    def phrases(self, query: str) -> list[tuple[str, ...]]:
        """For each phrase that a query holds, the stems that can stand for it."""
        stems = [stem(word.strip("?.,;:!\"'()")) for word in query.lower().split()]
        return [
            tuple(self._phrases[window])
            for size in range(2, self._longest + 1)
            for start in range(len(stems) - size + 1)
            if (window := tuple(stems[start : start + size])) in self._phrases
        ]
