"""TOML with the lines of its keys, which Python's own reader does not tell."""

import datetime
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import FileError
from pytest_sema_bench.user_file.file import UserFile, Where

_WORD = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)"""
"""One part of a key, with or without quotes."""
_KEY = rf"\s*({_WORD}(?:\s*\.\s*{_WORD})*)\s*"
# `[a.b]` or `[[a."b c"]]`, with a remark or without; `["a", "b"],` in a list is none.
_HEADER = re.compile(rf"\s*\[\[?{_KEY}\]\]?\s*(?:#.*)?")
_ENTRY = re.compile(rf"{_KEY}=")
# Before Python 3.14 tomllib tells the line in its message only.
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")


def read_toml(path: Path) -> UserFile:
    """The file, an empty table where there is none. Raises FileError with a line."""
    text = ""
    try:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        raise FileError(path, int(at[1]) if at else 1, f"not TOML: {error}") from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise FileError(path, 1, f"cannot be read: {error}") from error
    return UserFile(path=path, data=_plain(data), lines=_TomlLines(text))


def _plain(value: Any) -> Any:
    """The value with dates as text; what is not finite is left as text too, which fits nowhere."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class _TomlLines:
    text: str

    def line(self, where: Where) -> int:
        """See `Lines`. What only looks like a key, in a text of several lines, counts too."""
        best, line = 0, 1
        for number, keys in self._keys():
            n = min(len(keys), len(where))
            if n > best and list(where[:n]) == keys[:n]:
                best, line = n, number
        return line

    def text_line(self, where: Where) -> int:
        """See `Lines`."""
        return self.line(where)

    def _keys(self) -> Iterator[tuple[int, list[str]]]:
        """Each line that names a table or a key, with the whole way to it."""
        table: list[str] = []
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := _HEADER.fullmatch(line):
                table = _parts(header[1])
                yield number, table
            elif entry := _ENTRY.match(line):
                yield number, [*table, *_parts(entry[1])]


def _parts(key: str) -> list[str]:
    return [word.strip("\"'") for word in re.findall(_WORD, key)]
