"""Files that are written beside their place and then moved there, so that nobody reads half."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path
from typing import IO


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
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        # A device or a pipe, such as /dev/stdout, is written to and must not be replaced.
        with path.open("w", encoding="utf-8", errors=errors) as file:
            yield file
        return
    # Other processes and threads may be writing the same file.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with beside.open("w", encoding="utf-8", errors=errors) as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
