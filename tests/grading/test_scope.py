"""The names of a case keep their meaning, and so does its call."""

import asyncio
from dataclasses import replace

import pytest

from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.grading.template import make_template, places_of
from pytest_sema_bench.records.outcome import Reason
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.task import Case
from tests.conftest import VMEval
from tests.marking import Marker, task_of

RENAMED = {
    "calls and variables": ("(f x (g f))", "(F x (g F))"),
    "not longer names": ("(ff f-f f)", "(ff f-f F)"),
    "not data": ("(g 'f '(f) :f \"f\")", "(g 'f '(f) :f \"f\")"),
    "not comments": ("(g 1) ; f", "(g 1) ; f"),
    "within templates": ("`(f ,f ,(f 'f))", "`(F ,F ,(F 'f))"),
    "within f-strings": ('f"f ${(f 1)}"', 'f"f ${(F 1)}"'),
    "nothing in what cannot be read": ("(f", "(f"),
}


@pytest.mark.parametrize(("source", "expected"), RENAMED.values(), ids=[*RENAMED])
def test_names_are_replaced_in_code(source: str, expected: str) -> None:
    """Only code has holes: what is text or data for the VM stays as it is."""
    roles = {place.form.start: "own" for place in places_of(source) if place.form.text == "f"}
    template = make_template(source, roles)
    assert "F".join(template.texts) == expected
    probe = Probe("test")
    assert template.fill(probe) == expected.replace("F", probe.name("own", "f"))


@pytest.fixture(scope="module")
def mark(vm: SemaVM, event_loop_runner: asyncio.Runner) -> Marker:
    """One grader for this module."""
    return Marker(vm, event_loop_runner)


HALVE = "(define (halve n) (/ n 2))"
FILTERS = """(define filters {})
(define (register name f) (set! filters (assoc filters name f)))
(defmacro deffilter (name params . body)
  `(register ,(string->keyword (symbol->string name)) (fn ,params ,@body)))
(define (render spec) ((get filters (string->keyword spec)) "x"))"""
TWICE = '(begin (deffilter twice (s) (string/append s s)) (render "twice"))'
CALLS = {
    "a direct call takes what the function's value does not": (
        Case(call="(= (halve 4) (list 1 2))"),
        HALVE,
    ),
    "a direct call of fractions": (Case(call="(< (+ (halve 1) (halve 1)) 3/2)"), HALVE),
    "a direct call in what the case gives": (
        Case(given="(define (same? a b) (= a b))", call="(same? (list (halve 2)) (list 1))"),
        HALVE,
    ),
    "called directly and passed on": (
        Case(call="(list (= (halve 4) '()) (map = '(1 2) (list (halve 2) 3)))"),
        HALVE,
    ),
    "called with more arguments than are compiled in place": (
        Case(call="(= (halve 2) 1 1)"),
        HALVE,
    ),
    "given one more argument by a macro": (Case(call="(-> (halve 2) (= '(1)))"), HALVE),
    "a local variable of that name": (Case(call="(let ((= (fn (a b) :own))) (= 1 2))"), HALVE),
    "within a template": (Case(call="`(= ,(= (halve 2) '()) 2)"), HALVE),
    "a name that the answer's macro turns into data": (Case(call=TWICE), FILTERS),
    "the same name, which the case has given a meaning": (
        Case(given="(define (twice s) s)", call=TWICE),
        FILTERS,
    ),
    "a variable that the answer's macro turns into data": (
        Case(given="(define twice 2)", call=TWICE),
        FILTERS,
    ),
    "a helper and a counter of the case": (
        Case(
            given="(define n-calls 0) (define (tick x) (set! n-calls (+ n-calls 1)) x)",
            call="(begin (halve (tick 4)) (list n-calls (tick 5)))",
        ),
        HALVE,
    ),
    "literals and f-strings": (
        Case(call='(let (([a b] [(halve 2) 2])) {:a f"${a}" :b (#(+ % b) 1)})'),
        HALVE,
    ),
}


@pytest.mark.parametrize(("case", "code"), CALLS.values(), ids=[*CALLS])
def test_a_call_gives_what_the_plain_vm_gives(
    mark: Marker, vm_eval: VMEval, case: Case, code: str
) -> None:
    """Answer, then call, by hand and graded: the same value."""
    sources = filter(None, (case.given, code, case.call))
    printed = vm_eval([*sources])[-1]
    assert printed.error is None
    task = replace(
        task_of("half"),
        prompt="Write what is asked.",
        reference=code,
        cases=(replace(case, equals=(f"(quote {printed.value})",)),),
        task_hash=repr(case),
    )
    verdict = mark(task, fenced(code))
    assert verdict.reason is Reason.RIGHT, verdict.cases


HOSTILE = {
    "a macro": "(defmacro = (a b) #t)",
    "a macro made while it runs": "(define (halve n) (eval '(defmacro = (a b) #t)) 1)",
    "a function": "(define (= . xs) #t)",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=[*HOSTILE])
@pytest.mark.parametrize("n", [2, 3])
def test_a_direct_call_is_out_of_reach(mark: Marker, code: str, n: int) -> None:
    """What an answer makes of the name changes nothing, however many arguments the call has."""
    call = f"(= (halve 6) {' '.join('3' * (n - 1))})"
    task = replace(
        task_of("half"), cases=(Case(call=call, equals=("#t",)),), task_hash=f"direct {n}"
    )
    assert mark(task, fenced(f"(define (halve n) 1)\n{code}")).reason is Reason.WRONG_VALUE
