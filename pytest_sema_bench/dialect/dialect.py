"""A dialect: which word stands for which of Sema's names, and which arguments change places.

Everything is drawn by hashes of the seed and the name, so the same seed gives the same dialect
on every machine; another strength changes more or fewer names, in the same way.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from importlib.resources import files
from itertools import permutations

from pytest_sema_bench.errors import SettingsError

OPTION = "--sema-dialect"
WANTED = "SEED or SEED:STRENGTH such as 7 or 7:0.5, with a strength above 0 and up to 1"
_TEXT = re.compile(r"(?P<seed>\d{1,18})(?::(?P<strength>\d+(?:\.\d+)?))?")
# What a name ends with stays: it says that something is asked, or changed in place.
_SUFFIX = re.compile(r"[?!]?$")
_SHARE_IN_ANOTHER_ORDER = 0.5
"""Of the changed functions whose arguments can change places, how many do."""


class Word(Enum):
    """Whether a name is a word of English."""

    NO = "no"
    TOO = "word"
    RULE = "mostly-word"
    """One that a sentence hardly ever means as a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One of Sema's names."""

    text: str
    is_form: bool
    """Whether it is a special form or a macro."""
    n_arguments: int | None
    """How many arguments a function always takes, if they have different roles."""
    word: "Word"
    """Whether it is a word of English too."""
    is_documented: bool


@dataclass(frozen=True, kw_only=True)  # without slots, for what follows from it is kept
class Dialect:
    """Sema in other words. Equal ones have the same seed and strength."""

    seed: int
    strength: float
    words: Mapping[str, str] = field(compare=False, repr=False)
    """By Sema's name the dialect's, for those that differ; no value is a name of Sema."""
    orders: Mapping[str, tuple[int, ...]] = field(compare=False, repr=False)
    """By Sema's name, for each argument of the dialect its place among Sema's."""

    @cached_property
    def sema(self) -> Mapping[str, str]:
        """By the dialect's name Sema's, for those that differ."""
        return {word: name for name, word in self.words.items()}

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All names of the dialect."""
        return tuple(self.words.get(name.text, name.text) for name in all_names())

    @cached_property
    def label(self) -> str:
        """`7:1 (a1b2c3d4)`: what records carry; the hash is that of all words and orders."""
        text = repr((sorted(self.words.items()), sorted(self.orders.items())))
        digest = blake2b(text.encode(), digest_size=4).hexdigest()
        return f"{self.seed}:{self.strength:g} ({digest})"

    def name(self, name: str) -> str:
        """The dialect's name for one of Sema's; any other name as it is."""
        return self.words.get(name, name)


def read_dialect(text: str | None) -> Dialect | None:
    """The dialect of an option's text; None for plain Sema. Raises SettingsError."""
    if text is None:
        return None
    found = _TEXT.fullmatch(text.strip())
    strength = float(found["strength"] or 1) if found else 0.0
    if found is None or not 0 < strength <= 1:
        raise SettingsError(f"{OPTION}: found {text!r}, expected {WANTED}")
    return make_dialect(int(found["seed"]), strength)


@lru_cache(maxsize=32)
def make_dialect(seed: int, strength: float) -> Dialect:
    """The dialect of a seed in which the share `strength` of all names is another one."""
    names = all_names()
    drawn = sorted(names, key=lambda name: _draw(seed, "changed", name.text))
    changed = {name.text for name in drawn[: round(strength * len(names))]}
    words = _words(seed, names)
    orders = {
        name.text: order
        for name in names
        if name.text in changed and (order := _order(seed, name)) is not None
    }
    return Dialect(
        seed=seed,
        strength=strength,
        words={name.text: words[name.text] for name in names if name.text in changed},
        orders=orders,
    )


@cache
def all_names() -> tuple[Name, ...]:
    """Sema's names, but not those of its notation, such as `else` and `quote`."""
    lines = (line.split() for line in _lines("names.txt"))
    return tuple(
        Name(
            text=text,
            is_form="form" in rest,
            n_arguments=next((int(each) for each in rest if each.isdigit()), None),
            is_documented="undocumented" not in rest,
            word=next((word for word in Word if word.value in rest), Word.NO),
        )
        for text, *rest in lines
    )


@cache
def special_forms() -> frozenset[str]:
    """Sema's special forms and macros."""
    return frozenset(name.text for name in all_names() if name.is_form)


def _words(seed: int, names: Iterable[Name]) -> dict[str, str]:
    """A word for each name, whatever the strength.

    A plain name and a namespace have a word of their own; the members of a namespace draw anew.
    """
    stock = _shuffled(seed, "")
    members: dict[str, list[str]] = {}
    spaces: dict[str, str] = {}
    words: dict[str, str] = {}
    for name in names:
        space, _, member = name.text.rpartition("/")
        suffix = _SUFFIX.findall(name.text)[0]
        if not (space and member):
            words[name.text] = stock.pop() + suffix
            continue
        if space not in spaces:
            spaces[space], members[space] = stock.pop(), _shuffled(seed, space)
        words[name.text] = f"{spaces[space]}/{members[space].pop()}{suffix}"
    return words


def _shuffled(seed: int, purpose: str) -> list[str]:
    return sorted(_lines("words.txt"), key=lambda word: _draw(seed, purpose, word))


def _order(seed: int, name: Name) -> tuple[int, ...] | None:
    """Another order of a function's arguments, None where it keeps its own."""
    if name.n_arguments is None:
        return None
    if _draw(seed, "moved", name.text) >= _SHARE_IN_ANOTHER_ORDER:
        return None
    _, *others = permutations(range(name.n_arguments))
    return others[int(_draw(seed, "order", name.text) * len(others))]


def _draw(seed: int, *about: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = blake2b(repr((seed, *about)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@cache
def _lines(file: str) -> tuple[str, ...]:
    text = (files("pytest_sema_bench.dialect") / file).read_text("utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("; "))
