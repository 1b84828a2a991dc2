"""Reads the corpus, the table of foreign names and the thesaurus from their YAML files.

What a file may hold is decided here; whether it is true is decided by `check`, on the VM.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pytest_sema_bench.docsearch.entry import Entry, EntryKind, Foreign, Snippet
from pytest_sema_bench.docsearch.reading import DocsError, Place, read_place

_ENTRY_NEEDS = frozenset({"name", "kind", "shape", "summary", "examples", "intents"})
_ENTRY_MAY = frozenset({"aliases", "edges", "see"})
_SNIPPET_MAY = frozenset({"value", "error", "prints"})
_FOREIGN_NEEDS = frozenset({"names", "from", "sema", "note"})
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """All that is searched."""

    entries: tuple[Entry, ...]
    foreign: tuple[Foreign, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    """Groups of words that can stand for each other in a query."""


def docs_folder() -> Path:
    """The folder of the package that holds the data files."""
    return Path(str(files("pytest_sema_bench.docsearch")))


def corpus_files() -> tuple[Path, ...]:
    """The bundled corpus files, in order."""
    return tuple(sorted((docs_folder() / "corpus").glob("*.yaml")))


def data_files() -> tuple[Path, ...]:
    """All bundled files that searching depends on, in order."""
    folder = docs_folder()
    tables = (folder / "foreign.yaml", folder / "synonyms.yaml")
    return (*corpus_files(), *(path for path in tables if path.is_file()))


def data_hash() -> str:
    """A hash of all data files: two runs with the same hash searched the same documentation."""
    digest = hashlib.sha256()
    for path in data_files():
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def load_corpus() -> Corpus:
    """The bundled corpus. Raises DocsError with the line of what is wrong."""
    folder = docs_folder()
    entries = tuple(entry for path in corpus_files() for entry in load_entries(path))
    check_unique(entries)
    foreign, synonyms = folder / "foreign.yaml", folder / "synonyms.yaml"
    return Corpus(
        entries=entries,
        foreign=load_foreign(foreign) if foreign.is_file() else (),
        synonyms=load_synonyms(synonyms) if synonyms.is_file() else (),
    )


def check_unique(entries: Iterable[Entry]) -> None:
    """Raises DocsError if two entries have the same name."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        if first := seen.get(entry.name):
            raise DocsError(
                entry.path, entry.line, f"{entry.name!r} is taken by {first.path}:{first.line}"
            )
        seen[entry.name] = entry


def load_entries(path: Path) -> tuple[Entry, ...]:
    """The entries of one corpus file. Raises DocsError."""
    top = read_place(path).table(frozenset({"module", "entries"}), _NOTHING)
    module = top["module"].text()
    return tuple(_entry(place, module) for place in top["entries"].items())


def load_foreign(path: Path) -> tuple[Foreign, ...]:
    """The entries of a table of foreign names. Raises DocsError."""
    top = read_place(path).table(frozenset({"entries"}), _NOTHING)
    return tuple(_foreign(place) for place in top["entries"].items())


def load_synonyms(path: Path) -> tuple[tuple[str, ...], ...]:
    """The groups of a thesaurus. Raises DocsError."""
    top = read_place(path).table(frozenset({"groups"}), _NOTHING)
    return tuple(_at_least(place, 2, "words") for place in top["groups"].items())


def _entry(place: Place, module: str) -> Entry:
    table = place.table(_ENTRY_NEEDS, _ENTRY_MAY)
    return Entry(
        name=table["name"].text(),
        aliases=_texts(table, "aliases"),
        kind=_kind(table["kind"]),
        module=module,
        shape=table["shape"].text(),
        summary=table["summary"].text(),
        edges=tuple(_snippet(p, edge=True) for p in _items(table, "edges")),
        examples=tuple(_snippet(p) for p in _items(table, "examples", n_min=1)),
        intents=_at_least(table["intents"], 1, "intents"),
        see=_texts(table, "see"),
        path=place.path,
        line=place.line,
    )


def _foreign(place: Place) -> Foreign:
    table = place.table(_FOREIGN_NEEDS, frozenset({"example"}))
    return Foreign(
        names=_at_least(table["names"], 1, "names"),
        languages=_at_least(table["from"], 1, "languages"),
        sema=_at_least(table["sema"], 1, "names"),
        note=table["note"].text(),
        example=_snippet(table["example"]) if "example" in table else None,
        path=place.path,
        line=place.line,
    )


def _snippet(place: Place, *, edge: bool = False) -> Snippet:
    needs = frozenset({"when", "code"} if edge else {"code"})
    table = place.table(needs, _SNIPPET_MAY)
    if ("value" in table) == ("error" in table):
        place.fail("give either the `value` that comes back or a part of the `error`")
    return Snippet(
        code=table["code"].text(),
        value=table["value"].text() if "value" in table else None,
        error=table["error"].text() if "error" in table else None,
        prints=_lines(table["prints"]) if "prints" in table else (),
        when=table["when"].text() if edge else None,
        line=place.line,
    )


def _lines(place: Place) -> tuple[str, ...]:
    """Lines of output, in which space at the ends counts."""
    for item in place.items():
        item.text()
    return tuple(str(item.node.value) for item in place.items())


def _kind(place: Place) -> EntryKind:
    try:
        return EntryKind(place.text())
    except ValueError:
        known = ", ".join(kind.value for kind in EntryKind)
        place.fail(f"unknown kind {place.text()!r}; known kinds are {known}")


def _items(table: dict[str, Place], key: str, n_min: int = 0) -> tuple[Place, ...]:
    items = tuple(table[key].items()) if key in table else ()
    if len(items) < n_min:
        table[key].fail(f"needs at least {n_min}")
    return items


def _texts(table: dict[str, Place], key: str) -> tuple[str, ...]:
    return table[key].texts() if key in table else ()


def _at_least(place: Place, n: int, what: str) -> tuple[str, ...]:
    texts = place.texts()
    if len(texts) < n:
        place.fail(f"needs at least {n} {what}")
    return texts
