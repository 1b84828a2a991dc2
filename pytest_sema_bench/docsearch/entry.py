"""The values of the documentation: an entry, its snippets, a name from another language."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


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
    path: Path
    line: int = 1
    """Line of the entry in its file."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)


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
    path: Path
    line: int = 1
