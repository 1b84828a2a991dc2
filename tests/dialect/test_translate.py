"""Code there and back: names change where they are code, and nothing else does."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sema_bench.dialect import speak
from pytest_sema_bench.dialect.dialect import make_dialect
from pytest_sema_bench.dialect.prose import source_in
from pytest_sema_bench.dialect.translate import LOST, WRAPPED, edited, to_sema, translate
from pytest_sema_bench.docsearch.corpus import load_corpus
from pytest_sema_bench.grading.in_dialect import own_names
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder
from pytest_sema_bench.suite.task import GradeKind, load_tasks

SEED = make_dialect(7, 1.0)
PLAIN = replace(SEED, seed=-1, orders={})
"""The same words, and all arguments where they are in Sema."""
W = SEED.words


def said(sema: str) -> str:
    """Sema's code in the dialect without other orders."""
    return source_in(sema, PLAIN)


def meant(dialect: str) -> str:
    """What is made of it for the VM."""
    (text,) = speak(PLAIN, [dialect]).texts
    return text


def back(dialect: str) -> str:
    """The same without the marks of names that the dialect lacks: of variables called so."""
    return meant(dialect).replace(LOST, "")


SNIPPETS = sorted(
    {snippet.code for entry in load_corpus().entries for snippet in entry.snippets}
    | {snippet.code for row in load_corpus().foreign for snippet in row.snippets}
)
SOURCES = {
    task.id: (task.reference, own_names(task))
    for suite in bundled_suites()
    for task in load_tasks(suite_folder(suite))
    if task.reference and task.kind is not GradeKind.VALUE
}


@pytest.mark.parametrize("seed", [7, 11])
def test_there_and_back_gives_every_reference_again(seed: int) -> None:
    """The references of all bundled suites, character by character."""
    dialect = replace(make_dialect(seed, 1.0), seed=-seed, orders={})
    for source, own in SOURCES.values():
        (text,) = speak(dialect, [source_in(source, dialect, own)], own).texts
        assert text.replace(LOST, "").replace(WRAPPED, "") == source


def test_there_and_back_gives_every_snippet_again() -> None:
    """All examples and edges of the documentation."""
    assert [code for code in SNIPPETS if back(said(code)).replace(WRAPPED, "") != code] == []


ATOMS = st.sampled_from(["x", "xs", "5", ":map", "nil", "'list", "map", "car", "foldl", "str", "+"])
STRINGS = st.text(st.sampled_from('map car "\\;(){}'), max_size=8).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
CHARACTERS = st.sampled_from(["#\\a", "#\\space", "#\\("])
COMMENTS = st.text(st.sampled_from("map car (\"'"), max_size=8).map(lambda text: f"; {text}\n x")


def _forms(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=4).map(" ".join)
    return st.one_of(
        several.map(lambda text: f"(list {text})"),
        several.map(lambda text: f"(foldl {text})"),
        several.map(lambda text: f"[{text}]"),
        several.map(lambda text: f"'({text})"),
        several.map(lambda text: f"(let ((x 1) (map 2)) {text})"),
        several.map(lambda text: f"(define (f car . more) {text})"),
        several.map(lambda text: f"(match x ([a & str] {text}) (_ nil))"),
    )


PROGRAMS = st.lists(
    st.recursive(ATOMS | STRINGS | CHARACTERS | COMMENTS, _forms, max_leaves=12), max_size=4
).map("\n".join)


@settings(deadline=None, max_examples=300)
@given(PROGRAMS)
def test_there_and_back_is_the_identity(source: str) -> None:
    """Of any program that uses what it may, whatever strings, comments and data hold."""
    assert back(said(source)) == source


@settings(deadline=None, max_examples=300)
@given(PROGRAMS)
def test_strings_and_comments_are_untouched(source: str) -> None:
    """What is left when the code is cut out is the same, whatever order arguments have."""
    text = said(source)
    edits = translate(text, to_sema(PLAIN))
    between = [text[one.end : two.start] for one, two in pairwise(edits)]
    assert all(piece in source for piece in between)


UNTOUCHED = {
    "a string": '"map car"',
    "a comment": "5 ; (map car)",
    "a keyword": ":map",
    "quoted data": "'(map car)",
    "the data of a case": f"({W['case']} x ((map car) 1) (else 2))",
    "a raw string": '#"(map)"',
}


@pytest.mark.parametrize("source", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_no_code_stays(source: str) -> None:
    """Sema's names in it are text like any other."""
    assert "map" in meant(source)
    assert LOST not in meant(source)


CODE = {
    "an f-string": ('f"${(map car xs)}"', f'f"${{({W["map"]} {W["car"]} xs)}}"'),
    "a template": ("(f `(map ,car 'car))", f"(f `({W['map']} ,{W['car']} 'car))"),
    "a short lambda": ("#(car %)", f"#({W['car']} %)"),
    "what a macro quotes": (
        "(defmacro m (x) (list 'car x))",
        f"({W['defmacro']} m (x) ({W['list']} '{W['car']} x))",
    ),
    "what eval is given": ("(eval '(car x))", f"({W['eval']} '({W['car']} x))"),
    "a parameter": ("(fn (list) (car list))", f"({W['fn']} (list) ({W['car']} list))"),
    "a let's value": ("(let ((map map)) map)", f"({W['let']} ((map {W['map']})) map)"),
    "a let* after itself": (
        "(let* ((car 1) (x car)) x)",
        f"({W['let*']} ((car 1) (x car)) x)",
    ),
    "a named let": (
        "(let car ((x (cdr y))) (car x))",
        f"({W['let']} car ((x ({W['cdr']} y))) (car x))",
    ),
    "keys of a map pattern": (
        "(let (({:keys [list]} m)) list)",
        f"({W['let']} (({{:keys [list]}} m)) list)",
    ),
    "the name of an error": ("(try (f) (catch list list))", f"({W['try']} (f) (catch list list))"),
    "a loop's variable": (
        "(do ((list 1 (+ list 1))) ((= list 3)) (car list))",
        f"({W['do']} ((list 1 ({W['+']} list 1))) (({W['=']} list 3)) ({W['car']} list))",
    ),
    "a definition inside": (
        "(define (f) (define car 1) car)",
        f"({W['define']} (f) ({W['define']} car 1) car)",
    ),
    "an own function": ("(define (g car) car) (g 1)", f"({W['define']} (g car) car) (g 1)"),
    "a threaded name": ("(-> x car (list 1))", f"({W['->']} x {W['car']} ({W['list']} 1))"),
    "bindings that a template computes": (
        "`(let (,(car b)) ,@(cdr b))",
        f"`({W['let']} (,({W['car']} b)) ,@({W['cdr']} b))",
    ),
    "all bindings of a template": (
        "`(let ,(map f b) (match x ,@(cdr c)))",
        f"`({W['let']} ,({W['map']} f b) ({W['match']} x ,@({W['cdr']} c)))",
    ),
    "as-> within ->": (
        "(-> x (as-> list (car list)) (as-> car (cdr car)))",
        f"({W['->']} x ({W['as->']} list ({W['car']} list)) ({W['as->']} car ({W['cdr']} car)))",
    ),
    "a place in as->": ("(as-> x list (car list))", f"({W['as->']} x list ({W['car']} list))"),
}


@pytest.mark.parametrize(("sema", "dialect"), CODE.values(), ids=CODE)
def test_code_is_translated_where_it_stands(sema: str, dialect: str) -> None:
    """Names that the code binds stay, all others change, and back again."""
    assert said(sema) == dialect
    assert back(dialect) == sema


def test_arguments_change_places() -> None:
    """A whole call has them in the dialect's order; elsewhere a function turns them."""
    dialect = replace(SEED, seed=-2, orders={"nth": (1, 0), "foldl": (1, 2, 0)})
    nth, foldl = W["nth"], W["foldl"]
    assert source_in("(nth xs (f 1))", dialect) == f"({nth} (f 1) xs)"
    assert source_in("(foldl g 0 xs)", dialect) == f"({foldl} 0 xs g)"
    turned = f"({W['fn']} (a1 a2) ({nth} a2 a1))"
    assert source_in("(f nth)", dialect) == f"(f {turned})"
    assert source_in("(-> xs (nth 1))", dialect) == f"({W['->']} xs ({turned} 1))"
    assert source_in("(nth xs)", dialect) == f"({nth} xs)"
    speech = speak(dialect, [f"({nth} 1 xs)", f"({foldl} 0 xs g)"])
    assert speech.texts == (f"(nth{WRAPPED} 1 xs)", f"(foldl{WRAPPED} 0 xs g)")
    assert speech.prelude == (
        f"(define (foldl{WRAPPED} a2 a3 a1) (foldl a1 a2 a3))\n"
        f"(define (nth{WRAPPED} a2 a1) (nth a1 a2))"
    )


LACKING = {
    "a call": ("(map car xs)", f"(map{LOST} car{LOST} xs)"),
    "a special form": ("(if x 1 2)", f"(if{LOST} x 1 2)"),
    "a definition of itself": (f"({W['define']} map map)", f"(define map{LOST} map{LOST})"),
    "a let of itself": (
        f"({W['let']} ((map map)) map)",
        f"(let ((map{LOST} map{LOST})) map{LOST})",
    ),
    "a definition within a clause": (
        f"({W['case']} 1 ((1) ({W['define']} map map)))",
        f"(case 1 ((1) (define map{LOST} map{LOST})))",
    ),
    "its own disguise": (f"map{LOST}", f"map{LOST}{LOST}"),
    "a wrapper by name": (f"nth{WRAPPED}", f"nth{WRAPPED}{LOST}"),
    "an inner function of the VM": ("(__vm-append 1)", f"(__vm-append{LOST} 1)"),
    "what a macro makes": (
        f"({W['defmacro']} m () '(map car))",
        f"(defmacro m () '(map{LOST} car{LOST}))",
    ),
}


@pytest.mark.parametrize(("source", "text"), LACKING.values(), ids=LACKING)
def test_sema_s_own_names_are_not_to_be_had(source: str, text: str) -> None:
    """What the dialect lacks is given to the VM under a name that it does not know."""
    assert meant(source) == text


def test_names_that_the_task_asks_for_stay() -> None:
    """Even where they are Sema's: the hidden cases call them so."""
    source = f"({W['define']} (range n) ({W['car']} (range 1)))"
    (text,) = speak(PLAIN, [source], own={"range"}).texts
    assert text == "(define (range n) (car (range 1)))"


def test_a_name_that_one_source_defines_is_its_own_in_the_next() -> None:
    """An answer's blocks are one program."""
    car = W["car"]
    speech = speak(PLAIN, [f"({W['define']} ({car} x) x)", f"({car} 5)"])
    assert speech.texts == (f"(define ({car} x) x)", f"({car} 5)")


def test_code_beyond_python_s_stack_is_not_run_as_sema() -> None:
    """However deep it is nested, no plain Sema is left in what the VM is given."""
    for depth in (30, 60, 66, 99, 1000):
        text = meant("(let ((x " * depth + "(car xs)" + ")) x)" * depth)
        assert text == "(nested-too-deeply)" or f"(car{LOST} xs)" in text
        text = meant(f"({W['let']} ((x " * depth + "(car xs)" + ")) x)" * depth)
        assert text == "(nested-too-deeply)" or f"(car{LOST} xs)" in text
        text = meant('f"${' + "(list " * depth + "(car xs)" + ")" * depth + '}"')
        assert text == "(nested-too-deeply)" or f"(car{LOST} xs)" in text


def test_what_cannot_be_read_is_left_for_the_vm_to_refuse() -> None:
    """The reader reads all that the VM reads."""
    for source in ("(map", ")", '"open'):
        assert meant(source) == source
        assert edited(source, translate(source, to_sema(PLAIN))) == source
