"""Vectors of texts, kept on disk by the hash of the text, so that each is paid for once."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row per text, each of length 1."""


def unit(vectors: Vectors) -> Vectors:
    """The rows divided by their lengths, so that a dot product is a cosine; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled


class VectorStore:
    """The vectors of one model, in one file of a folder."""

    def __init__(self, folder: Path, label: str) -> None:
        name = hashlib.sha256(label.encode()).hexdigest()[:16]
        self._path = folder / f"vectors-{name}.npz"
        self._rows = self._read()

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that have no vector yet, each once, in order."""
        return [text for text in dict.fromkeys(texts) if _hash(text) not in self._rows]

    def get(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts that are all known. Raises KeyError for another."""
        return np.stack([self._rows[_hash(text)] for text in texts])

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep the vectors; a file that cannot be written costs a later request, not the run."""
        self._rows |= dict(zip(map(_hash, texts), vectors, strict=True))
        try:
            self._write()
        except OSError:
            pass

    def _read(self) -> dict[str, Vectors]:
        """What an earlier run kept; {} if there is nothing or it cannot be read."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                hashes, vectors = arrays["hashes"], arrays["vectors"]
            if vectors.ndim != 2 or len(hashes) != len(vectors):
                return {}
            return dict(zip(map(str, hashes), vectors.astype(np.float32), strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".npz", dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                hashes = np.array(list(self._rows))
                np.savez(file, hashes=hashes, vectors=np.stack(list(self._rows.values())))
            Path(name).replace(self._path)
        finally:
            Path(name).unlink(missing_ok=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
