"""The corpus and its index from the cache folder, so that the YAML is read once per version.

The folder's name is a hash of the data files and of the code that reads them; it appears by
one rename, so that it is whole or not there. One that cannot be read is built anew, and a
cache that cannot be written costs time, not the search.
"""

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import snowballstemmer

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.docsearch.corpus import Corpus, data_hash, load_corpus
from pytest_sema_bench.docsearch.entry import Entry, EntryKind, Foreign, Snippet
from pytest_sema_bench.docsearch.index import Index, Parts, build_index

_CODE = ("index_cache.py", "corpus.py", "entry.py", "index.py", "reading.py", "words.py")
_CORPUS_FILE = "corpus.json"
_TEXTS_FILE = "texts.npz"
_UNREADABLE: tuple[type[Exception], ...] = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError),
    zipfile.BadZipFile,
)
"""What reading files that are missing, cut short or overwritten raises."""


def open_index(
    folder: Path | None = None, load: Callable[[], Corpus] = load_corpus
) -> tuple[Corpus, Index]:
    """The bundled corpus and its index, from the cache in `folder` or built and put there.

    Raises DocsError if the corpus has to be read and is malformed.
    """
    place = (folder or cache_folder()) / f"docs-{content_hash()}"
    try:
        return _read(place)
    except _UNREADABLE:
        corpus = load()
        index = build_index(corpus, Parts())
        _write(place, corpus, index)
        return corpus, index


def content_hash() -> str:
    """A hash of all that decides what the index holds."""
    versions = f"{data_hash()} {bm25s.__version__} {_stemmer_version()}"
    digest = hashlib.sha256(versions.encode())
    for name in _CODE:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:16]


def _stemmer_version() -> str:
    return str(getattr(snowballstemmer, "__version__", ""))


def _read(place: Path) -> tuple[Corpus, Index]:
    """What `_write` wrote. Raises one of several errors if it is not there or not whole."""
    corpus = _corpus_from_json(json.loads((place / _CORPUS_FILE).read_text("utf-8")))
    bm25 = bm25s.BM25.load(place, show_progress=False, verbosity=0)
    with (
        (place / _TEXTS_FILE).open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        index = Index(
            bm25=bm25, weights=arrays["weights"], starts=arrays["starts"], own=arrays["own"]
        )
    n_texts = len(index.weights)
    scores = bm25.scores
    if (
        len(index.starts) != len(corpus.entries)
        or len(scores["indptr"]) != len(index.vocabulary) + 1
        or len(scores["data"]) != len(scores["indices"])
        or len(index.own) != len(index.vocabulary)
        or scores["num_docs"] != n_texts
        or scores["indices"].max(initial=0) >= n_texts
    ):
        raise ValueError(f"{place} does not hold one index")
    return corpus, index


def _write(place: Path, corpus: Corpus, index: Index) -> None:
    temporary = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{place.name}.tmp-", dir=place.parent))
        index.bm25.save(temporary, show_progress=False)
        np.savez(temporary / _TEXTS_FILE, weights=index.weights, starts=index.starts, own=index.own)
        (temporary / _CORPUS_FILE).write_text(json.dumps(_corpus_as_json(corpus)), "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        temporary.rename(place)
    except OSError:
        pass  # another process was faster, or the folder cannot be written: both are fine
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _corpus_as_json(corpus: Corpus) -> dict[str, Any]:
    data = asdict(corpus)
    for entry in data["entries"]:
        entry["kind"] = entry["kind"].value
    for row in (*data["entries"], *data["foreign"]):
        row["path"] = str(row["path"])
    return data


def _corpus_from_json(data: dict[str, Any]) -> Corpus:
    return Corpus(
        entries=tuple(_entry(row) for row in data["entries"]),
        foreign=tuple(_foreign(row) for row in data["foreign"]),
        synonyms=tuple(map(tuple, data["synonyms"])),
    )


def _entry(row: dict[str, Any]) -> Entry:
    lists = {key: tuple(row[key]) for key in ("aliases", "intents", "see")}
    snippets = {key: tuple(map(_snippet, row[key])) for key in ("edges", "examples")}
    return Entry(
        **{**row, **lists, **snippets, "kind": EntryKind(row["kind"]), "path": Path(row["path"])}
    )


def _foreign(row: dict[str, Any]) -> Foreign:
    lists = {key: tuple(row[key]) for key in ("names", "languages", "sema")}
    example = None if row["example"] is None else _snippet(row["example"])
    return Foreign(**{**row, **lists, "example": example, "path": Path(row["path"])})


def _snippet(row: dict[str, Any]) -> Snippet:
    return Snippet(**{**row, "prints": tuple(row["prints"])})
