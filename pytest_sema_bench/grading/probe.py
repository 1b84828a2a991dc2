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
        self._shown: dict[str, str] = {}
        self._name = self.name("probe", shown="grader")
        self._seal = self.name("seal", shown="grader")

    def name(self, role: str, shown: str) -> str:
        """An unguessable symbol for a role; `scrub` turns it into `shown`."""
        name = f"sema-{blake2b(role.encode(), key=self._key, digest_size=12).hexdigest()}"
        self._shown[name] = shown
        return name

    def source(self, flags: Sequence[str] = ()) -> str:
        """The definition of the probe, to be loaded before anything else.

        `flags` names variables that it reports with each value; they may be defined later.
        """
        text = _template().replace("PROBE", self._name).replace("SEAL", self._seal)
        return text.replace("FLAGS", " ".join(flags))

    def call(self, source: str) -> str:
        """Source whose value is what the probe writes about the value of `source`."""
        return f"({self._name}\n{source}\n)"

    def call_with(self, source: str, bindings: Sequence[tuple[str, str]]) -> str:
        """As `call`, with each first name in `bindings` bound to the value of the second."""
        names = " ".join([self._name, *(name for name, _ in bindings)])
        values = " ".join([self._name, *(value for _, value in bindings)])
        return f"((fn ({names}) {self.call(source)}) {values})"

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
        for name, shown in self._shown.items():
            message = message.replace(name, shown)
        return message


@cache
def _template() -> str:
    return (files("pytest_sema_bench.grading") / "probe.sema").read_text("utf-8")
