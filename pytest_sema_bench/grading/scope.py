"""Keeps what the names in a case mean, whatever the answer makes of them.

A call may use functions, macros and special forms; what the case gives may use functions and
define names of its own. All of that is settled before the answer is loaded: functions are
bound in the call itself, macros are put back after the answer, and the case's own names are
replaced by ones that the answer cannot know. What the VM compiles in place stays as it is: no
binding reaches it, and bound as a value it may mean something else.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from pytest_sema_bench.grading.names import NameKind, kinds_of, names_asked
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.grading.template import Template, make_template, places_of
from pytest_sema_bench.sema.names import (
    Place,
    local_names,
    macros_defined,
    names_bound,
    names_in_data,
    symbols_in,
)
from pytest_sema_bench.sema.reader import Kind, ReadError, read_forms
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Case, Task

_FUNCTIONS = (NameKind.FUNCTION, NameKind.OPCODE)
_VALUES = (*_FUNCTIONS, NameKind.CONSTANT)
_FORMS = (NameKind.MACRO, NameKind.SYNTAX, NameKind.FIXED_SYNTAX)

INTERNALS = tuple(
    f"__vm-{name}"
    for name in (
        *("append", "define-record-type", "delay", "destructure", "eval", "force", "get"),
        *("list->vector", "macroexpand", "make-multi", "match-failed", "str", "try-match"),
    )
)
"""Functions that special forms and literals compile to; nothing but their bytecode names them."""
_RESTORERS = ("type", "equal?")
"""What is needed to see whether a name is a macro."""
_THREADS = re.compile("(?!as->).*->>?")
"""Macros that give each form but the first one more argument; `as->` names the place itself."""
_LITERALS = frozenset({Kind.VECTOR, Kind.MAP, Kind.LAMBDA, Kind.BYTES, Kind.FSTRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A case's sources and what its names are."""

    given: Template | None
    call: Template | None
    lent: tuple[str, ...] = ()
    """The VM's functions and constants that the given source uses."""
    kept: tuple[str, ...] = ()
    """The VM's names that the call uses, and those that the case gives under their own name."""
    bound: tuple[tuple[str, str], ...] = ()
    """Names that are bound in the call, each with the role under which its value is kept."""
    back: tuple[str, ...] = ()
    """Those of `kept` that are put back after the answer."""
    unmade: tuple[str, ...] = ()
    """Names that are put back if the answer has made macros of them; to nil if not kept."""

    def lend(self, probe: Probe) -> str:
        """What is loaded before the given source: the VM's functions under other names."""
        return "\n".join(f"(define {probe.name('lent', name)} {name})" for name in self.lent)

    def keep(self, probe: Probe) -> str:
        """What is loaded after it, and before the answer: names kept, and how to restore them."""
        kept = [*self.kept, *(_RESTORERS if self.unmade else ())]
        lines = [f"(define {probe.name('kept', name)} {name})" for name in dict.fromkeys(kept)]
        if self.back or self.unmade:
            # No `let` around it: of two closures that one source makes in such a way, the VM
            # (1.36.0) gives the first one the variables of the second.
            type_of, equal = (probe.name("kept", name) for name in _RESTORERS)
            body = [f"(set! {name} {probe.name('kept', name)})" for name in self.back]
            for name in self.unmade:
                to = probe.name("kept", name) if name in self.kept else "nil"
                is_macro = f"({equal} ({type_of} (try {name} (catch e nil))) :macro)"
                body.append(f"(if {is_macro} (set! {name} {to}))")
            restore = probe.name("restore", "grader")
            lines.append("\n".join([f"(define {restore} (fn ()", *body, "nil))"]))
        return "\n".join(lines)

    def restore(self, probe: Probe) -> tuple[str, ...]:
        """What is loaded after the answer: it undoes what was made of the names in the call."""
        return (f"({probe.name('restore', 'grader')})",) if self.back or self.unmade else ()

    def call_source(self, probe: Probe, read: Callable[[str], str]) -> str:
        """The call as `read` wraps it, with its names bound where the answer cannot reach."""
        assert self.call is not None
        source = read(self.call.fill(probe))
        if not self.bound:
            return source
        names = " ".join(name for name, _ in self.bound)
        values = " ".join(probe.name(role, name) for name, role in self.bound)
        return f"((fn ({names})\n{source}\n) {values})"


async def make_scope(
    task: Task,
    case: Case,
    kinds: Mapping[str, NameKind],
    in_place: Mapping[str, frozenset[int]],
    vm: SemaVM,
    limits: Limits,
) -> Scope:
    """The scope of a case.

    `kinds` says what names are without the case, `in_place` with how many arguments a call of
    an opcode is compiled in place.
    """
    given, call = case.given, case.call
    redefined = names_bound(given or "")
    names = symbols_in(call) - names_asked(task) - names_bound(call or "")
    now = {**kinds, **await kinds_of(names & redefined, vm, limits, given)}
    # What the case binds to anything but a function is a variable, which may change.
    variables = {name for name in names & redefined if now[name] is NameKind.CONSTANT}
    values = {name for name in names if now[name] in _VALUES} - variables
    macros = {name for name in names if now[name] is NameKind.MACRO}
    meant = frozenset() if task.reference is not None else _shown(task)
    words = {n for n in names if now[n] in (NameKind.SYNTAX, NameKind.FREE) and n not in meant}
    inner = INTERNALS if _compiles(call, now) else ()
    internals = {name for name in inner if kinds.get(name) in _FUNCTIONS}

    own = _own(task, case, kinds)
    # What becomes the data of the answer's macro must go by its own name; a function still can.
    own -= {place.form.text for place in _inside(call, macros_defined(task.reference))} - values
    # A rule's macro or wrapper stands for a watched name while the answer runs.
    fixed = {n: in_place[n] for n in values & in_place.keys()}
    for name in (*redefined, *task.requires, *task.forbids):
        fixed.pop(name, None)
    direct, others = _direct(call, fixed)
    bound = sorted((values | internals) - direct)
    lent, given_roles = _lent(given, kinds, in_place)
    return Scope(
        given=None if given is None else make_template(given, given_roles | _roles(given, own)),
        call=None
        if call is None
        else make_template(call, _starts(others, "kept") | _roles(call, own - set(bound))),
        lent=lent,
        kept=tuple(sorted((values | macros | internals) - own)),
        bound=tuple((name, "own" if name in own else "kept") for name in bound),
        back=tuple(sorted((macros - own) | internals)),
        unmade=tuple(sorted(words | direct)),
    )


def _starts(places: Iterable[Place], role: str) -> dict[int, str]:
    return {place.form.start: role for place in places}


def _roles(source: str | None, own: Set[str]) -> dict[int, str]:
    """Where the case's own names stand."""
    return _starts((place for place in places_of(source) if place.form.text in own), "own")


def _inside(source: str | None, macros: Set[str]) -> list[Place]:
    """The names in the calls of some macros."""
    return [p for p in places_of(source) if any(form.head in macros for form in p.around)]


def _direct(
    source: str | None, in_place: Mapping[str, frozenset[int]]
) -> tuple[frozenset[str], list[Place]]:
    """The names that are called in place somewhere, and the places where they are values."""
    places = [place for place in places_of(source) if place.form.text in in_place]
    called = {
        place.form.start
        for place in places
        if not place.in_template and _n_arguments(place) in in_place[place.form.text]
    }
    direct = frozenset(place.form.text for place in places if place.form.start in called)
    direct -= local_names(read_forms(source or "")) if direct else frozenset()
    others = [p for p in places if p.form.text in direct and p.form.start not in called]
    return direct, [place for place in others if not place.in_template]


def _n_arguments(place: Place) -> int | None:
    """With how many arguments a name is called, counting the one that `->` puts in."""
    n = place.n_arguments
    outer = place.around[-2] if len(place.around) > 1 else None
    if n is None or outer is None or not _THREADS.fullmatch(outer.head or ""):
        return n
    return n if place.around[-1] is outer.children[1] else n + 1


def _lent(
    given: str | None, kinds: Mapping[str, NameKind], in_place: Mapping[str, frozenset[int]]
) -> tuple[tuple[str, ...], dict[int, str]]:
    """The VM's functions and constants that a given source must be lent, and where."""
    if given is None or _takes_keys(given):
        return (), {}
    names = symbols_in(given) - names_bound(given)
    values = {name for name in names if kinds[name] in _VALUES}
    direct, others = _direct(given, {name: in_place[name] for name in values & in_place.keys()})
    places = [place for place in places_of(given) if place.form.text in values - direct] + others
    return tuple(sorted({place.form.text for place in places})), _starts(places, "lent")


def _compiles(call: str | None, kinds: Mapping[str, NameKind]) -> bool:
    """Whether a call holds anything but constants and calls of functions."""
    places = places_of(call)
    if any(kinds.get(place.form.text) in _FORMS for place in places):
        return True
    try:
        pending = list(read_forms(call or ""))
    except ReadError:
        return True
    while pending:
        form = pending.pop()
        if form.kind in _LITERALS or (form.kind is Kind.PREFIX and form.text != "'"):
            return True
        # The elements of quoted data are constants.
        pending.extend(() if form.kind is Kind.PREFIX else form.children)
    return False


def _own(task: Task, case: Case, kinds: Mapping[str, NameKind]) -> frozenset[str]:
    """What the case defines, less what the answer may use or what stands in data too."""
    if case.given is None or case.call is None or _takes_keys(case.given, case.call):
        return frozenset()
    if "define-record-type" in symbols_in(case.given):  # A record prints the name of its type.
        return frozenset()
    known = _words(task.prompt) | symbols_in(task.reference)
    if task.reference is None:
        known |= _shown(task)
    names = names_bound(case.given) - known
    names -= names_in_data(case.given) | names_in_data(case.call)
    return frozenset(name for name in names if kinds.get(name) is NameKind.FREE)


def _shown(task: Task) -> frozenset[str]:
    """All that the model is shown: without a reference, what it may define or use."""
    public = (f"{case.given} {case.call}" for case in task.public_cases)
    return _words(task.prompt).union(*map(_words, public))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\s()\[\]{}\"'`,;:.]+", text))


def _takes_keys(*sources: str) -> bool:
    """Whether a source takes maps apart by key, where a variable's name is data as well."""
    return any(":keys" in source for source in sources)
