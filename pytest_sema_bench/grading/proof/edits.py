"""Small changes to Sema code: every single edit that makes a mutant of it.

Works on the tree that the reader gives. A table of the special forms says which of their parts
are expressions, clauses or names, so that a parameter list is never taken for a call. `mutate`
applies the edits and gives them names.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_sema_bench.grading.proof.operators import SWAPS, Operator
from pytest_sema_bench.sema.reader import Form, Kind, read_forms


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
        yield from _values(form.children, form)
    elif form.kind is Kind.LAMBDA:
        yield from _exchanges(form)
        yield from _values(form.children, form)
    elif form.kind is Kind.LIST and form.children:
        shape = _SHAPES.get(form.head or "")
        if shape is None:
            yield from _call(form, tested=tested)
        else:
            yield from _parts(shape, form.children[1:], form)


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
    # An interpolation or an escape is one part: half of one could not be read.
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
    # A name becomes another name; numbers, keywords and characters change as they do in code.
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


# The parts of special forms, by their names in the table below: each is given the children that
# it stands for, and the form around them.


def _values(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    for part in parts:
        yield from _expression(part, form)


def _body(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    """Edits of a sequence of expressions of which the last one gives the value."""
    if len(parts) > 1:
        yield from _without_elements(form, parts, operator=Operator.STATEMENT)
    yield from _values(parts, form)


def _data(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    for part in parts:
        yield from _datum(part, form)


def _steps(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    yield from _without_elements(form, parts[1:], operator=Operator.STATEMENT)
    yield from _values(parts, form)


def _let(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    if form.head == "let*":
        yield _replace(Operator.FUNCTION, form.children[0], "let", form)
    is_named = len(parts) > 1 and parts[0].kind is Kind.ATOM
    yield from _parts(_LET, parts[is_named:], form)


def _function(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    """Parameters and a body, which a constant or a parameter can take the place of."""
    header, body = parts[:1], parts[1:]
    is_defined = form.head in ("define", "def")
    if is_defined and not (header and header[0].kind is Kind.LIST):
        yield from _body(body, form)
    elif body:
        parameters = header[0].children[is_defined:]
        name = (header[0].head if is_defined else form.children[1].text) or ""
        constants = ["nil", "#t", "#f"] if name.endswith("?") else ["nil", "0", "'()"]
        constants += [p.text for p in parameters if p.kind is Kind.ATOM and p.text not in ".&"]
        for constant in constants:
            if constant not in (text_of(body[-1]), name):
                yield Edit(Operator.BODY, body[0].start, body[-1].end, constant, form)
        yield from _body(body, form)


def _test(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    """Edits of the test of a clause, and the test turned round."""
    for part in parts:
        if part.text not in ("else", "#t", "true", ":else"):
            if part.head != "not":  # a call of `not` loses it as it becomes its argument
                text = f"(not {text_of(part)})"
                yield Edit(Operator.NEGATE, part.start, part.end, text, form)
            yield from _expression(part, form, tested=True)


def _clauses(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    for clause in parts:
        yield Edit(Operator.CLAUSE, clause.start, clause.end, "", clause)
        if clause.kind is Kind.LIST:
            yield from _parts(_CLAUSE, clause.children, clause)


def _cases(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    """Clauses of `case` and `match`: data or a pattern, a condition in the latter, a body."""
    for clause in parts:
        yield Edit(Operator.CLAUSE, clause.start, clause.end, "", clause)
        pattern, body = clause.children[:1], clause.children[1:]
        for part in pattern:
            yield from _pattern(part, clause, Operator.DATA if form.head == "case" else None)
        if len(body) > 2 and body[0].text == "when":
            yield Edit(Operator.CLAUSE, body[0].start, body[1].end, "", clause)
            yield from _test(body[1:2], clause)
            body = body[2:]
        yield from _body(body, clause)


def _branches(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    test, branches = parts[:1], parts[1:3]
    for branch in branches:
        yield _replace(Operator.BRANCH, form, text_of(branch))
    if len(branches) == 2:
        text = f"{text_of(branches[1])} {text_of(branches[0])}"
        yield Edit(Operator.BRANCH, branches[0].start, branches[1].end, text, form)
    for part in test:
        yield from _expression(part, form, tested=len(branches) == 2)
    yield from _values(branches, form)


def _guarded(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    """A test, and what is done if it holds."""
    if len(parts) > 1:
        text = " ".join(map(text_of, parts[1:]))
        yield _replace(Operator.BRANCH, form, f"(begin {text})")
        yield from _parts(_CLAUSE, parts, form)


def _try(parts: Sequence[Form], form: Form) -> Iterator[Edit]:
    body = [part for part in parts if part.head != "catch"]
    if len(body) == 1:
        yield _replace(Operator.BRANCH, form, text_of(body[0]))
    yield from _body(body, form)
    for part in parts:
        if part.head == "catch":
            yield from _body(part.children[2:], part)


_READERS: dict[str, Callable[[Sequence[Form], Form], Iterator[Edit]]] = {
    read.__name__.removeprefix("_"): read
    for read in (
        *(_values, _body, _data, _steps, _let, _function, _test, _clauses, _cases, _branches),
        *(_guarded, _try),
    )
}
_CLAUSE, _LET = (read_forms(shape) for shape in ("test body *", "((_ values *) *) body *"))
_SHAPES = {
    head.text: shape.children[1:]
    for shape in read_forms("""
        ((define def) function *)                   ((defun defn defmacro) _ function *)
        ((fn lambda) function *)                    ((let let* letrec) let *)
        ((if) branches *)                           ((when unless) guarded *)
        ((cond) clauses *)                          ((case match) values cases *)
        ((when-let if-let dotimes for-range) (_ values *) body *)
        ((do) ((_ values *) *) clauses body *)      ((guard) (_ clauses *) body *)
        ((try) try *)                               ((begin progn async) body *)
        ((-> ->> some->) steps *)                   ((set! defmulti defmethod) _ values *)
        ((quote) data)                              ((quasiquote) values)
        ((define-record-type define-values let-values let*-values parameterize) _ *)
        ((import load module export deftool defagent macroexpand) _ *)
    """)
    for head in shape.children[0].children
}
"""The special forms, and how their children are read: a star repeats what is before it, brackets
are a list within, `_` is a name or something else that is not changed."""


def _parts(shape: Sequence[Form], children: Sequence[Form], form: Form) -> Iterator[Edit]:
    """Edits of the children of a form, each read as its shape says."""
    for index, part in enumerate(part for part in shape if part.text != "*"):
        repeats = part is shape[-2:][0] and shape[-1].text == "*"
        found = children[index:] if repeats else children[index : index + 1]
        if reader := _READERS.get(part.text):
            yield from reader(found, form)
        for child in found if part.children else ():
            if repeats and child.kind is Kind.PREFIX:  # a binding that a macro splices in
                yield from _expression(child, form)
            yield from _parts(part.children, child.children, child)
