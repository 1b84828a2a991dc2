"""Which names a source of Sema uses, binds and defines, as its text shows.

What a name means to the VM is asked of the VM, in `grading.names`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_forms

DEFINERS = frozenset(
    {"define", "defn", "defun", "def", "defmacro", "define-syntax", "define-values"}
    | {"define-record-type", "defmulti", "defmethod"}
)
# `-1`, `:key`, `#t`, `...` and `nil` name nothing; `-` and `nilpotent` do.
_NO_SYMBOL = re.compile(r"[-+]?\d|[:#.]|\s|(?:nil|true|false)$")


@lru_cache(maxsize=64)
def symbols_in(source: str | None) -> frozenset[str]:
    """The symbols that stand in the code of a source; none if it cannot be read."""
    try:
        used = names_used(read_forms(source or ""))
    except ReadError:
        return frozenset()
    return frozenset(name for name in used if not _NO_SYMBOL.match(name))


def names_in_data(source: str) -> frozenset[str]:
    """The names that stand in quoted data, where they are not names of anything."""
    try:
        forms = read_forms(source)
    except ReadError:
        return frozenset()
    in_code = {id(place.form) for place in places_in_code(forms)}
    return frozenset(a.text for form in forms for a in _atoms(form) if id(a) not in in_code)


def top_forms(forms: Iterable[Form]) -> Iterator[Form]:
    """The forms of a source, those inside a `begin` one by one."""
    for form in forms:
        if form.head in ("begin", "progn"):
            yield from top_forms(form.children[1:])
        else:
            yield form


def names_defined(form: Form) -> frozenset[str]:
    """The names that one form defines; none if it is no definition."""
    if form.head not in DEFINERS or len(form.children) < 2:
        return frozenset()
    if form.head in ("define-record-type", "define-values"):
        return frozenset(atom.text for child in form.children[1:] for atom in _atoms(child))
    target = form.children[1]
    name = target.text if target.kind is Kind.ATOM else target.head
    return frozenset({name} if name else ())


def macros_defined(source: str | None) -> frozenset[str]:
    """The names that a source makes macros of; none if it cannot be read."""
    try:
        forms = read_forms(source or "")
    except ReadError:
        return frozenset()
    makers = (form for form in top_forms(forms) if form.head in ("defmacro", "define-syntax"))
    return frozenset().union(*map(names_defined, makers))


def all_atoms(form: Form) -> frozenset[str]:
    """The texts of all atoms in a form, in code and in data."""
    return frozenset(atom.text for atom in _atoms(form))


def _atoms(form: Form) -> Iterator[Form]:
    if form.kind is Kind.ATOM:
        yield form
    for child in form.children:
        yield from _atoms(child)


def names_bound(source: str) -> frozenset[str]:
    """The names that a source defines at any depth; none if it cannot be read."""
    try:
        pending = list(read_forms(source))
    except ReadError:
        return frozenset()
    found: set[str] = set()
    while pending:
        form = pending.pop()
        found |= names_defined(form)
        pending.extend(form.children)
    return frozenset(found)


NAMED_LET = "named-let"
"""Stands for `(let name (…) …)` among names; Sema has no such name."""

_LONG_PREFIXES = {
    "quote": "'",
    "quasiquote": "`",
    "unquote": ",",
    "unquote-splicing": ",@",
}


def names_used(forms: Iterable[Form]) -> frozenset[str]:
    """The names that stand in code: not in strings, comments or quoted data.

    A template in a quasiquote counts, since it becomes code. `named-let` is added for
    `(let name (…) …)`.
    """
    code = list(_code(forms))
    named_let = {NAMED_LET for form in code if _is_named_let(form)}
    return frozenset(named_let | {form.text for form in code if form.kind is Kind.ATOM})


def heads_used(forms: Iterable[Form]) -> frozenset[str]:
    """As `names_used`, but only the names that a call or a special form starts with."""
    heads: set[str] = set()
    binders: set[int] = set()
    for form in _code(forms):
        binders.update(map(id, _binders(form)))
        if _is_named_let(form):
            heads.add(NAMED_LET)
        if form.kind in (Kind.LIST, Kind.LAMBDA) and id(form) not in binders:
            heads.update(first.text for first in form.children[:1] if first.kind is Kind.ATOM)
    return frozenset(heads)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a form stands in code."""

    form: Form
    around: tuple[Form, ...]
    """The forms that it stands in, outermost first."""
    in_template: bool
    """Whether it stands in a quasiquote, so that it is data before it may be code."""

    @property
    def n_arguments(self) -> int | None:
        """How many forms follow it in the call that it heads; None if it heads none."""
        call = self.around[-1] if self.around else None
        if call is None or call.kind is not Kind.LIST or call.children[0] is not self.form:
            return None
        is_binder = any(call is binder for form in self.around for binder in _binders(form))
        return None if is_binder else len(call.children) - 1


def places_in_code(forms: Iterable[Form]) -> Iterator[Place]:
    """The places of the atoms that stand in code, in no particular order."""
    return (place for place in _places(forms) if place.form.kind is Kind.ATOM)


def local_names(forms: Iterable[Form]) -> frozenset[str]:
    """The names that stand for local variables somewhere in the forms."""
    names: set[str] = set()
    for form in _code(forms):
        for binder in _binders(form):
            named = binder.children[:1] if form.head in _LETS else binder.children
            names.update(place.form.text for place in places_in_code(named))
    return frozenset(names)


_LETS = frozenset({"let", "let*", "letrec", "let-values", "let*-values", "do"})
_SIGNATURES = {"fn": 1, "lambda": 1, "define": 1, "defn": 2, "defun": 2, "defmacro": 1}


def _binders(form: Form) -> Iterator[Form]:
    """The lists in a form that name variables, and so look like calls without being any."""
    if form.head in _LETS:
        bindings = form.children[2 if _is_named_let(form) else 1 :][:1]
        yield from (entry for binding in bindings for entry in binding.children)
    elif form.head in _SIGNATURES:
        position = _SIGNATURES[form.head]
        yield from form.children[position : position + 1]


def _code(forms: Iterable[Form]) -> Iterator[Form]:
    return (place.form for place in _places(forms))


def _places(forms: Iterable[Form]) -> Iterator[Place]:
    """As `places_in_code`, of all forms and not of atoms alone."""
    pending: list[tuple[Form, tuple[Form, ...], bool, bool]]
    pending = [(form, (), False, False) for form in forms]
    while pending:
        form, around, in_template, is_data = pending.pop()
        mark = form.text if form.kind is Kind.PREFIX else _LONG_PREFIXES.get(form.head or "")
        if mark == "'":
            is_data = True
        elif mark == "`":
            in_template = True
        elif mark in (",", ",@"):
            is_data = in_template = False
        if is_data and not in_template:
            continue
        if not is_data:
            yield Place(form, around, in_template)
        if form.children:
            inside = (*around, form)
            pending.extend((child, inside, in_template, is_data) for child in form.children)


def _is_named_let(form: Form) -> bool:
    return form.head == "let" and len(form.children) > 2 and form.children[1].kind is Kind.ATOM
