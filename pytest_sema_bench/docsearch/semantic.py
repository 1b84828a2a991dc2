"""Search by meaning: cosine over the vectors of an entry's texts.

The cosine is added to the lexical score, each as a share of its highest, which found more than
either alone on the development queries. Names are looked up first, as in the lexical search.
Where a service fails, the lexical search answers and the result says why.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.docsearch.embed import (
    LocalModel,
    RemoteService,
    ServiceError,
    Vectors,
    VectorStore,
)
from pytest_sema_bench.docsearch.entry import Entry
from pytest_sema_bench.docsearch.lexical import LexicalSearch
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Hit
from pytest_sema_bench.docsearch.settings import DocsBackend, DocsSettings


class Embedder(Protocol):
    """What turns texts into vectors."""

    label: str
    """Tells its vectors from those of another model."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector of length 1 for each text. Raises ServiceError."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


def open_semantic(
    settings: DocsSettings, key: str | None, version: str, dialect: Dialect | None = None
) -> "SemanticSearch":
    """The search over the bundled corpus. Raises FileError, and ServiceError without a model."""
    lexical = LexicalSearch.bundled(version, dialect)
    embedder: Embedder
    if settings.backend is DocsBackend.LOCAL:
        assert settings.model is not None
        embedder = LocalModel(settings.model)
    else:
        embedder = RemoteService(settings, key)
    return SemanticSearch(lexical, embedder, settings.cache or cache_folder())


class SemanticSearch:
    """Search over vectors, with the lexical search to fall back to."""

    def __init__(self, lexical: LexicalSearch, embedder: Embedder, folder: Path) -> None:
        self._lexical = lexical
        self._embedder = embedder
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
            ranked = await self._ranked(query, n)
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
            self._queries[query] = (await self._embedder.embed([query]))[0]
        vector = self._queries[query]
        if vector.shape != matrix.shape[1:]:
            raise ServiceError("the vectors of query and documents differ in length")
        cosines: Vectors = np.maximum.reduceat(matrix @ vector, self._starts)
        by_words = np.zeros_like(cosines)
        for number, score in self._lexical.scores(query).items():
            by_words[number] = score
        scores = _share(cosines) + _share(by_words)
        # Of equals the lower number first, as in the lexical search.
        order = np.lexsort((np.arange(len(scores)), -scores))[:n]
        return [self._lexical.hit(int(number), float(scores[number])) for number in order]

    async def _vectors(self) -> Vectors:
        """The vectors of all texts, those that are new embedded now."""
        if self._matrix is None:
            if missing := self._store.missing(self._texts):
                self._store.add(missing, await self._embedder.embed(missing))
            self._matrix = self._store.get(self._texts)
        return self._matrix


def _share(scores: Vectors) -> Vectors:
    """The scores as shares of the highest; as they are if none is above 0."""
    top = float(scores.max(initial=0.0))
    return scores / np.float32(top) if top > 0 else scores


def _texts(entry: Entry) -> list[str]:
    """What is embedded of an entry: name with sentence, and each intent."""
    return [f"{entry.name}: {entry.summary}", *entry.intents, *entry.asked]
