"""Search by meaning: cosine over the vectors of an entry's texts.

With a reranker the ten highest cosines are put in its order. Without one the cosine is averaged
with the lexical score, each as a share of its highest, which found more than either alone on
the development queries. Names are looked up first, as in the lexical search. Where a service
fails, the lexical search answers and the result says why.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.docsearch.entry import Entry
from pytest_sema_bench.docsearch.index import Scores
from pytest_sema_bench.docsearch.lexical import LexicalSearch
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit
from pytest_sema_bench.docsearch.services import LocalModel, RemoteService, ServiceError
from pytest_sema_bench.docsearch.settings import DocsBackend, DocsSettings
from pytest_sema_bench.docsearch.vectors import Vectors, VectorStore

N_CANDIDATES = 10
"""Entries that a reranker is given."""


class Embedder(Protocol):
    """What turns texts into vectors."""

    label: str
    """Tells its vectors from those of another model."""

    async def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """A vector of length 1 for each text. Raises ServiceError."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Reranker(Protocol):
    """What puts candidates in order."""

    async def rerank(self, query: str, texts: Sequence[str], n: int) -> list[int]:
        """The numbers of the `n` texts that suit the query best. Raises ServiceError."""
        ...


def open_semantic(settings: DocsSettings, key: str | None) -> "SemanticSearch":
    """The search over the bundled corpus. Raises DocsError, and ServiceError without a model."""
    folder = settings.cache or cache_folder()
    lexical = LexicalSearch.bundled()
    if settings.backend is DocsBackend.LOCAL:
        assert settings.model is not None
        return SemanticSearch(lexical, LocalModel(settings.model), None, folder)
    service = RemoteService(settings, key)
    return SemanticSearch(lexical, service, service if settings.reranker else None, folder)


class SemanticSearch:
    """Search over vectors, with the lexical search to fall back to."""

    def __init__(
        self,
        lexical: LexicalSearch,
        embedder: Embedder,
        reranker: Reranker | None,
        folder: Path,
    ) -> None:
        self._lexical = lexical
        self._embedder = embedder
        self._reranker = reranker
        self._store = VectorStore(folder, embedder.label)
        self._entries = lexical.entries
        texts = [_texts(entry) for entry in self._entries]
        self._texts = [text for some in texts for text in some]
        self._starts = np.cumsum([0, *map(len, texts[:-1])])
        self._matrix: Vectors | None = None
        self._queries: dict[str, Vectors] = {}

    async def find(self, query: str, n: int = N_SHOWN) -> Found:
        """See Search.find."""
        by_words = self._lexical.find_now(query, n)
        if by_words.exact or not query.strip():
            return by_words
        try:
            ranked = await self._ranked(query, max(n, N_CANDIDATES))
            if self._reranker is not None:
                ranked = await self._reranked(self._reranker, query, ranked, n)
        except ServiceError as error:
            return Found(
                query=query, hits=by_words.hits, fallback=f"Semantic search failed: {error}"
            )
        named = [hit for hit in by_words.hits if hit.foreign is not None]
        first = {hit.entry.name for hit in named}
        rest = [hit for hit in ranked if hit.entry.name not in first]
        return Found(query=query, hits=tuple([*named, *rest][:n]))

    async def close(self) -> None:
        """See Search.close."""
        await self._embedder.close()

    async def _ranked(self, query: str, n: int) -> list[Hit]:
        """The entries with the highest cosine between the query and their best text."""
        matrix = await self._vectors()
        if query not in self._queries:
            self._queries[query] = (await self._embedder.embed([query], is_query=True))[0]
        vector = self._queries[query]
        if vector.shape != matrix.shape[1:]:
            raise ServiceError("the vectors of query and documents differ in length")
        cosines: Scores = np.maximum.reduceat(matrix @ vector, self._starts)
        scores = _share(cosines)
        if self._reranker is None:
            scores = (scores + _share(self._lexical.scores(query))) / np.float32(2)
        order = np.lexsort((np.arange(len(scores)), -scores))[:n]
        return [self._lexical.hit(number, float(scores[number])) for number in order]

    async def _reranked(
        self, reranker: Reranker, query: str, ranked: list[Hit], n: int
    ) -> list[Hit]:
        candidates = ranked[:N_CANDIDATES]
        documents = [_document(hit.entry) for hit in candidates]
        order = await reranker.rerank(query, documents, min(n, len(candidates)))
        best = [candidates[number] for number in order]
        return [*best, *(hit for hit in ranked if hit not in best)]

    async def _vectors(self) -> Vectors:
        """The vectors of all texts, those that are new embedded now."""
        if self._matrix is None:
            if missing := self._store.missing(self._texts):
                self._store.add(missing, await self._embedder.embed(missing, is_query=False))
            self._matrix = self._store.get(self._texts)
        return self._matrix


def _share(scores: Scores) -> Scores:
    """The scores as shares of the highest; as they are if none is above 0."""
    top = float(scores.max(initial=0.0))
    return scores / np.float32(top) if top > 0 else scores


def _texts(entry: Entry) -> list[str]:
    """What is embedded of an entry: name with sentence, and each intent."""
    return [f"{entry.name}: {entry.summary}", *entry.intents]


def _document(entry: Entry) -> str:
    """What a reranker reads of an entry."""
    return f"{entry.name} {entry.shape}\n{entry.summary}\n{'; '.join(entry.intents)}"
