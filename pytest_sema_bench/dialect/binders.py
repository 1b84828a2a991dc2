"""Which names the special forms of Sema bind, and where: form by form, by Sema's own names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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

    def pattern(self, form: Form, bound: Bound) -> None:
        """Parameters or a pattern, in which only what is unquoted is code."""
        ...


Binder = Callable[[Visitor, Sequence[Form], Bound], None]


def names_in(forms: Iterable[Form]) -> Bound:
    """The names in parameters or patterns."""
    names: set[str] = set()
    pending = list(forms)
    while pending:
        form = pending.pop()
        if form.kind is Kind.ATOM and form.text[0] not in ":#" and form.text not in _NO_NAMES:
            names.add(form.text)
        elif form.kind in (Kind.LIST, Kind.VECTOR, Kind.MAP):
            pending.extend(form.children)
    return frozenset(names)


def _bind(visit: Visitor, patterns: Sequence[Form], bound: Bound) -> Bound:
    for pattern in patterns:
        visit.pattern(pattern, bound)
    return bound | names_in(patterns)


def _function(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.body(rest[1:], _bind(visit, rest[:1], bound))


def _define(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    target = rest[0]
    if target.kind is not Kind.LIST or not target.children:
        visit.all(rest, bound)
        return
    name, *parameters = target.children
    _define(visit, [name], bound)
    visit.body(rest[1:], _bind(visit, parameters, bound))


def _named_function(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    visit.body(rest[2:], _bind(visit, rest[1:2], bound))


def _macro(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    visit.body(rest[2:], _bind(visit, rest[1:2], bound), is_macro=True)


def _let(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    inner = bound
    if rest[0].kind is Kind.ATOM:
        inner, rest = bound | names_in(rest[:1]), rest[1:]
    for pattern, values in _bindings(rest):
        visit.all(values, bound)
        inner |= _bind(visit, [pattern], bound)
    visit.body(rest[1:], inner)


def _let_in_turn(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    for pattern, values in _bindings(rest):
        visit.all(values, bound)
        bound = _bind(visit, [pattern], bound)
    visit.body(rest[1:], bound)


def _let_recursive(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    bindings = list(_bindings(rest))
    bound = _bind(visit, [pattern for pattern, _ in bindings], bound)
    for _, values in bindings:
        visit.all(values, bound)
    visit.body(rest[1:], bound)


def _do(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    bindings = list(_bindings(rest))
    inner = _bind(visit, [pattern for pattern, _ in bindings], bound)
    for _, values in bindings:
        visit.all(values[:1], bound)
        visit.all(values[1:], inner)
    for form in rest[1:2]:
        visit.all(form.children, inner)
    visit.all(rest[2:], inner)


def _bindings(rest: Sequence[Form]) -> Iterable[tuple[Form, Sequence[Form]]]:
    """The patterns and values of a list of bindings."""
    entries = rest[0].children if rest else ()
    return ((e.children[0], e.children[1:]) for e in entries if e.children)


def _one_binding(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    """`(when-let (name expr) …)`, also where `else` follows, and `(dotimes (i n) …)`."""
    pattern, *values = rest[0].children or rest[:1]
    visit.all(values, bound)
    visit.all(rest[1:], _bind(visit, [pattern], bound))


def _match(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    for clause in rest[1:]:
        visit.all(clause.children[1:], _bind(visit, clause.children[:1], bound))


def _case(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    for clause in rest[1:]:
        # What stands first in a clause is data, or `else`.
        visit.all(clause.children[1:], bound)


def _try(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    for form in rest:
        if form.head == "catch" and len(form.children) > 1:
            visit.all(form.children[2:], _bind(visit, form.children[1:2], bound))
        else:
            visit.code(form, bound)


def _guard(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    if rest[0].children:
        inner = _bind(visit, rest[0].children[:1], bound)
        for clause in rest[0].children[1:]:
            visit.all(clause.children, inner)
    visit.all(rest[1:], bound)


def _thread_as(visit: Visitor, rest: Sequence[Form], bound: Bound) -> None:
    visit.code(rest[0], bound)
    visit.all(rest[2:], _bind(visit, rest[1:2], bound))


def record_names(rest: Sequence[Form]) -> list[Form]:
    """The names that a record type defines: itself, constructor, test, readers, but no field."""
    kind, *others = rest
    names = [kind]
    for index, form in enumerate(others):
        # The constructor comes before its fields, a field before its reader.
        named = form.children[:1] if index == 0 else form.children[1:]
        names += named if form.children else [form]
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
