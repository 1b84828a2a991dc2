"""Which names a source of Sema uses, binds and defines, as its text shows.

What a name means to the VM is asked of the VM, in `grading.names`.
"""

import re
from collections.abc import Iterable, Iterator

from pytest_sema_bench.sema.reader import (
    Form,
    Kind,
    ReadError,
    code_atoms,
    names_used,
    read_forms,
)

DEFINERS = frozenset(
    {"define", "defn", "defun", "def", "defmacro", "define-syntax", "define-values"}
    | {"define-record-type", "defmulti", "defmethod"}
)
# `-1`, `:key`, `#t`, `...` and `nil` name nothing; `-` and `nilpotent` do.
_NO_SYMBOL = re.compile(r"[-+]?\d|[:#.]|\s|(?:nil|true|false)$")


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
    in_code = {id(atom) for atom in code_atoms(forms)}
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
