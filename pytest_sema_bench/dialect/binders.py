"""Which names the special forms of Sema bind, and where: form by form, by Sema's own names."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from pytest_sema_bench.sema.reader import Form, Kind

Bound = frozenset[str]
_NO_NAMES = frozenset({".", "&", "_", "..."})


class Visitor(Protocol):
    """Who walks through code, told what is bound where."""

    def code(self, form: Form, bound: Bound) -> None:
        """A form of code."""
        ...

    def all(self, forms: Sequence[Form], bound: Bound) -> None:
        """Forms of code."""
        ...

    def body(self, forms: Sequence[Form], bound: Bound, *, is_macro: bool = False) -> None:
        """The body of a function or a `let`, in which definitions are local."""
        ...

    def bind(self, patterns: Sequence[Form], bound: Bound) -> Bound:
        """What is bound where parameters or patterns are; in them only what is unquoted is code."""
        ...


Binder = Callable[[Visitor, Sequence[Form], Bound], None]


def pattern_names(forms: Iterable[Form], *, are_keys: bool = False) -> Iterator[tuple[Form, bool]]:
    """The names in parameters or patterns, and whether each is the key of a map as well."""
    for form in forms:
        if form.kind is Kind.ATOM:
            if form.text[0] not in ":#" and form.text not in _NO_NAMES:
                yield form, are_keys
        elif form.kind is Kind.MAP:
            for key, value in zip(form.children[::2], form.children[1::2], strict=False):
                yield from pattern_names([value], are_keys=key.text == ":keys")
        elif form.kind in (Kind.LIST, Kind.VECTOR):
            yield from pattern_names(form.children, are_keys=are_keys)


def names_in(forms: Iterable[Form]) -> Bound:
    """The texts of the names in parameters or patterns."""
    return frozenset(name.text for name, _ in pattern_names(forms))


def _function(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.body(rest[1:], visit.bind(rest[:1], bound))


def _define(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    target = rest[0]
    if target.kind is not Kind.LIST or not target.children:
        visit.all(rest, bound)
        return
    name, *parameters = target.children
    _define(visit, [name], bound)
    visit.body(rest[1:], visit.bind(parameters, bound))


def _named_function(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    visit.body(rest[2:], visit.bind(rest[1:2], bound))


def _macro(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    visit.body(rest[2:], visit.bind(rest[1:2], bound), is_macro=True)


def _let(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    inner = bound
    if rest[0].kind is Kind.ATOM:
        inner, rest = visit.bind(rest[:1], bound), rest[1:]
    for pattern, values in _bindings(visit, rest, bound):
        visit.all(values, bound)
        inner = visit.bind([pattern], inner)
    visit.body(rest[1:], inner)


def _let_in_turn(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    for pattern, values in _bindings(visit, rest, bound):
        visit.all(values, bound)
        bound = visit.bind([pattern], bound)
    visit.body(rest[1:], bound)


def _let_recursive(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    bindings = list(_bindings(visit, rest, bound))
    bound = visit.bind([pattern for pattern, _ in bindings], bound)
    for _, values in bindings:
        visit.all(values, bound)
    visit.body(rest[1:], bound)


def _do(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    bindings = list(_bindings(visit, rest, bound))
    inner = visit.bind([pattern for pattern, _ in bindings], bound)
    for _, values in bindings:
        visit.all(values[:1], bound)
        visit.all(values[1:], inner)
    for form in rest[1:2]:
        visit.all(_parts(visit, form, inner), inner)
    visit.all(rest[2:], inner)


def _bindings(
    visit: Visitor, rest: Sequence[Form], bound: Bound
) -> Iterator[tuple[Form, Sequence[Form]]]:
    """The patterns and values of a list of bindings."""
    for entry in _parts(visit, rest[0], bound) if rest else ():
        if parts := _parts(visit, entry, bound):
            yield parts[0], parts[1:]


def _parts(visit: Visitor, form: Form, bound: Bound) -> Sequence[Form]:
    """What a list of the form's own syntax holds; what a template puts there is code."""
    if form.kind in (Kind.LIST, Kind.VECTOR):
        return form.children
    visit.code(form, bound)
    return ()


def _one_binding(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    """`(when-let (name expr) …)`, also where `else` follows, and `(dotimes (i n) …)`."""
    parts = _parts(visit, rest[0], bound)
    visit.all(parts[1:], bound)
    visit.all(rest[1:], visit.bind(parts[:1], bound))


def _match(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    for clause in rest[1:]:
        parts = _parts(visit, clause, bound)
        visit.all(parts[1:], visit.bind(parts[:1], bound))


def _case(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    for clause in rest[1:]:
        # What stands first in a clause is data, or `else`.
        visit.all(_parts(visit, clause, bound)[1:], bound)


def _try(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    for form in rest:
        if form.head == "catch" and len(form.children) > 1:
            visit.all(form.children[2:], visit.bind(form.children[1:2], bound))
        else:
            visit.code(form, bound)


def _guard(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    parts = _parts(visit, rest[0], bound)
    inner = visit.bind(parts[:1], bound)
    for clause in parts[1:]:
        visit.all(_parts(visit, clause, inner), inner)
    visit.all(rest[1:], bound)


def _thread_as(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    visit.all(rest[2:], visit.bind(rest[1:2], bound))


def record_names(rest: Sequence[Form]) -> list[Form]:
    """The names that a record type defines: itself, constructor, test, readers, but no field."""
    kind, *others = rest
    names = [kind]
    for index, form in enumerate(others):
        # The constructor comes before its fields, a field before its reader.
        named = form.children[:1] if index == 0 else form.children[1:]
        names += named if form.kind is Kind.LIST else [form]
    return names


def _record(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.all(record_names(rest), bound)


BINDERS: Mapping[str, Binder] = {
    **dict.fromkeys(("fn", "lambda"), _function),
    **dict.fromkeys(("define", "def"), _define),
    **dict.fromkeys(("defn", "defun"), _named_function),
    "defmacro": _macro,
    "let": _let,
    **dict.fromkeys(("let*", "let*-values"), _let_in_turn),
    "let-values": _let,
    "letrec": _let_recursive,
    "do": _do,
    **dict.fromkeys(("when-let", "if-let", "dotimes", "for-range", "with-stream"), _one_binding),
    **dict.fromkeys(("match", "match*"), _match),
    "case": _case,
    "try": _try,
    "guard": _guard,
    "as->": _thread_as,
    "define-record-type": _record,
}
"""What binds local names, or holds data where code would stand."""
