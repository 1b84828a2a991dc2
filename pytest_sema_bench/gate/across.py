"""What may differ between two runs on purpose: named, it is compared; unnamed, it is told."""

from collections.abc import Collection, Iterator
from enum import Enum

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.task_results import Group, Results


class Across(Enum):
    """A difference between two runs that a comparison may be about."""

    VM = "vm"
    DIALECT = "dialect"
    DOCS = "docs"
    PROMPT = "prompt"
    TOOLS = "tools"
    CONFIG = "config"
    """The whole configuration: its prompt, tools and documentation too."""


PLAIN = "plain Sema"
"""What a dialect is called that is none."""
_ASKED = (Across.PROMPT, Across.TOOLS, Across.DOCS, Across.CONFIG)
"""What a run writes down of each model and configuration."""


def read_across(text: str, option: str) -> frozenset[Across]:
    """The differences named in `vm,docs`. Raises SettingsError, blaming the option."""
    names = [name.strip() for name in text.split(",")]
    known = [across.value for across in Across]
    for name in names:
        if name not in known:
            raise SettingsError(f"{option}: found {name!r}, expected some of {', '.join(known)}")
    return frozenset(map(Across, names))


def told(across: Across, base: Results, run: Results) -> str:
    """`vm: native 2.0.0 (…) against wasm 1.36.0 (…)`: what a difference consists of."""
    after, before = _labels(across, run), _labels(across, base)
    both = f"{after} on both sides" if after == before else f"{after} against {before}"
    return f"{across.value}: {both}"


def asked_otherwise(base: Group, run: Group, across: Collection[Across]) -> Iterator[str]:
    """Each part of what the groups were asked that is known to differ, and is not in `across`."""
    if Across.CONFIG in across:
        return  # the whole of it
    for part in _ASKED:
        before, after = base.asked.get(part.value), run.asked.get(part.value)
        if part not in across and None not in (before, after) and before != after:
            yield f"{part.value} changed: {before}, now {after}"


def _labels(across: Across, results: Results) -> str:
    tasks = [task for group in results.groups for task in group.tasks]
    if across is Across.VM:
        found = {task.vm for task in tasks}
    elif across is Across.DIALECT:
        found = {task.dialect or PLAIN for task in tasks}
    else:
        found = {group.asked.get(across.value) for group in results.groups}
    return " and ".join(sorted(label for label in found if label is not None)) or "not known"
