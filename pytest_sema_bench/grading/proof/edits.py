"""Small changes to Sema code: every single edit that makes a mutant of it.

Works on the tree that `syntax` reads and knows the shapes of the special forms, so that a
parameter list is never taken for a call. `mutate` applies the edits and gives them names.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_sema_bench.grading.proof.operators import SWAPS, Operator
from pytest_sema_bench.sema.reader import Form, Kind


@dataclass(frozen=True, slots=True)
class Edit:
    """`source[start:end]` becomes `text`."""

    operator: Operator
    start: int
    end: int
    text: str
    shown: Form
    """The form that holds the edit and names it: usually the innermost list."""


_COMMUTATIVE = frozenset({"+", "*", "=", "equal?", "eq?", "not=", "min", "max", "and", "or"})
"""Exchanging their arguments changes nothing (of `and` and `or`: nothing but the order)."""
_VARIADIC = {
    **dict.fromkeys(("list", "vector", "append", "str", "string/append", "println"), 2),
    **dict.fromkeys(("+", "-", "*", "/", "and", "or", "max", "min", "=", "get"), 3),
}
"""Calls of these, with at least so many arguments, lose one, as a literal loses an element."""
_MAX_SIGNS = 16
"""A pattern of up to so many characters loses each of them in turn, other strings only the ends."""
_PREDICATES = frozenset({"=", "<", ">", "<=", ">=", "and", "or"})


def edits(forms: Sequence[Form]) -> Iterator[Edit]:
    """All edits of a program's forms, in source order as far as nesting allows."""
    for form in forms:
        if form.head == "defmethod":
            yield Edit(Operator.CLAUSE, form.start, form.end, "", form)
        yield from _expression(form, form)


def text_of(form: Form) -> str:
    """The source text of a form."""
    if form.kind is Kind.PREFIX:
        return form.text + text_of(form.children[0])
    return form.text


def _expression(form: Form, around: Form, *, tested: bool = False) -> Iterator[Edit]:
    """Edits of an expression; a `tested` one is negated by the form around it."""
    if form.kind is Kind.ATOM:
        yield from _atom(form, around)
    elif form.kind in (Kind.STRING, Kind.FSTRING):
        yield from _string(form, around)
    elif form.kind is Kind.PREFIX:
        inside = form.children[0]
        yield from _datum(inside, form) if form.text == "'" else _expression(inside, around)
    elif form.kind in (Kind.VECTOR, Kind.MAP):
        yield from _without_elements(form, form.children, step=1 + (form.kind is Kind.MAP))
        yield from _each(form.children, form)
    elif form.kind is Kind.LAMBDA:
        yield from _exchanges(form)
        yield from _each(form.children, form)
    elif form.kind is Kind.LIST and form.children:
        shape = _SHAPES.get(form.head or "")
        yield from shape(form) if shape else _call(form, tested=tested)


def _each(forms: Sequence[Form], around: Form) -> Iterator[Edit]:
    for form in forms:
        yield from _expression(form, around)


def _replace(operator: Operator, form: Form, text: str, shown: Form | None = None) -> Edit:
    return Edit(operator, form.start, form.end, text, shown or form)


# What stands for itself


def _atom(form: Form, around: Form) -> Iterator[Edit]:
    text = form.text
    if text in SWAPS:
        operator, others = SWAPS[text]
        for other in others:
            yield _replace(operator, form, other, around)
    elif text in ("#t", "#f", "true", "false"):
        other = "#f" if text in ("#t", "true") else "#t"
        yield _replace(Operator.BOOLEAN, form, other, around)
    elif text == "nil":
        yield _replace(Operator.EMPTY, form, "'()", around)
    elif re.fullmatch(r"[-+]?\d+", text):
        for number in (int(text) + 1, int(text) - 1):
            yield _replace(Operator.NUMBER, form, str(number), around)
    elif re.fullmatch(r"[-+]?\d*\.\d+", text):
        yield _replace(Operator.NUMBER, form, str(float(text) + 1), around)
    elif text.startswith(":") and len(text) > 1:
        yield _replace(Operator.KEYWORD, form, ":mutated", around)
    elif text.startswith("#\\"):
        yield _replace(Operator.STRING, form, "#\\~" if text != "#\\~" else "#\\^", around)


def _string(form: Form, around: Form) -> Iterator[Edit]:
    opening = form.text.index('"') + 1
    parts = re.findall(r"\$\{[^}]*\}|\\.|.", form.text[opening:-1], re.DOTALL)
    others = [[], parts[1:], parts[:-1]] if parts else [["~"]]
    if len(parts) <= _MAX_SIGNS and any(len(part) > 1 or part in "[]+*?.|" for part in parts):
        others += [parts[:i] + parts[i + 1 :] for i in range(len(parts))]
    for text in dict.fromkeys("".join(other) for other in others):
        yield _replace(Operator.STRING, form, f'{form.text[:opening]}{text}"', around)


def _datum(form: Form, quoted: Form) -> Iterator[Edit]:
    """Edits of quoted data; `quoted` is the form with the quote."""
    if form.kind is Kind.LIST and not form.children:
        yield _replace(Operator.EMPTY, quoted, "nil")
    elif form.kind is Kind.ATOM and re.match(r"[^\d:#+-]", form.text):
        yield _replace(Operator.DATA, form, "mutated", quoted)
    else:
        yield from _pattern(form, quoted, Operator.DATA)
        if form.kind in (Kind.LIST, Kind.VECTOR):
            yield from _without_elements(form, form.children, operator=Operator.DATA)


def _pattern(form: Form, around: Form, operator: Operator | None = None) -> Iterator[Edit]:
    """Edits of the constants in a pattern or in data; names are left alone."""
    if form.kind is Kind.STRING or (form.kind is Kind.ATOM and form.text not in SWAPS):
        for edit in _expression(form, around):
            yield Edit(operator or edit.operator, edit.start, edit.end, edit.text, edit.shown)
    else:
        for child in form.children:
            yield from _pattern(child, around, operator)


def _without_elements(
    form: Form, elements: Sequence[Form], *, step: int = 1, operator: Operator = Operator.ELEMENT
) -> Iterator[Edit]:
    for index in range(0, len(elements) - step + 1, step):
        last = elements[index + step - 1]
        yield Edit(operator, elements[index].start, last.end, "", form)


# Calls and special forms


def _call(form: Form, *, tested: bool = False) -> Iterator[Edit]:
    head, arguments = form.head or "", form.children[1:]
    if (head.endswith("?") or head in _PREDICATES) and not tested:
        yield _negated(form)
    for argument in arguments:
        if not (argument.kind is Kind.PREFIX and "@" in argument.text):
            yield _replace(Operator.ARGUMENT, form, text_of(argument))
    if head not in _COMMUTATIVE:
        yield from _exchanges(form)
    if len(arguments) >= _VARIADIC.get(head, len(arguments) + 1):
        yield from _without_elements(form, arguments)
    yield from _expression(form.children[0], form)
    for argument in arguments:
        yield from _expression(argument, form, tested=head == "not")


def _exchanges(form: Form) -> Iterator[Edit]:
    """Neighbouring arguments of a call change places."""
    arguments = form.children[1:]
    for one, other in pairwise(arguments):
        if text_of(one) != text_of(other):
            text = f"{text_of(other)} {text_of(one)}"
            yield Edit(Operator.EXCHANGE, one.start, other.end, text, form)


def _negated(form: Form) -> Edit:
    return _replace(Operator.NEGATE, form, f"(not {text_of(form)})")


def _test(form: Form, around: Form) -> Iterator[Edit]:
    """Edits of the test of a clause, and the test turned round."""
    if form.text not in ("else", "#t", "true", ":else"):
        if form.head != "not":  # a call of `not` loses it as it becomes its argument
            yield Edit(Operator.NEGATE, form.start, form.end, f"(not {text_of(form)})", around)
        yield from _expression(form, around, tested=True)


def _body(forms: Sequence[Form], around: Form) -> Iterator[Edit]:
    """Edits of a sequence of expressions of which the last one gives the value."""
    if len(forms) > 1:
        yield from _without_elements(around, forms, operator=Operator.STATEMENT)
    yield from _each(forms, around)


def _function(form: Form, name: str, parameters: Form, body: Sequence[Form]) -> Iterator[Edit]:
    if not body:
        return
    constants = ["nil", "#t", "#f"] if name.endswith("?") else ["nil", "0", "'()"]
    constants += [p.text for p in parameters.children if p.kind is Kind.ATOM and p.text not in ".&"]
    for constant in constants:
        if constant not in (text_of(body[-1]), name):
            yield Edit(Operator.BODY, body[0].start, body[-1].end, constant, form)
    yield from _body(body, form)


def _define(form: Form) -> Iterator[Edit]:
    target, rest = (*form.children[1:2], form)[0], form.children[2:]
    if target.kind is Kind.LIST and target is not form:
        yield from _function(form, target.head or "", _parameters(target), rest)
    else:
        yield from _body(rest, form)


def _parameters(header: Form) -> Form:
    """The header of a definition without the name it defines."""
    return Form(
        kind=header.kind,
        text=header.text,
        children=header.children[1:],
        start=header.start,
        end=header.end,
    )


def _defun(form: Form) -> Iterator[Edit]:
    if len(form.children) > 3:
        yield from _function(form, form.children[1].text, form.children[2], form.children[3:])


def _fn(form: Form) -> Iterator[Edit]:
    if len(form.children) > 2:
        yield from _function(form, "", form.children[1], form.children[2:])


def _let(form: Form) -> Iterator[Edit]:
    if form.head == "let*":
        yield _replace(Operator.FUNCTION, form.children[0], "let", form)
    named = len(form.children) > 2 and form.children[1].kind is Kind.ATOM
    bindings, body = form.children[1 + named : 2 + named], form.children[2 + named :]
    for binding in bindings[0].children if bindings else ():
        if binding.kind is Kind.LIST:
            yield from _each(binding.children[1:], binding)
        elif binding.kind is Kind.PREFIX:
            yield from _expression(binding, form)
    yield from _body(body, form)


def _binding_then_body(form: Form) -> Iterator[Edit]:
    """`(when-let (name value) …)`, `(dotimes (name count) …)`: values, then a body."""
    if len(form.children) > 1:
        yield from _each(form.children[1].children[1:], form.children[1])
    yield from _body(form.children[2:], form)


def _if(form: Form) -> Iterator[Edit]:
    test, branches = form.children[1:2], form.children[2:4]
    for branch in branches:
        yield _replace(Operator.BRANCH, form, text_of(branch))
    if len(branches) == 2:
        text = f"{text_of(branches[1])} {text_of(branches[0])}"
        yield Edit(Operator.BRANCH, branches[0].start, branches[1].end, text, form)
    for part in test:
        yield from _expression(part, form, tested=len(branches) == 2)
    yield from _each(branches, form)


def _when(form: Form) -> Iterator[Edit]:
    body = form.children[2:]
    if body:
        text = " ".join(map(text_of, body))
        yield _replace(Operator.BRANCH, form, f"(begin {text})")
        yield from _test(form.children[1], form)
        yield from _body(body, form)


def _cond(form: Form) -> Iterator[Edit]:
    yield from _clauses(form.children[1:])


def _clauses(clauses: Sequence[Form]) -> Iterator[Edit]:
    for clause in clauses:
        yield Edit(Operator.CLAUSE, clause.start, clause.end, "", clause)
        if clause.kind is Kind.LIST and clause.children:
            yield from _test(clause.children[0], clause)
            yield from _body(clause.children[1:], clause)


def _case(form: Form) -> Iterator[Edit]:
    yield from _each(form.children[1:2], form)
    for clause in form.children[2:]:
        yield Edit(Operator.CLAUSE, clause.start, clause.end, "", clause)
        for data in clause.children[:1]:
            yield from _pattern(data, clause, Operator.DATA)
        yield from _body(clause.children[1:], clause)


def _match(form: Form) -> Iterator[Edit]:
    yield from _each(form.children[1:2], form)
    for clause in form.children[2:]:
        yield Edit(Operator.CLAUSE, clause.start, clause.end, "", clause)
        pattern, body = clause.children[:1], clause.children[1:]
        for part in pattern:
            yield from _pattern(part, clause)
        if len(body) > 2 and body[0].text == "when":
            yield Edit(Operator.CLAUSE, body[0].start, body[1].end, "", clause)
            yield from _test(body[1], clause)
            body = body[2:]
        yield from _body(body, clause)


def _try(form: Form) -> Iterator[Edit]:
    body = [child for child in form.children[1:] if child.head != "catch"]
    if len(body) == 1:
        yield _replace(Operator.BRANCH, form, text_of(body[0]))
    yield from _body(body, form)
    for child in form.children[1:]:
        if child.head == "catch":
            yield from _body(child.children[2:], child)


def _guard(form: Form) -> Iterator[Edit]:
    if len(form.children) > 1:
        yield from _clauses(form.children[1].children[1:])
    yield from _body(form.children[2:], form)


def _do(form: Form) -> Iterator[Edit]:
    if len(form.children) > 2:
        for binding in form.children[1].children:
            yield from _each(binding.children[1:], binding)
        yield from _clauses(form.children[2:3])
        yield from _body(form.children[3:], form)


def _thread(form: Form) -> Iterator[Edit]:
    steps = form.children[2:]
    yield from _without_elements(form, steps, operator=Operator.STATEMENT)
    yield from _each(form.children[1:], form)


def _sequence(form: Form) -> Iterator[Edit]:
    yield from _body(form.children[1:], form)


def _values_from_second(form: Form) -> Iterator[Edit]:
    """`(set! name value)`, `(defmulti name f)`: a name, then expressions."""
    yield from _each(form.children[2:], form)


def _quote(form: Form) -> Iterator[Edit]:
    for data in form.children[1:2]:
        yield from _datum(data, form)


def _quasiquote(form: Form) -> Iterator[Edit]:
    yield from _each(form.children[1:2], form)


def _opaque(form: Form) -> Iterator[Edit]:
    yield from ()


_NOT_CHANGED = (
    *("define-record-type", "define-values", "let-values", "let*-values", "parameterize"),
    *("import", "load", "module", "export", "deftool", "defagent", "macroexpand"),
)
_SHAPES: dict[str, Callable[[Form], Iterator[Edit]]] = {
    **dict.fromkeys(("define", "def"), _define),
    **dict.fromkeys(("defun", "defn", "defmacro"), _defun),
    **dict.fromkeys(("fn", "lambda"), _fn),
    **dict.fromkeys(("let", "let*", "letrec"), _let),
    **dict.fromkeys(("when-let", "if-let", "dotimes", "for-range"), _binding_then_body),
    **dict.fromkeys(("when", "unless"), _when),
    **dict.fromkeys(("->", "->>", "some->"), _thread),
    **dict.fromkeys(("begin", "progn", "async"), _sequence),
    **dict.fromkeys(("set!", "defmulti", "defmethod"), _values_from_second),
    **dict.fromkeys(_NOT_CHANGED, _opaque),
    "if": _if,
    "cond": _cond,
    "case": _case,
    "match": _match,
    "try": _try,
    "guard": _guard,
    "do": _do,
    "quote": _quote,
    "quasiquote": _quasiquote,
}
