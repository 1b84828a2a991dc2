"""Where conversations are kept: a compressed file per process, which is read while it grows.

`transcripts.jsonl.gz` holds one gzip member for each conversation, a line of JSON, so that `zcat`
reads all of them. Records are the index: `transcripts.jsonl.gz#4711` names file and byte of the
member. Older runs have a file of JSON for each, `transcripts/L2-05-palindrome/m-tools-s1.json`.
"""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

_LEVEL = 3
"""Beyond it a conversation becomes a tenth smaller and takes twice as long."""
_READ_BYTES = 4096


def pack(text: str) -> bytes:
    """The member of a conversation; half a surrogate pair becomes a question mark."""
    return gzip.compress(f"{text}\n".encode("utf-8", "replace"), _LEVEL, mtime=0)


def unpack(member: bytes) -> dict[str, Any]:
    """The conversation of a member."""
    talk: dict[str, Any] = json.loads(gzip.decompress(member))
    return talk


def place_of(file: str, offset: int) -> str:
    """What a record says of a conversation that begins at a byte of a file."""
    return f"{file}#{offset}"


def read_transcript(run: Path, place: str) -> dict[str, Any]:
    """The conversation that a record's `transcript` names, of a run in a folder.

    It holds lists of `messages` and `calls`. Raises OSError or ValueError if it cannot be read.
    """
    # What was graded again stands a folder below the run, and its records lead up to it.
    inner = place.removeprefix("../")
    if not inner.startswith("transcripts") or ".." in inner.split("/"):
        raise ValueError("it lies outside of the run folder")
    file, _, offset = place.partition("#")
    content = _member(run / file, int(offset)) if offset else (run / file).read_bytes()
    talk = json.loads(content.decode("utf-8", "replace"))
    if not (
        isinstance(talk, dict)
        and isinstance(talk.get("messages"), list)
        and isinstance(talk.get("calls"), list)
    ):
        raise ValueError("it holds no lists of messages and calls")
    return talk


def _member(path: Path, offset: int) -> bytes:
    """The content of the gzip member at an offset. Raises OSError or ValueError."""
    # The wbits say that there is a gzip header and trailer.
    unzip, parts = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), []
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        try:
            while not unzip.eof:
                if not (chunk := file.read(_READ_BYTES)):
                    raise ValueError("it is cut off")
                parts.append(unzip.decompress(chunk))
        except zlib.error as error:
            raise ValueError(f"it is damaged: {error}") from error
    return b"".join(parts)
