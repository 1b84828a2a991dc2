"""Reads the corpus, the tables of foreign names and hints, and the thesaurus from YAML files.

What a file may hold is said in `corpus.schema.json`; whether it is true is decided by `check`, on
the VM.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pytest_sema_bench.docsearch.entry import Entry, EntryKind, Foreign, Hint, Snippet
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.sema.versions import Versions
from pytest_sema_bench.user_file import UserFile, Where, read_yaml

_AnyRow = TypeVar("_AnyRow", Entry, Foreign, Hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """All that is searched."""

    entries: tuple[Entry, ...]
    foreign: tuple[Foreign, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    """Groups of words that can stand for each other in a query."""

    def on(self, version: str) -> "Corpus":
        """What of it holds for a version of Sema."""
        return replace(
            self,
            entries=holding(self.entries, version),
            foreign=holding(self.foreign, version),
        )


def holding(rows: Iterable[_AnyRow], version: str) -> tuple[_AnyRow, ...]:
    """The rows, and what in them, that hold for a version of Sema."""
    return tuple(row.on(version) for row in rows if version in row.versions)


def data_files(*patterns: str) -> list[str]:
    """The texts of the package's files that match, by name."""
    found = (path for p in patterns for path in sorted(docs_folder().glob(p)))
    return [path.read_text("utf-8") for path in found]


def docs_folder() -> Path:
    """The folder of the package that holds the data files."""
    return Path(str(files("pytest_sema_bench.docsearch")))


def corpus_files() -> tuple[Path, ...]:
    """The bundled corpus files, in order."""
    return tuple(sorted((docs_folder() / "corpus").glob("*.yaml")))


@cache
def load_corpus() -> Corpus:
    """The bundled corpus, which is taken as checked: a run has better things to wait for."""
    folder = docs_folder()
    entries = (entry for path in corpus_files() for entry in load_entries(path, check=False))
    return Corpus(
        entries=tuple(entries),
        foreign=load_foreign(folder / "foreign.yaml", check=False),
        synonyms=load_synonyms(folder / "synonyms.yaml", check=False),
    )


def check_unique(entries: Iterable[Entry]) -> None:
    """Raises FileError if two entries have the same name."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        if first := seen.get(entry.name):
            raise FileError(
                entry.path, entry.line, f"{entry.name!r} is taken by {first.path}:{first.line}"
            )
        seen[entry.name] = entry


def load_entries(path: Path, *, check: bool = True) -> tuple[Entry, ...]:
    """The entries of one corpus file. Raises FileError with the line of what is wrong."""
    file = _read(path, "corpus", check)
    module = file.data["module"].strip()
    return tuple(
        _entry(file, ("entries", index), data, module)
        for index, data in enumerate(file.data["entries"])
    )


def load_foreign(path: Path, *, check: bool = True) -> tuple[Foreign, ...]:
    """The entries of a table of foreign names. Raises FileError."""
    file = _read(path, "foreign", check)
    return tuple(
        _foreign(file, ("entries", index), data) for index, data in enumerate(file.data["entries"])
    )


def load_hints(path: Path, *, check: bool = True) -> tuple[Hint, ...]:
    """The rows of a table of hints. Raises FileError."""
    file = _read(path, "hints", check)
    return tuple(
        _hint(file, ("hints", index), data) for index, data in enumerate(file.data["hints"])
    )


def load_synonyms(path: Path, *, check: bool = True) -> tuple[tuple[str, ...], ...]:
    """The groups of a thesaurus. Raises FileError."""
    return tuple(map(_texts, _read(path, "synonyms", check).data["groups"]))


def _read(path: Path, kind: str, check: bool) -> UserFile:
    # As text, for `1` and `true` are Sema source here.
    file = read_yaml(path, as_text=True)
    if check:
        file.check(docs_folder() / "corpus.schema.json", kind)
    return file


def _entry(file: UserFile, where: Where, data: Mapping[str, Any], module: str) -> Entry:
    return Entry(
        name=data["name"].strip(),
        aliases=_texts(data.get("aliases", ())),
        kind=EntryKind(data["kind"]),
        module=module,
        shape=data["shape"].strip(),
        summary=data["summary"].strip(),
        edges=_snippets(file, (*where, "edges"), data.get("edges", ())),
        examples=_snippets(file, (*where, "examples"), data["examples"]),
        intents=_texts(data["intents"]),
        asked=_texts(data.get("asked", ())),
        see=_texts(data.get("see", ())),
        versions=_versions(data),
        path=file.path,
        line=file.line(where),
    )


def _foreign(file: UserFile, where: Where, data: Mapping[str, Any]) -> Foreign:
    example = (*where, "example")
    return Foreign(
        names=_texts(data["names"]),
        languages=_texts(data["from"]),
        sema=_texts(data["sema"]),
        note=data["note"].strip(),
        example=_snippet(file, example, data["example"]) if "example" in data else None,
        versions=_versions(data),
        path=file.path,
        line=file.line(where),
    )


def _snippets(file: UserFile, where: Where, data: Iterable[Any]) -> tuple[Snippet, ...]:
    return tuple(_snippet(file, (*where, index), each) for index, each in enumerate(data))


def _snippet(file: UserFile, where: Where, data: Mapping[str, Any]) -> Snippet:
    return Snippet(
        code=data["code"].strip(),
        value=_text(data, "value"),
        error=_text(data, "error"),
        prints=tuple(data.get("prints", ())),  # space at the ends of lines counts
        when=_text(data, "when"),
        versions=_versions(data),
        line=file.line(where),
    )


def _hint(file: UserFile, where: Where, data: Mapping[str, Any]) -> Hint:
    return Hint(
        error=re.compile(data["error"]),
        source=re.compile(data["source"]) if "source" in data else None,
        text=data["hint"].strip(),
        why=data["why"].strip(),
        example=_snippet(file, (*where, "example"), data["example"]),
        cure=_snippet(file, (*where, "cure"), data["cure"]),
        versions=_versions(data),
        path=file.path,
        line=file.line(where),
    )


def _versions(data: Mapping[str, Any]) -> Versions:
    return Versions(since=_text(data, "since"), until=_text(data, "until"))


def _text(data: Mapping[str, Any], key: str) -> str | None:
    return data[key].strip() if key in data else None


def _texts(data: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in data)
