"""The index in the cache folder: built once, whole or not there, mended when damaged."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_sema_bench.docsearch import index_cache
from pytest_sema_bench.docsearch.corpus import Corpus
from pytest_sema_bench.docsearch.index_cache import content_hash, open_index
from pytest_sema_bench.docsearch.lexical import LexicalSearch
from tests.small_docs import CORPUS, small_search

QUERY = "which slot of a sequence holds a thing"
LOADED: list[Corpus] = []


def load() -> Corpus:
    """The small documentation, and a note that it had to be loaded."""
    LOADED.append(CORPUS)
    return CORPUS


def names(folder: Path) -> tuple[str, ...]:
    """What a query finds with the index of a cache folder."""
    return LexicalSearch(*open_index(folder, load)).find_now(QUERY).names


EXPECTED = small_search().find_now(QUERY).names


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The index's folder in a cache that one search has filled."""
    names(tmp_path)
    (place,) = tmp_path.iterdir()
    return place


def test_the_index_is_built_once(filled: Path) -> None:
    """A second opening reads what the first wrote and finds the same."""
    n_loaded = len(LOADED)
    corpus, index = open_index(filled.parent, load)
    assert len(LOADED) == n_loaded
    assert corpus == CORPUS
    assert len(index.weights) > len(corpus.entries)
    assert names(filled.parent) == EXPECTED


def test_the_folder_is_named_by_what_is_in_it(filled: Path) -> None:
    """Another corpus or other code is another folder."""
    assert filled.name == f"docs-{content_hash()}"


FILES = ["corpus.json", "texts.npz", "data.csc.index.npy", "vocab.index.json", "params.index.json"]
DAMAGE = {"empty": b"", "garbage": b"\x00\xffgarbage", "cut": None}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_index_is_built_anew(name: str, damage: str, filled: Path) -> None:
    """Whichever file is empty, garbage or cut short, the search finds what it always found."""
    whole = (filled / name).read_bytes()
    content = DAMAGE[damage]
    (filled / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert names(filled.parent) == EXPECTED
    assert len((filled / name).read_bytes()) == len(whole)


def test_a_folder_that_is_gone_in_part_is_built_anew(filled: Path) -> None:
    """A missing file is as good as no index."""
    (filled / "texts.npz").unlink()
    names(filled.parent)
    assert (filled / "texts.npz").is_file()


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    """The search works from memory, and nothing is left behind."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert names(blocked) == EXPECTED
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_several_processes_may_build_it_at_once(tmp_path: Path) -> None:
    """Each gets the same index, one of them is kept, and no temporary folder stays."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: names(tmp_path), range(4)))
    assert set(found) == {EXPECTED}
    assert [path.name for path in tmp_path.iterdir()] == [f"docs-{content_hash()}"]


def test_the_code_that_makes_the_index_is_part_of_its_name() -> None:
    """Every module that decides what the index holds is named, and is there."""
    folder = Path(index_cache.__file__).parent
    for name in index_cache._CODE:
        assert (folder / name).is_file()
    assert os.sep not in "".join(index_cache._CODE)
