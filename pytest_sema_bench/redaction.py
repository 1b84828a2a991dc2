"""Keys taken out of texts, by value: the one rule for every door through which text leaves."""

import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REMOVED = "[key removed]"
SHORTEST_SECRET_CHARS = 8
"""A shorter key, such as `x` for a local server, is no secret, and removing it from texts would
leave nothing of them."""


class Redactor:
    """Replaces known keys in texts, in each form in which a server or a library may write them."""

    def __init__(self, keys: Iterable[str | None] = ()) -> None:
        secrets = [key for key in keys if key and len(key) >= SHORTEST_SECRET_CHARS]
        # The longest first: one key may be part of another.
        self._forms = sorted({form for key in secrets for form in _forms(key)}, key=len)[::-1]

    def clean(self, text: str) -> str:
        """The text without any key."""
        for form in self._forms:
            text = text.replace(form, REMOVED)
        return text


def _forms(key: str) -> set[str]:
    escaped = json.dumps(key)[1:-1]
    # Escaped twice: JSON within a JSON string, as a record holds an error body.
    twice = json.dumps(escaped)[1:-1]
    return {key, escaped, twice, key.replace("/", "\\/"), quote(key, safe=""), quote_plus(key)}
