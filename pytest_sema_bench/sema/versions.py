"""For which versions of Sema something holds: an example, a name, a hint."""

import re
from dataclasses import dataclass

PROVEN = ("1.36.0", "2.0.0")
"""Versions on which the bundled suites, the documentation and the primer have been proven."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """A range of versions, open where an end is None."""

    since: str | None = None
    """The first version for which it holds."""
    until: str | None = None
    """The first version for which it holds no more."""

    def __contains__(self, version: str) -> bool:
        """Whether it holds for a version such as 1.36.0."""
        return not (
            (self.since is not None and _numbers(version) < _numbers(self.since))
            or (self.until is not None and _numbers(version) >= _numbers(self.until))
        )


def _numbers(version: str) -> tuple[int, ...]:
    """1.36.0 as (1, 36, 0); what stands behind three numbers, as in 2.0.0-rc.1, is left out."""
    return tuple(map(int, _NUMBER.findall(version)[:3]))


ALWAYS = Versions()
_LABEL = re.compile(r"(?:wasm|native) (\S+) \(")
"""A VM as records name it: `wasm 1.36.0 (a1b2c3d4)`."""


def unproven_version(label: str | None) -> str | None:
    """The version of a VM by its label, if nobody has proven the suites on it."""
    found = _LABEL.match(label or "")
    return found[1] if found and found[1] not in PROVEN else None


# Without braces inside: marks do not nest, and the first brace that closes ends one.
_MARKED = re.compile(r"\{(since|until) (\d+\.\d+\.\d+): ([^{}]*)\}")


def text_on(text: str, version: str) -> str:
    """The text with `{since 2.0.0: …}` as its content or as nothing, and `{until …}` so too."""
    return _MARKED.sub(
        lambda mark: mark[3] if version in Versions(**{mark[1]: mark[2]}) else "", text
    )
