"""What names are to the VM, and which names a source speaks of."""

import asyncio
from dataclasses import replace

import pytest

from pytest_sema_bench.grading.names import NameBook, NameKind, kinds_of, names_asked
from pytest_sema_bench.sema.names import names_bound, names_in_data, symbols_in
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from tests.marking import task_of

KINDS = {
    "foldl": NameKind.FUNCTION,
    "string/upper": NameKind.FUNCTION,
    "length": NameKind.OPCODE,
    "car": NameKind.OPCODE,
    "+": NameKind.OPCODE,
    "->>": NameKind.MACRO,
    "when-let": NameKind.MACRO,
    "if": NameKind.SYNTAX,
    "set!": NameKind.SYNTAX,
    "delay": NameKind.SYNTAX,
    "match": NameKind.FIXED_SYNTAX,
    "define": NameKind.FIXED_SYNTAX,
    "named-let": NameKind.FIXED_SYNTAX,
    "pi": NameKind.CONSTANT,
    "palindrome?": NameKind.FREE,
    "else": NameKind.FREE,
    "second": NameKind.FREE,
}


def test_vm_says_what_a_name_is(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Functions, opcodes, macros, special forms and free names are told apart by behaviour."""
    assert event_loop_runner.run(kinds_of(KINDS, vm, Limits())) == KINDS


def test_given_source_can_change_what_a_name_is(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """Names that a case defines are what it makes of them."""
    given = "(define (check x) x) (define runs 0) (defmacro twice (x) x)"
    kinds = event_loop_runner.run(kinds_of(["check", "runs", "twice"], vm, Limits(), given))
    assert kinds == {
        "check": NameKind.FUNCTION,
        "runs": NameKind.CONSTANT,
        "twice": NameKind.MACRO,
    }


def test_name_book_asks_for_what_it_does_not_know(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """Answers of the book are those of the VM, however often it is asked."""
    book = NameBook(vm, Limits())
    for names in (["car"], ["car", "if"], []):
        kinds = event_loop_runner.run(book.kinds_of(names))
        assert kinds == {name: KINDS[name] for name in names}


def test_name_book_asks_for_all_who_wait(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Those who ask at once get each what they asked for, also when one of them gives up."""

    async def ask() -> None:
        book = NameBook(vm, Limits())
        asking = [asyncio.create_task(book.kinds_of([name, "car"])) for name in KINDS]
        await asyncio.sleep(0)
        asking[0].cancel()
        kinds = await asyncio.gather(*asking[1:])
        assert kinds == [{n: KINDS[n] for n in (name, "car")} for name in list(KINDS)[1:]]

    event_loop_runner.run(ask())


def test_symbols_are_names_in_code() -> None:
    """Numbers, keywords, strings, comments and quoted data are no symbols."""
    source = '(f -1 2.5 :k #t nil "g" \'(h) ; i\n (let ((x ...)) f"${y}"))'
    assert symbols_in(source) == {"f", "let", "x", "y"}


UNREADABLE = ("(f", ")", '"', "(" * 1000)


@pytest.mark.parametrize("source", UNREADABLE)
def test_unreadable_source_has_no_names(source: str) -> None:
    """What cannot be read says nothing."""
    assert not symbols_in(source) | names_bound(source) | names_in_data(source)


def test_definitions_are_found_at_any_depth() -> None:
    """Functions, variables, macros, records and what they name are definitions."""
    source = """(define (f x) (define inner 1) x)
    (begin (defmacro m (x) x) (define-record-type p (make-p x) p? (x p-x)))"""
    assert names_bound(source) >= {"f", "inner", "m", "make-p", "p?", "p-x"}
    assert "define" not in names_bound(source)


def test_name_in_data_is_told_from_the_same_name_in_code() -> None:
    """Quoted atoms are data even where the name is code elsewhere."""
    assert names_in_data("(f 'runs (runs))") == {"runs"}


def test_asked_names_are_those_that_the_reference_defines() -> None:
    """Without a reference they are those that the prompt shows being called."""
    task = task_of("listing")
    assert names_asked(task) == {"listing"}
    shown = replace(task, reference=None, prompt="Write `(my-map f xs)`; it is not `map`.")
    assert names_asked(shown) == {"my-map"}
