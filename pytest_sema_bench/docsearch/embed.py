"""Texts into vectors: by a server, by a model on this machine, and kept on disk once paid for.

`RemoteService` speaks OpenAI's `/embeddings`, as most servers do; `LocalModel` runs a
sentence-transformers model in this process; `VectorStore` keeps vectors by the hash of their text.
"""

import asyncio
import hashlib
import importlib
import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.chat.wire import Unreachable
from pytest_sema_bench.docsearch.settings import DocsSettings
from pytest_sema_bench.errors import BenchError

_BATCH = 64
_N_ATTEMPTS = 3
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


Vectors = NDArray[np.float32]
"""One row per text, each of length 1."""


def unit(vectors: Vectors) -> Vectors:
    """The rows divided by their lengths, so that a dot product is a cosine; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled


class ServiceError(BenchError):
    """A service did not do its work; the message holds no key."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether the same request may well succeed a moment later."""


class RemoteService:
    """Embeddings over HTTP."""

    def __init__(self, settings: DocsSettings, key: str | None, wait_s: float = 0.5) -> None:
        assert settings.url is not None
        self.label = f"{settings.url} {settings.model}"
        self._model = settings.model
        self._wait_s = wait_s
        self._timeout_s = settings.timeout_s
        self._wire = HttpWire(settings.url, key, n_connections=0, endpoint="/embeddings")

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector of length 1 for each text. Raises ServiceError."""
        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        return np.concatenate([await self._embed(batch) for batch in batches])

    async def close(self) -> None:
        """Close connections."""
        await self._wire.close()

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        attempts = AsyncRetrying(
            stop=stop_after_attempt(_N_ATTEMPTS),
            wait=wait_exponential(multiplier=self._wait_s, max=8 * self._wait_s),
            retry=retry_if_exception(lambda e: isinstance(e, ServiceError) and e.passing),
            reraise=True,
        )
        data: Any = await attempts(self._post, {"model": self._model, "input": list(texts)})
        try:
            # The index says which text a vector is of; the order in the reply need not.
            rows = sorted(data["data"], key=lambda row: int(row["index"]))
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"the embeddings are not understood: {error!r}") from None
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ServiceError(f"asked for {len(texts)} embeddings, got shape {vectors.shape}")
        return unit(vectors)

    async def _post(self, body: dict[str, Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._wire.post(json.dumps(body).encode(), None)
        except (TimeoutError, Unreachable) as error:
            what = type(error).__name__
            raise ServiceError(f"no reply to /embeddings ({what})", passing=True) from None
        if reply.status != 200:
            raise ServiceError(
                f"/embeddings answered with status {reply.status}", passing=reply.status in _PASSING
            )
        try:
            return json.loads(reply.payload)
        except (ValueError, RecursionError):
            raise ServiceError("the reply to /embeddings is not JSON") from None


class LocalModel:
    """A sentence-transformers model, loaded from disk; it never fetches anything."""

    def __init__(self, model: str) -> None:
        from sentence_transformers import SentenceTransformer

        folder = _model_folder(model)
        self.label = f"local {folder.name} {_weights_size(folder)}"
        try:
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ServiceError(f"the model in {folder} cannot be loaded: {error}") from error

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector of length 1 for each text."""
        return await asyncio.to_thread(self._encode, list(texts))

    async def close(self) -> None:
        """Nothing is open."""

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = self._model.encode(texts, batch_size=_BATCH, show_progress_bar=False)
        return unit(np.asarray(vectors, dtype=np.float32))


def _model_folder(model: str) -> Path:
    """The folder of a model, given itself or as a package that says where it keeps one."""
    if Path(model).is_dir():
        return Path(model)
    package = importlib.import_module(model.replace("-", "_"))
    tell = getattr(package, "get_model_path", None)
    found = tell() if callable(tell) else getattr(package, "MODEL_DIR", None)
    if found is None:
        raise ServiceError(f"the package {model!r} does not say where its model is")
    return Path(found)


def _weights_size(folder: Path) -> int:
    """Bytes of the model's files: tells two models of the same name apart."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


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
            # Only when it is whole: other processes read the file meanwhile.
            Path(name).replace(self._path)
        finally:
            Path(name).unlink(missing_ok=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
