"""Keeps what the names in a case mean, whatever the answer makes of them.

A call may use functions, macros and special forms; what the case gives may use functions and
define names of its own. All of that is settled before the answer is loaded: functions are
bound in the call itself, macros are put back after the answer, and the case's own names are
replaced by ones that the answer cannot know.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_sema_bench.grading.names import NameKind, kinds_of, names_asked
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.sema.names import names_bound, names_in_data, symbols_in
from pytest_sema_bench.sema.reader import ReadError, code_atoms, read_forms
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Case, Task

_FUNCTIONS = (NameKind.FUNCTION, NameKind.OPCODE)
_VALUES = (*_FUNCTIONS, NameKind.CONSTANT)

INTERNALS = tuple(
    f"__vm-{name}"
    for name in (
        *("append", "define-record-type", "delay", "destructure", "eval", "force", "get"),
        *("list->vector", "macroexpand", "make-multi", "match-failed", "str", "try-match"),
    )
)
"""Functions that special forms compile to; nothing but their bytecode names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A case's sources and what its names are."""

    given: str | None
    call: str | None
    own: tuple[str, ...] = ()
    """Names that the case gives for itself alone, neither the prompt nor the VM knows them."""
    lent: tuple[str, ...] = ()
    """The VM's functions and constants that the given source uses."""
    values: tuple[str, ...] = ()
    """The VM's functions and constants that the call uses, and the functions of the case."""
    macros: tuple[str, ...] = ()
    """Macros in the call, the VM's or the case's."""
    others: tuple[str, ...] = ()
    """Special forms and words such as `else`, of which an answer could make macros."""

    def before(self, probe: Probe) -> list[str]:
        """What is loaded before the answer: what the case gives, and what keeps its names."""
        own = self._own_names(probe)
        sources = []
        if self.given:
            lent = {name: probe.name(f"lent {name}", shown=name) for name in self.lent}
            sources += [f"(define {new} {name})" for name, new in lent.items()]
            sources.append(rename(self.given, own | lent))
        kept = [own.get(name, name) for name in (*self.values, *self.macros)]
        sources.append("\n".join(f"(define {self._kept(probe, name)} {name})" for name in kept))
        back = [name for name in self.macros if name not in own]
        back += [name for name in self.values if name in INTERNALS]
        lines = [f"(set! {name} {self._kept(probe, name)})" for name in back]
        lines += [
            f"(if (equal? (type (try {name} (catch e nil))) :macro) (set! {name} nil))"
            for name in self.others
        ]
        body = "\n".join([*lines, "nil"])
        # Bound before the answer is loaded, which may define these anew.
        restore = f"(let ((type type) (equal? equal?)) (fn () {body}))"
        return [*sources, f"(define {self._restore(probe)} {restore})"]

    def after(self, probe: Probe) -> list[str]:
        """What is loaded after the answer: it undoes macros made of the names in the call."""
        return [f"({self._restore(probe)})"]

    def call_source(self, probe: Probe) -> str:
        """The call, read by the probe, with its names bound where the answer cannot reach."""
        own = self._own_names(probe)
        names = [own.get(name, name) for name in self.values]
        bindings = [(name, self._kept(probe, name)) for name in names]
        return probe.call_with(rename(self.call or "", own), bindings)

    def _own_names(self, probe: Probe) -> dict[str, str]:
        return {name: probe.name(f"own {name}", shown=name) for name in self.own}

    def _kept(self, probe: Probe, name: str) -> str:
        return probe.name(f"kept {name}", shown=probe.scrub(name))

    def _restore(self, probe: Probe) -> str:
        return probe.name("restore", shown="grader")


async def make_scope(
    task: Task, case: Case, kinds: Mapping[str, NameKind], vm: SemaVM, limits: Limits
) -> Scope:
    """The scope of a case; `kinds` says what names are without the case."""
    given, call = case.given, case.call
    names = symbols_in(call) - names_asked(task) - names_bound(call or "")
    meant = frozenset() if task.reference is not None else _shown(task)
    redefined = names & names_bound(given or "")
    now = {**kinds, **await kinds_of(redefined, vm, limits, given)}

    def of_kind(*wanted: NameKind) -> tuple[str, ...]:
        return tuple(sorted(name for name in names if now[name] in wanted))

    # What the case binds to anything but a function is a variable, which may change.
    variables = frozenset(name for name in redefined if now[name] is NameKind.CONSTANT)
    values = tuple(name for name in of_kind(*_VALUES) if name not in variables)
    return Scope(
        given=given,
        call=call,
        own=_own(task, case, kinds),
        lent=_lent(given, kinds),
        values=(*values, *(name for name in INTERNALS if kinds.get(name) in _FUNCTIONS)),
        macros=of_kind(NameKind.MACRO),
        others=tuple(name for name in of_kind(NameKind.SYNTAX, NameKind.FREE) if name not in meant),
    )


def _own(task: Task, case: Case, kinds: Mapping[str, NameKind]) -> tuple[str, ...]:
    """What the case defines, less what the answer may use or what stands in data too."""
    if case.given is None or case.call is None or _takes_keys(case.given, case.call):
        return ()
    if "define-record-type" in symbols_in(case.given):  # A record prints the name of its type.
        return ()
    known = _words(task.prompt) | symbols_in(task.reference)
    if task.reference is None:
        known |= _shown(task)
    names = names_bound(case.given) - known
    names -= names_in_data(case.given) | names_in_data(case.call)
    return tuple(sorted(name for name in names if kinds.get(name) is NameKind.FREE))


def _shown(task: Task) -> frozenset[str]:
    """All that the model is shown: without a reference, what it may define or use."""
    public = (f"{case.given} {case.call}" for case in task.public_cases)
    return _words(task.prompt).union(*map(_words, public))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\s()\[\]{}\"'`,;:.]+", text))


def _lent(given: str | None, kinds: Mapping[str, NameKind]) -> tuple[str, ...]:
    if given is None or _takes_keys(given):
        return ()
    names = symbols_in(given) - names_bound(given)
    return tuple(sorted(name for name in names if kinds[name] in _VALUES))


def _takes_keys(*sources: str) -> bool:
    """Whether a source takes maps apart by key, where a variable's name is data as well."""
    return any(":keys" in source for source in sources)


def rename(source: str, new_names: Mapping[str, str]) -> str:
    """The source with names in its code replaced; quoted data and strings stay as they are."""
    try:
        atoms = [atom for atom in code_atoms(read_forms(source)) if atom.text in new_names]
    except ReadError:
        return source
    # From the end, so that the places of those before stay right.
    for atom in sorted(atoms, key=lambda atom: atom.start, reverse=True):
        source = source[: atom.start] + new_names[atom.text] + source[atom.end :]
    return source
