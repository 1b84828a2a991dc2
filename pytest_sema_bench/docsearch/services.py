"""The services that turn texts into vectors and put candidates in order.

`RemoteService` speaks the HTTP API that OpenAI, Jina AI and most local servers share;
`LocalModel` runs a sentence-transformers model in this process.
"""

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from pytest_sema_bench.docsearch.settings import DocsBackend, DocsSettings
from pytest_sema_bench.docsearch.vectors import Vectors, unit
from pytest_sema_bench.errors import BenchError

_BATCH = 64
_N_ATTEMPTS = 3
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


class ServiceError(BenchError):
    """A service did not do its work; the message holds no key."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether the same request may well succeed a moment later."""


class RemoteService:
    """Embeddings, and a reranker where there is one, over HTTP."""

    def __init__(self, settings: DocsSettings, key: str | None, wait_s: float = 0.5) -> None:
        assert settings.url is not None
        self.label = f"{settings.url} {settings.model}"
        self._settings = settings
        self._wait_s = wait_s
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=settings.timeout_s,
        )

    async def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """A vector of length 1 for each text. Raises ServiceError."""
        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        return np.concatenate([await self._embed(batch, is_query=is_query) for batch in batches])

    async def rerank(self, query: str, texts: Sequence[str], n: int) -> list[int]:
        """The numbers of the `n` texts that suit the query best, in order. Raises ServiceError."""
        body = {
            "model": self._settings.reranker,
            "query": query,
            "documents": list(texts),
            "top_n": n,
            "return_documents": False,
        }
        data = await self._post("/rerank", body)
        try:
            order = [int(row["index"]) for row in data["results"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"the reranker's reply is not understood: {error!r}") from None
        if not all(0 <= number < len(texts) for number in order):
            raise ServiceError("the reranker's reply names texts that it was not sent")
        return list(dict.fromkeys(order))[:n]

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def _embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        body: dict[str, Any] = {"model": self._settings.model, "input": list(texts)}
        if self._settings.backend is DocsBackend.JINA:
            body["task"] = "retrieval.query" if is_query else "retrieval.passage"
        data = await self._post("/embeddings", body)
        try:
            rows = sorted(data["data"], key=lambda row: int(row["index"]))
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"the embeddings are not understood: {error!r}") from None
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ServiceError(f"asked for {len(texts)} embeddings, got shape {vectors.shape}")
        return unit(vectors)

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        attempts = AsyncRetrying(
            stop=stop_after_attempt(_N_ATTEMPTS),
            wait=wait_exponential(multiplier=self._wait_s, max=8 * self._wait_s),
            retry=retry_if_exception(lambda e: isinstance(e, ServiceError) and e.passing),
            reraise=True,
        )
        return await attempts(self._post_once, path, body)

    async def _post_once(self, path: str, body: dict[str, Any]) -> Any:
        try:
            reply = await self._client.post(path, json=body)
        except httpx.HTTPError as error:
            what = type(error).__name__
            raise ServiceError(f"no reply to {path} ({what})", passing=True) from None
        if reply.status_code != 200:
            raise ServiceError(
                f"{path} answered with status {reply.status_code}",
                passing=reply.status_code in _PASSING,
            )
        try:
            return reply.json()
        except ValueError:
            raise ServiceError(f"the reply to {path} is not JSON") from None


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

    async def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
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
