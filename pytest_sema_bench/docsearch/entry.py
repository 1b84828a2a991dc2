"""The values of the documentation: an entry, its snippets, a name from elsewhere, a hint."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from pytest_sema_bench.sema.versions import ALWAYS, Versions

# Something must follow: `/` and `string/` are names, and hold no namespace.
_NAMESPACE = re.compile(r"[^\s./:]+(?:[./]|::)(?=[^\s./:])")
"""What stands before a name: `clojure.`, `string/`, `std::`."""


class EntryKind(Enum):
    """What a documented name is."""

    FUNCTION = "function"
    SPECIAL_FORM = "special form"
    MACRO = "macro"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Code and what the VM makes of it."""

    code: str
    value: str | None = None
    """The printed value of the last form, `nil` for none; None where an error is expected."""
    error: str | None = None
    """A part of the VM's error message."""
    prints: tuple[str, ...] = ()
    when: str | None = None
    """The situation that an edge shows; None for a plain example."""
    versions: Versions = ALWAYS
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing of Sema's that an agent can use."""

    name: str
    aliases: tuple[str, ...] = ()
    kind: EntryKind
    module: str
    shape: str
    """How it is called, with the order of its arguments."""
    summary: str
    """One sentence."""
    edges: tuple[Snippet, ...] = ()
    examples: tuple[Snippet, ...]
    intents: tuple[str, ...]
    """What somebody wants who does not know the name, in other words than name and summary."""
    asked: tuple[str, ...] = ()
    """How programmers of other languages ask for it, in plain words."""
    see: tuple[str, ...] = ()
    versions: Versions = ALWAYS
    path: Path
    line: int = 1
    """Line of the entry in its file."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def snippets(self) -> tuple[Snippet, ...]:
        """All code in it."""
        return (*self.examples, *self.edges)

    def on(self, version: str) -> "Entry":
        """The entry with what of its code holds for a version of Sema."""
        return replace(
            self,
            examples=tuple(each for each in self.examples if version in each.versions),
            edges=tuple(each for each in self.edges if version in each.versions),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Names that agents bring from other languages, and what Sema offers instead."""

    names: tuple[str, ...]
    languages: tuple[str, ...]
    sema: tuple[str, ...]
    """Names of entries, the best one first."""
    note: str
    """One sentence on what differs."""
    example: Snippet | None = None
    versions: Versions = ALWAYS
    path: Path
    line: int = 1

    @property
    def snippets(self) -> tuple[Snippet, ...]:
        """All code in it."""
        return () if self.example is None else (self.example,)

    def on(self, version: str) -> "Foreign":
        """The row with its example, if that holds for a version of Sema."""
        if all(version in snippet.versions for snippet in self.snippets):
            return self
        return replace(self, example=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A line of our own for an error whose message does not tell the cure."""

    error: re.Pattern[str]
    """Found in the VM's text."""
    source: re.Pattern[str] | None
    """Found in the program, where the text alone does not tell."""
    text: str
    why: str
    """Why the VM's own words mislead."""
    example: Snippet
    """A program that meets the error."""
    cure: Snippet
    """The same program, mended."""
    versions: Versions = ALWAYS
    path: Path
    line: int = 1

    @property
    def snippets(self) -> tuple[Snippet, ...]:
        """All code in it."""
        return (self.example, self.cure)

    def on(self, version: str) -> "Hint":
        """The row itself: it holds as a whole or not."""
        return self

    def fits(self, error: str, source: str) -> bool:
        """Whether the hint is about this error of this program."""
        return self.error.search(error) is not None and (
            self.source is None or self.source.search(source) is not None
        )


Row = Entry | Foreign | Hint
"""What can be wrong, in a file and a line."""


def without_namespace(name: str) -> Iterator[str]:
    """The name without what stands before it, the longest rest first.

    `clojure.string/join` gives `string/join` and `join`, `array.prototype.map` gives
    `prototype.map` and `map`.
    """
    rest = name.lstrip("./")
    while match := _NAMESPACE.match(rest):
        rest = rest[match.end() :]
        yield rest
