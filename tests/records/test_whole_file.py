"""A file is at its place when it is whole."""

from pathlib import Path

import pytest

from pytest_sema_bench.records.whole_file import whole_file, write_whole


def test_nothing_is_seen_of_a_file_before_it_is_whole(tmp_path: Path) -> None:
    """The old one stays until then, and nothing is left beside it."""
    path = tmp_path / "new" / "a.json"
    for text in ("first", "second\ud800"):
        before = path.read_text() if path.exists() else None
        with whole_file(path) as file:
            file.write(text)
            file.flush()
            assert (path.read_text() if path.exists() else None) == before
    assert path.read_text() == "second?"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    """What went wrong is raised; what there was stays as it is."""
    path = tmp_path / "a.json"
    path.write_text("first")
    with pytest.raises(UnicodeEncodeError), whole_file(path, "strict") as file:
        file.writelines(["half", "\ud800"])
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_stand_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where they cannot stand, nothing is left of them."""
    write_whole(tmp_path / "new" / "code", b"\x00\xff")
    assert (tmp_path / "new" / "code").read_bytes() == b"\x00\xff"
    with pytest.raises(OSError, match="new"):
        write_whole(tmp_path / "new", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_what_is_no_file_is_written_to_and_stays() -> None:
    """A device is not replaced by a file: a full one says so and is a device afterwards."""
    full = Path("/dev/full")
    with pytest.raises(OSError, match="No space left"), whole_file(full) as file:
        file.write("some text")
    assert full.is_char_device()
