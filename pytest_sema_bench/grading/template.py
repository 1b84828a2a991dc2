"""Sources with holes, to be filled with names that only one answer's interpreter knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.sema.names import Place, places_in_code
from pytest_sema_bench.sema.reader import ReadError, read_forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A source that gives some of its names a role."""

    texts: tuple[str, ...]
    """What stands before, between and after the holes."""
    holes: tuple[tuple[str, str], ...] = ()
    """For each hole the role, and the name that stood there."""

    def fill(self, probe: Probe) -> str:
        """The source with the probe's names in its holes."""
        filled = [self.texts[0]]
        for (role, name), text in zip(self.holes, self.texts[1:], strict=True):
            filled += [probe.name(role, name), text]
        return "".join(filled)


def make_template(source: str, roles: Mapping[int, str]) -> Template:
    """The source with a hole for each name in its code that starts at one of these positions."""
    texts, holes, end = [], [], 0
    for place in places_of(source):
        if role := roles.get(place.form.start):
            texts.append(source[end : place.form.start])
            holes.append((role, place.form.text))
            end = place.form.end
    return Template(texts=(*texts, source[end:]), holes=tuple(holes))


@lru_cache(maxsize=64)
def places_of(source: str | None) -> tuple[Place, ...]:
    """The places of the names in a source's code, in order; () if it cannot be read."""
    try:
        places = places_in_code(read_forms(source or ""))
    except ReadError:
        return ()
    return tuple(sorted(places, key=lambda place: place.form.start))
