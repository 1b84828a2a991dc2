"""What is loaded beside an answer so that its value can be read without its help.

One `Probe` serves one interpreter. Its names are hashes of the task, the case and the answer:
the same at each grading, and out of reach of the answer, which cannot hold a hash of itself.
What the probe writes carries a seal, so that a string which merely looks like it is nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files

from pytest_sema_bench.sema.value import Value, from_tree, unquote


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the probe wrote."""

    value: Value
    flags: tuple[bool, ...]
    """What the variables that were given to `Probe.source` held."""


class Probe:
    """The sources that read values in one interpreter, and the names that they go by."""

    def __init__(self, *parts: object) -> None:
        """`parts` are all that the names depend on: the task, the case, the answer's text."""
        self._key = blake2b(repr(parts).encode("utf-8", "replace"), digest_size=32).digest()
        self._names: dict[tuple[str, str], str] = {}
        self._name = self.name("probe", "grader")
        self._seal = self.name("seal", "grader")

    def name(self, role: str, shown: str) -> str:
        """An unguessable symbol for a role of what is called `shown`, which `scrub` makes of it."""
        if (role, shown) not in self._names:
            text = f"{role} {shown}".encode("utf-8", "replace")
            digest = blake2b(text, key=self._key, digest_size=12).hexdigest()
            self._names[role, shown] = f"sema-{digest}"
        return self._names[role, shown]

    def source(self, flags: Sequence[str] = ()) -> str:
        """The definition of the probe, to be loaded before anything else.

        `flags` names variables that it reports with each value; they may be defined later.
        """
        text = _template().replace("PROBE", self._name).replace("SEAL", self._seal)
        return text.replace("FLAGS", " ".join(flags))

    def call(self, source: str) -> str:
        """Source whose value is what the probe writes about the value of `source`."""
        return f"({self._name}\n{source}\n)"

    def read(self, printed: str | None) -> Reading | None:
        """What the probe wrote, from the VM's printed string; None if this is not its work."""
        try:
            seal, tree, flags = json.loads(unquote(printed or ""))
            if seal == self._seal:
                return Reading(value=from_tree(tree), flags=tuple(map(bool, flags)))
        except (ValueError, TypeError, RecursionError):
            pass
        return None

    def scrub(self, message: str) -> str:
        """A message of the VM without the probe's own names."""
        for (_, shown), name in self._names.items():
            message = message.replace(name, shown)
        return message


@cache
def _template() -> str:
    return (files("pytest_sema_bench.grading") / "probe.sema").read_text("utf-8")
