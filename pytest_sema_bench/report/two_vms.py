"""Two VMs side by side: what differs, grouped by kind, as lines of text, Markdown, or data."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_sema_bench.grading.two_vms import Difference, DifferenceKind
from pytest_sema_bench.report.text import printable, safe
from pytest_sema_bench.sema.vm import VMInfo

_WIDTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoVMs:
    """All that was run on two VMs, and what differs."""

    first: VMInfo
    second: VMInfo
    n_run: Mapping[str, int]
    """How many of each sort were run: `references`, `snippets of the documentation`."""
    n_unsteady: int
    of_suite: tuple[Difference, ...]
    """In the references and wrong answers of the suite."""
    others: tuple[Difference, ...]

    @property
    def by_kind(self) -> dict[DifferenceKind, list[Difference]]:
        """The differences of each kind, kinds without any left out."""
        groups: dict[DifferenceKind, list[Difference]] = {kind: [] for kind in DifferenceKind}
        for difference in (*self.of_suite, *self.others):
            groups[difference.kind].append(difference)
        return {kind: found for kind, found in groups.items() if found}

    @property
    def suite_holds(self) -> bool:
        """Whether every verdict of the suite is the same on both."""
        return all(difference.kind is not DifferenceKind.VERDICT for difference in self.of_suite)


def two_vms_lines(both: TwoVMs, *, markdown: bool = False) -> Iterator[str]:
    """The page one reads before a new VM takes the place of an old one."""
    head = f"{safe(both.first.label)} against {safe(both.second.label)}"
    yield f"# {head}" if markdown else head
    yield ""
    ran = ", ".join(f"{n:,} {sort}" for sort, n in both.n_run.items())
    yield f"run on both: {ran}"
    if both.n_unsteady:
        yield f"left out, since the first VM gives something else each time: {both.n_unsteady}"
    verdicts = "the same" if both.suite_holds else "NOT the same"
    yield f"verdicts of the suite: {verdicts} on both"
    yield ""
    for kind, differences in both.by_kind.items():
        title = f"{kind.value}: {len(differences)}"
        yield f"## {title}" if markdown else title
        yield ""
        for difference in differences:
            yield from _one(difference, markdown=markdown)
        yield ""
    if not both.by_kind:
        yield "nothing differs"


def _one(difference: Difference, *, markdown: bool) -> Iterator[str]:
    shown = safe if markdown else printable
    item, indent, mark = ("- ", "  - ", "`") if markdown else ("  ", "    ", "")
    where = f"{difference.name} ({difference.place})"
    yield f"{item}{shown(where)}: {mark}{shown(_flat(difference.code), width=_WIDTH)}{mark}"
    for name, text in (("first", difference.first), ("second", difference.second)):
        yield f"{indent}{name}: {shown(_flat(text), width=_WIDTH)}"


def _flat(text: str) -> str:
    return " ".join(text.split())


def two_vms_facts(both: TwoVMs) -> dict[str, Any]:
    """The same for programs."""
    return {
        "first": _vm_facts(both.first),
        "second": _vm_facts(both.second),
        "run": dict(both.n_run),
        "unsteady": both.n_unsteady,
        "suite_holds": both.suite_holds,
        "differences": {
            kind.value: [
                {**asdict(difference), "kind": kind.value, "suite": difference in both.of_suite}
                for difference in differences
            ]
            for kind, differences in both.by_kind.items()
        },
    }


def _vm_facts(info: VMInfo) -> dict[str, Any]:
    return {**asdict(info), "confinement": list(info.confinement), "label": info.label}
