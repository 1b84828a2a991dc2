"""Two normal forms: what a copy may change does not show in them, what makes a program does."""

import pytest

from pytest_sema_bench.dataset.normal import normal

SAME = {
    "names": ("(define (f xs) (map (fn (x) (+ x 1)) xs))", "(define (g l)(map (fn (e)(+ e 1)) l))"),
    "layout and comments": ("(+ 1 (f 2))", "(+ 1 ; one\n   (f 2))"),
    "spelling": ("(lambda (x) (list x #t))", "(fn (y) (list y true))"),
}
SAME_SHAPE = {
    "arguments that commute": ("(fn (a b) (+ (* a b) 1))", "(fn (x y) (+ 1 (* y x)))"),
    "a comparison turned round": ("(fn (a) (> a 1))", "(fn (a) (< 1 a))"),
    "the order of a map": ("{:a 1 :b 2}", "{:b 2 :a 1}"),
    "the name of a parameter that is the language's": (
        "(define (f list) (car list))",
        "(define (f xs) (car xs))",
    ),
}
OTHER = {
    "another constant": ("(+ 1 2)", "(+ 1 3)"),
    "another function": ("(fn (x) (first x))", "(fn (x) (last x))"),
    "arguments that do not commute": ("(- 1 2)", "(- 2 1)"),
    "a list and a vector": ("'(1 2)", "'[1 2]"),
    "what an f-string interpolates": ('(fn (x) f"a${(first x)}")', '(fn (x) f"a${(last x)}")'),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_a_copy_has_both_normal_forms_of_its_original(one: str, other: str) -> None:
    """What is the same but for its text has equal normal forms."""
    assert normal(one) == normal(other) is not None


@pytest.mark.parametrize(("one", "other"), SAME_SHAPE.values(), ids=SAME_SHAPE)
def test_a_rearranged_copy_has_the_shape_of_its_original(one: str, other: str) -> None:
    """What an argument's place does not change is in order in the shape."""
    first, second = normal(one), normal(other)
    assert first is not None
    assert second is not None
    assert first.shape == second.shape


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_program_has_another_shape(one: str, other: str) -> None:
    """What computes something else differs in its shape, and so in its numbered form."""
    first, second = normal(one), normal(other)
    assert first is not None
    assert second is not None
    assert first.shape != second.shape
    assert first.numbered != second.numbered


def test_names_are_told_apart_where_programs_are_to_be_the_same() -> None:
    """`(- a b)` and `(- b a)` have one shape and two numbered forms."""
    first, second = normal("(fn (a b) (- a b))"), normal("(fn (a b) (- b a))")
    assert first is not None
    assert second is not None
    assert first.shape == second.shape
    assert first.numbered != second.numbered


def test_what_cannot_be_read_has_no_normal_form() -> None:
    """A text that is no whole form is none."""
    assert normal("(+ 1") is None
