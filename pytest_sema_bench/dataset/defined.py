"""What a program defines at its top, and the same program under other names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_sema_bench.grading.template import places_of
from pytest_sema_bench.sema.names import names_defined, top_forms
from pytest_sema_bench.sema.reader import Form, Kind, read_forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A name that a program defines, and with how many arguments it is called; None: unknown."""

    name: str
    n_arguments: int | None
    is_macro: bool


def definitions(forms: Iterable[Form]) -> tuple[Definition, ...]:
    """What a program defines at its top, in order."""
    found: dict[str, Definition] = {}
    for form in top_forms(forms):
        is_macro = form.head in ("defmacro", "define-syntax")
        for name in sorted(names_defined(form)):
            found[name] = Definition(name=name, n_arguments=_n_parameters(form), is_macro=is_macro)
    return tuple(found.values())


def n_arguments(call: str | None, name: str) -> int | None:
    """With how many arguments a name is called in a source; None if that differs, or it is not."""
    counts = {place.n_arguments for place in places_of(call) if place.form.text == name}
    return counts.pop() if len(counts) == 1 else None


def _n_parameters(form: Form) -> int | None:
    target = form.children[1]
    parameters: tuple[Form, ...] | None = None
    if target.kind is Kind.LIST:
        parameters = target.children[1:]
    elif len(form.children) > 2:
        made = form.children[2]
        if made.kind is Kind.LIST and made.head in ("fn", "lambda") and len(made.children) > 1:
            made = made.children[1]
            parameters = made.children
        elif form.head in ("defn", "defun", "defmacro"):
            parameters = made.children
    if parameters is None or any(p.text in (".", "&") for p in parameters):
        return None
    return len(parameters)


def renamed(source: str, names: Mapping[str, str]) -> str:
    """The source with other names, wherever they stand; it is one that can be read."""
    pending, atoms = list(read_forms(source)), []
    while pending:
        form = pending.pop()
        if form.kind is Kind.ATOM and form.text in names:
            atoms.append(form)
        pending.extend(form.children)
    for atom in sorted(atoms, key=lambda atom: -atom.start):
        source = f"{source[: atom.start]}{names[atom.text]}{source[atom.end :]}"
    return source
