"""What the files of a run folder hold, compressed ones too."""

import gzip
from pathlib import Path


def content(path: Path) -> bytes:
    """The bytes that were written, before they were compressed."""
    stored = path.read_bytes()
    return gzip.decompress(stored) if path.suffix == ".gz" else stored
