"""What a server says of a failure: an error object, in whichever form it comes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_EXCERPT_CHARS = 400
_SEARCHED_CHARS = 800
"""Only this much of a server's message is searched for words: some echo the request after that,
and what a task says about an empty account is no word of the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """An error object, in whichever form a server writes it."""

    message: str = ""
    words: frozenset[str] = frozenset()
    """Its `code`, `type` and `status`, as text in lower case."""
    param: str | None = None
    """The field of the request that it is about, where the server says so."""
    flagged: bool = False
    """The request was refused for its content."""

    def search(self, *patterns: str | re.Pattern[str]) -> re.Match[str] | None:
        """The first match of one of the patterns in the message, upper case or lower."""
        start = self.message[:_SEARCHED_CHARS]
        flags = re.IGNORECASE | re.DOTALL
        found = (
            re.search(p, start, flags) if isinstance(p, str) else p.search(start) for p in patterns
        )
        return next(filter(None, found), None)


def read_error_body(data: object) -> ErrorBody | None:
    """The error object of a body; None if it holds none.

    Forms: OpenAI's {"error": {…}}, {"error": "text"}, vLLM's {"object": "error", …}, FastAPI's
    {"detail": …}, and Gemini's list with one of them.
    """
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, Mapping):
        return None
    error = data.get("error") or data.get("detail") or data
    if isinstance(error, Mapping) and isinstance(error.get("error"), Mapping):
        error = error["error"]
    if not isinstance(error, Mapping):
        return ErrorBody(message=_told(error))
    words = (error.get(name) for name in ("code", "type", "status"))
    metadata = error.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    # What the upstream said stands in OpenRouter's metadata, the message being only
    # "Provider returned error" (anomalyco/opencode#6056).
    parts = [_told(error.get("message") or error.get("detail")), _text(metadata.get("raw"))]
    param = error.get("param")
    return ErrorBody(
        message=" ".join(filter(None, parts)),
        words=frozenset(str(word).lower() for word in words if isinstance(word, str | int)),
        param=param if isinstance(param, str) else None,
        flagged=bool(metadata.get("reasons") or metadata.get("flagged_input")),
    )


# One error of a validator, as JSON or as Python prints it: pydantic's, which FastAPI hands on.
_INVALID = re.compile(
    r"""['"]loc['"]: *[\[(](?P<loc>.{0,300}?)[\])], *['"]msg['"]: *(?P<q>['"])(?P<msg>.*?)(?P=q)""",
    re.DOTALL,
)


def _told(value: object) -> str:
    """A message; of a validator's only what is wrong and where, what tells least last.

    It tries each kind of message in turn and tells of all, and echoes the request besides.
    """
    text = _text(value)
    errors: dict[str, str] = {}
    for found in _INVALID.finditer(text):
        where = re.sub(r"""['" ]""", "", found["loc"]).strip(",").replace(",", ".")
        errors.setdefault(found["msg"], where)
    telling = sorted(errors, key=lambda message: message.startswith("Input should be '"))
    return "; ".join(f"{errors[message]}: {message}" for message in telling) or text


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def excerpt(text: str) -> str:
    """The start of a text on one line, with nothing in it that a terminal would obey."""
    text = " ".join(text[: 4 * _EXCERPT_CHARS].split())
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown if len(shown) <= _EXCERPT_CHARS else shown[:_EXCERPT_CHARS] + " …"
