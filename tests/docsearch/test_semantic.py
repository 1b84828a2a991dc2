"""Search by meaning over a real server: vectors, their cache, reranking, and falling back."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from pytest_sema_bench.docsearch.embed import RemoteService, VectorStore, unit
from pytest_sema_bench.docsearch.search import Found
from pytest_sema_bench.docsearch.semantic import SemanticSearch
from pytest_sema_bench.docsearch.settings import DocsSettings, read_docs_settings
from tests.embedding_server import EmbeddingServer, vector
from tests.small_docs import CORPUS, small_search

KEY = "a-key-that-nobody-may-see"
Find = Callable[..., Found]


@pytest.fixture
def server(event_loop_runner: asyncio.Runner) -> Iterator[EmbeddingServer]:
    """A server on loopback."""
    server = EmbeddingServer(event_loop_runner)
    server.start()
    yield server
    server.close()


def settings_for(server: EmbeddingServer) -> DocsSettings:
    """The settings of a server that speaks OpenAI's API, with this one's address."""
    return replace(read_docs_settings(None, "openai"), url=server.url, timeout_s=5.0)


@pytest.fixture
def find(
    server: EmbeddingServer, event_loop_runner: asyncio.Runner, tmp_path: Path
) -> Iterator[Find]:
    """Search the small documentation; one cache for all, a `fresh` search reads it from disk."""
    searches: list[SemanticSearch] = []

    def run(query: str, n: int = 5, *, fresh: bool = False) -> Found:
        if fresh or not searches:
            service = RemoteService(settings_for(server), KEY, wait_s=0.0)
            searches.append(SemanticSearch(small_search(), service, tmp_path))
        return event_loop_runner.run(searches[-1].find(query, n))

    yield run
    for search in searches:
        event_loop_runner.run(search.close())


def test_the_nearest_text_decides(find: Find, server: EmbeddingServer) -> None:
    """The intent that shares most words with the query leads to its entry."""
    found = find("where in a sequence an item occurs")
    assert (found.names[0], found.fallback) == ("list/index-of", None)
    assert [body["input"] for body in server.asked("/embeddings")][-1] == [found.query]
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_every_text_is_embedded_once(find: Find, server: EmbeddingServer) -> None:
    """Another search reads the vectors from disk; a query asked twice is sent once."""
    find("item")
    n_texts = sum(len(body["input"]) for body in server.asked("/embeddings"))
    assert n_texts == 1 + sum(1 + len(entry.intents) for entry in CORPUS.entries)
    find("item")
    assert len(server.asked("/embeddings")) == 2
    find("item", fresh=True)
    assert [body["input"] for body in server.asked("/embeddings")[2:]] == [["item"]]


def test_names_are_looked_up_first(find: Find, server: EmbeddingServer) -> None:
    """A name needs no service at all; a foreign one keeps its row."""
    assert find("filter").exact
    assert server.requests == []
    found = find("swap!")
    assert found.names[0] == "set!"
    assert found.hits[0].foreign is not None


FAILURES: dict[str, tuple[int, Callable[[], web.Response], str]] = {
    "a refused key": (1, lambda: web.Response(status=401), "status 401"),
    "an overload that lasts": (3, lambda: web.Response(status=503), "status 503"),
    "no JSON": (1, lambda: web.Response(text="hello"), "is not JSON"),
    "something else": (1, lambda: web.json_response({"error": KEY}), "not understood"),
    "too few": (1, lambda: web.json_response({"data": []}), "got shape"),
    "no numbers": (
        1,
        lambda: web.json_response({"data": [{"index": 0, "embedding": ["x"]}]}),
        "not understood",
    ),
}


@pytest.mark.parametrize(("times", "answer", "why"), FAILURES.values(), ids=FAILURES)
def test_a_failing_service_is_said_and_replaced(
    times: int, answer: Callable[[], web.Response], why: str, find: Find, server: EmbeddingServer
) -> None:
    """The lexical search answers, the result says why, and no key is told."""
    server.script = [answer] * times
    found = find("glue words with commas")
    assert found.names[0] == "string/join"
    assert found.fallback is not None
    assert why in found.fallback
    assert KEY not in found.fallback
    assert find("glue words with commas").fallback is None


def test_a_passing_fault_is_tried_again(find: Find, server: EmbeddingServer) -> None:
    """Two busy answers are no failure."""
    server.script = [lambda: web.Response(status=429), lambda: web.Response(status=502)]
    assert find("item").fallback is None


def test_vectors_of_another_length_are_a_fallback(find: Find, server: EmbeddingServer) -> None:
    """A server that changed its model under way is noticed."""
    find("warm")
    server.script = [lambda: web.json_response({"data": [{"index": 0, "embedding": [1.0, 2.0]}]})]
    assert "differ in length" in (find("glue words").fallback or "")


def test_a_server_that_is_gone_is_a_fallback(find: Find, server: EmbeddingServer) -> None:
    """Nobody listens any more: the agent still gets an answer."""
    server.close()
    found = find("glue words with commas")
    assert (found.names[0], "no reply" in (found.fallback or "")) == ("string/join", True)


def test_a_query_of_nothing_is_not_sent(find: Find, server: EmbeddingServer) -> None:
    """There is nothing to embed in it."""
    assert find("  ").hits == ()
    assert server.requests == []


def test_a_model_is_told_from_another_of_the_same_cache(tmp_path: Path) -> None:
    """The vectors of one model are not those of another."""
    VectorStore(tmp_path, "one").add(["a"], np.ones((1, 2), dtype=np.float32))
    assert VectorStore(tmp_path, "one").missing(["a", "b", "b"]) == ["b"]
    assert VectorStore(tmp_path, "two").missing(["a"]) == ["a"]


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04cut"])
def test_a_damaged_cache_of_vectors_is_empty(content: bytes, tmp_path: Path) -> None:
    """What cannot be read is paid for again, and written anew."""
    VectorStore(tmp_path, "one").add(["a"], np.ones((1, 2), dtype=np.float32))
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    store = VectorStore(tmp_path, "one")
    assert store.missing(["a"]) == ["a"]
    store.add(["a"], np.ones((1, 2), dtype=np.float32))
    assert VectorStore(tmp_path, "one").get(["a"]).tolist() == [[1.0, 1.0]]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """The vectors of this run stay in memory."""
    (tmp_path / "file").write_text("no folder")
    store = VectorStore(tmp_path / "file", "one")
    store.add(["a"], np.ones((1, 2), dtype=np.float32))
    assert store.missing(["a"]) == []


def test_a_vector_of_zeros_has_no_direction() -> None:
    """It stays as it is, instead of becoming no number at all."""
    assert unit(np.zeros((1, 3), dtype=np.float32)).tolist() == [[0.0, 0.0, 0.0]]
    assert unit(np.array([[3.0, 4.0]], dtype=np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)]
    ]


def test_many_texts_are_sent_in_parts(
    server: EmbeddingServer, event_loop_runner: asyncio.Runner
) -> None:
    """No request holds more than 64 texts, and the vectors come back in order."""
    service = RemoteService(settings_for(server), None)
    texts = [f"word-{number}" for number in range(130)]
    vectors = event_loop_runner.run(service.embed(texts))
    assert [len(body["input"]) for body in server.asked("/embeddings")] == [64, 64, 2]
    assert (vectors.argmax(axis=1) == [v.index(1.0) for v in map(vector, texts)]).all()
    event_loop_runner.run(service.close())
    assert set(server.keys) == {None}
