"""Mutants are what they are said to be: one small, readable, named change each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sema_bench.grading.proof.mutate import choose, mutate
from pytest_sema_bench.grading.proof.operators import Operator
from pytest_sema_bench.sema.reader import read_forms

# operator, the answer, one of its mutants
CHANGES: dict[str, tuple[Operator, str, str]] = {
    "comparison widened": (Operator.COMPARISON, "(< a b)", "(<= a b)"),
    "comparison reversed": (Operator.COMPARISON, "(< a b)", "(>= a b)"),
    "plus to minus": (Operator.ARITHMETIC, "(+ a b)", "(- a b)"),
    "arithmetic passed as a function": (Operator.ARITHMETIC, "(foldl + 0 xs)", "(foldl - 0 xs)"),
    "foldl to foldr": (Operator.FUNCTION, "(foldl f 0 xs)", "(foldr f 0 xs)"),
    "car to cdr": (Operator.FUNCTION, "(car xs)", "(cdr xs)"),
    "null? to nil?": (Operator.FUNCTION, "(if (null? xs) 1 2)", "(if (nil? xs) 1 2)"),
    "let* to let": (Operator.FUNCTION, "(let* ((a 1)) a)", "(let ((a 1)) a)"),
    "and to or": (Operator.LOGIC, "(and a b)", "(or a b)"),
    "operand of and dropped": (Operator.ARGUMENT, "(and a b)", "a"),
    "predicate negated": (
        Operator.NEGATE,
        "(filter (fn (x) (odd? x)) xs)",
        "(filter (fn (x) (not (odd? x))) xs)",
    ),
    "clause's test negated": (
        Operator.NEGATE,
        "(cond (a 1) (else 2))",
        "(cond ((not a) 1) (else 2))",
    ),
    "not removed": (Operator.ARGUMENT, "(not (f x))", "(f x)"),
    "if replaced by a branch": (Operator.BRANCH, "(if a b c)", "c"),
    "branches exchanged": (Operator.BRANCH, "(if a b c)", "(if a c b)"),
    "when made unconditional": (Operator.BRANCH, "(when a b c)", "(begin b c)"),
    "try made unprotected": (Operator.BRANCH, "(try (f) (catch e 0))", "(f)"),
    "base case dropped": (
        Operator.CLAUSE,
        "(cond ((f n) 1) (else 2))",
        "(cond  (else 2))",
    ),
    "match clause dropped": (Operator.CLAUSE, "(match x ([] 1) (_ 2))", "(match x  (_ 2))"),
    "guard dropped": (Operator.CLAUSE, "(match x (n when g 1))", "(match x (n  1))"),
    "case clause dropped": (Operator.CLAUSE, "(case x ((1) 2) (else 3))", "(case x  (else 3))"),
    "method dropped": (Operator.CLAUSE, "(defmethod f :a g) (h)", " (h)"),
    "statement dropped": (Operator.STATEMENT, "(begin (f) (g))", "(begin  (g))"),
    "step of a pipeline dropped": (Operator.STATEMENT, "(->> xs (f) (g))", "(->> xs (f) )"),
    "call replaced by its argument": (Operator.ARGUMENT, "(f a b)", "b"),
    "arguments exchanged": (Operator.EXCHANGE, "(f a b)", "(f b a)"),
    "neighbours of three exchanged": (Operator.EXCHANGE, "(f a b c)", "(f a c b)"),
    "body replaced by nil": (Operator.BODY, "(define (f x) (g x))", "(define (f x) nil)"),
    "body replaced by zero": (Operator.BODY, "(fn (x) (g x))", "(fn (x) 0)"),
    "body replaced by a parameter": (
        Operator.BODY,
        "(define (f . xs) (g))",
        "(define (f . xs) xs)",
    ),
    "predicate's body made true": (Operator.BODY, "(define (f? x) (g))", "(define (f? x) #t)"),
    "macro's body replaced": (Operator.BODY, "(defmacro m (x) (g x))", "(defmacro m (x) x)"),
    "number one up": (Operator.NUMBER, "(f 41)", "(f 42)"),
    "number one down": (Operator.NUMBER, "(f 0)", "(f -1)"),
    "string emptied": (Operator.STRING, '(f "abc")', '(f "")'),
    "string cut": (Operator.STRING, '(f "ab\\n")', '(f "ab")'),
    "character of a pattern dropped": (Operator.STRING, '(f "[,;]")', '(f "[,]")'),
    "empty string filled": (Operator.STRING, '(f "")', '(f "~")'),
    "boolean flipped": (Operator.BOOLEAN, "(f #t)", "(f #f)"),
    "keyword changed": (Operator.KEYWORD, "(get m :a)", "(get m :mutated)"),
    "keyword in a pattern changed": (
        Operator.KEYWORD,
        "(match x ({:a y} y))",
        "(match x ({:mutated y} y))",
    ),
    "nil for the empty list": (Operator.EMPTY, "(foldl f '() xs)", "(foldl f nil xs)"),
    "the empty list for nil": (Operator.EMPTY, "(f nil)", "(f '())"),
    "element dropped": (Operator.ELEMENT, "[a b]", "[ b]"),
    "entry of a map dropped": (Operator.ELEMENT, "{:a 1 :b 2}", "{:a 1 }"),
    "argument of list dropped": (Operator.ELEMENT, "(list a b)", "(list  b)"),
    "quoted symbol changed": (Operator.DATA, "(f 'for)", "(f 'mutated)"),
    "quoted list shortened": (Operator.DATA, "(f '(a b))", "(f '(a ))"),
    "number in quoted data": (Operator.DATA, "(f '(a 7))", "(f '(a 8))"),
    "inside a template": (Operator.ARGUMENT, "`(f ,(g x))", "`(f ,x)"),
    "inside a binding": (Operator.ARGUMENT, "(let ((a (f b))) a)", "(let ((a b)) a)"),
    "inside a named let": (
        Operator.NUMBER,
        "(let loop ((n 9)) (loop n))",
        "(let loop ((n 8)) (loop n))",
    ),
    "inside a short lambda": (Operator.ARITHMETIC, "(map #(* % 2) xs)", "(map #(+ % 2) xs)"),
}


@pytest.mark.parametrize(("operator", "source", "changed"), CHANGES.values(), ids=CHANGES)
def test_each_kind_of_change_is_made(operator: Operator, source: str, changed: str) -> None:
    """The mutants of a small program hold the change, under the operator that is named."""
    assert (operator, changed) in {(m.operator, m.source) for m in mutate(source)}


# what must stay as it is in all mutants of the program
KEPT: dict[str, tuple[str, str]] = {
    "a parameter list is no call": ("(define (f a b) (g))", "(f a b)"),
    "a list of bindings is no call": ("(let ((a 1) (b 2)) c)", "(let ((a "),
    "a record type is not touched": ("(define-record-type p (m x) p? (x p-x))", "(m x) p? (x p-x)"),
    "a name in a pattern stays": ("(match x ([a & more] 1))", "([a & more] "),
    "else is not negated": ("(cond (else 1))", "else"),
    "text in a comment stays": ("(f 1) ; (g 2)", "; (g 2)"),
}


@pytest.mark.parametrize(("source", "kept"), KEPT.values(), ids=KEPT)
def test_what_is_not_an_expression_is_left_alone(source: str, kept: str) -> None:
    """A form that is no expression is kept by every mutant that keeps the form around it."""
    mutants = [m for m in mutate(source) if m.operator is not Operator.CLAUSE]
    assert all(kept in mutant.source for mutant in mutants)


def test_commutative_calls_keep_their_order() -> None:
    """Exchanging the arguments of `+` or `=` would only make mutants that nothing can catch."""
    operators = {m.operator for source in ("(+ a b)", "(= a b)") for m in mutate(source)}
    assert Operator.EXCHANGE not in operators


PROGRAM = """(define (count-to n)
  (let loop ((k 1) (seen '()))
    (cond ((> k n) (reverse seen))
          (else (loop (+ k 1) (cons k seen))))))"""


def test_mutants_are_different_programs_with_different_names() -> None:
    """No two mutants share their source or their id, and none is the answer itself."""
    mutants = mutate(PROGRAM)
    assert len({m.source for m in mutants} | {PROGRAM}) == len(mutants) + 1
    assert len({m.id for m in mutants}) == len(mutants)


def test_a_mutant_tells_where_it_differs() -> None:
    """Line, form before and form after are those of the change."""
    found = next(m for m in mutate(PROGRAM) if m.source == PROGRAM.replace("(+ k 1)", "(+ k 2)"))
    assert (found.line, found.before, found.after) == (4, "(+ k 1)", "(+ k 2)")
    assert found.id == "number (+ k 1) -> (+ k 2)"


def test_an_id_survives_changes_elsewhere() -> None:
    """Another definition before it, or other blanks, do not rename a mutant."""
    changed = "(define other 5)\n" + PROGRAM.replace("\n    (cond", " (cond")
    assert {m.id for m in mutate(PROGRAM)} < {m.id for m in mutate(changed)}


def test_long_forms_are_shortened_in_the_id() -> None:
    """An id stays readable, however long the changed form is."""
    source = f"(if (f x) (begin {'(g x) ' * 30}) (list {'y ' * 60}))"
    assert max(len(mutant.id) for mutant in mutate(source)) < 200


def test_the_choice_is_spread_over_the_operators() -> None:
    """A limit leaves every operator at least one mutant before any gets many."""
    mutants = mutate(PROGRAM)
    operators = {mutant.operator for mutant in mutants}
    chosen = choose(mutants, len(operators))
    assert {mutant.operator for mutant in chosen} == operators


def test_the_choice_keeps_the_order_and_the_limit() -> None:
    """The chosen mutants come in their first order, all of them where the limit allows."""
    mutants = mutate(PROGRAM)
    chosen = choose(mutants, 10)
    assert list(chosen) == [mutant for mutant in mutants if mutant in chosen]
    assert (len(chosen), choose(mutants, 1000)) == (10, mutants)


def test_the_choice_hardly_moves_with_an_edit() -> None:
    """A new definition at the end does not replace the mutants chosen before."""
    before = {m.id for m in choose(mutate(PROGRAM), 10)}
    after = {m.id for m in choose(mutate(PROGRAM + "\n(define other 5)"), 10)}
    assert len(before & after) >= 8


@pytest.mark.parametrize("source", ["", "(f", "; nothing", '"open'])
def test_what_is_no_program_has_no_mutants(source: str) -> None:
    """A text without a whole form gives no mutants and no exception."""
    assert mutate(source) == ()


PIECES = """
( ) [ ] { } ' ` , ,@ #( " "a" #\\a f"${x}" x 1 nil #t :k + & . -> define (define_(f_x) fn set!
if cond else let match when case do try catch defmethod quote quasiquote
"""


@given(st.lists(st.sampled_from(PIECES.split()), max_size=30).map(" ".join))
def test_any_text_gives_readable_mutants_or_none(text: str) -> None:
    """However strange the program, mutation does not fail and its mutants can be read."""
    for mutant in mutate(text.replace("_", " ")):
        assert read_forms(mutant.source)
