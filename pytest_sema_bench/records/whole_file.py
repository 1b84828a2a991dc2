"""Files that are written beside their place and then moved there, so that nobody reads half."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


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
