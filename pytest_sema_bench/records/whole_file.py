"""Files that are written beside their place and then moved there, so that nobody reads half."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path
from typing import IO
from uuid import uuid4


def check_place(path: Path) -> None:
    """Raises OSError where `whole_file` could not write: to be told before the work, not after."""
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    if path.exists() and not path.is_file():
        return  # to open and close a pipe would end what reads it
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


@contextmanager
def whole_file(path: Path, errors: str = "replace") -> Iterator[IO[str]]:
    """A file to write, which stands at `path` once it is whole, or else not at all.

    What is there and no file, such as a device, is written to in place. The folder is made.
    `errors` says what becomes of half a surrogate pair, as in `open`.
    """
    if path.exists() and not path.is_file():
        # A device or a pipe, such as /dev/stdout, is written to and must not be replaced.
        with path.open("w", encoding="utf-8", errors=errors) as file:
            yield file
        return
    with _beside(path) as new, new.open("w", encoding="utf-8", errors=errors) as file:
        yield file


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that stands at `path` whole, or else not at all. The folder is made."""
    with _beside(path) as new:
        new.write_bytes(content)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Where to write what is moved to `path` once all has gone well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Others may be writing the same file: by chance, for threads have one process, and process
    # numbers are the same in containers that share the folder.
    new = path.with_name(f".{path.name}.{uuid4().hex[:16]}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
