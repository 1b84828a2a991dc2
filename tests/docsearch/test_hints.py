"""Hints: each row of the table is proven on the VM, and says what it should where it should."""

import asyncio
from pathlib import Path

import pytest

from pytest_sema_bench.docsearch.check import check_hints
from pytest_sema_bench.docsearch.corpus import docs_folder, holding, load_hints
from pytest_sema_bench.docsearch.hints import hint_for
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.sema.vm.install import pinned_version
from tests.conftest import VMEval

TABLE = docs_folder() / "hints.yaml"


def test_each_row_is_what_its_example_gets(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """The VM's error for the example is answered with this row and no earlier one."""
    hints = holding(load_hints(TABLE), pinned_version())
    assert len(hints) > 40
    assert list(map(str, event_loop_runner.run(check_hints(hints, vm)))) == []


def test_a_row_that_another_one_hides_is_found(
    vm: SemaVM, event_loop_runner: asyncio.Runner, tmp_path: Path
) -> None:
    """What an agent would not get is a problem with file and line."""
    path = tmp_path / "hints.yaml"
    path.write_text(
        "hints:\n"
        "  - {error: 'even more', hint: Never., why: None.,\n"
        '     example: {code: "(even? 4.0)", error: expected integer},\n'
        '     cure: {code: "1", value: "1"}}\n'
    )
    (problem,) = event_loop_runner.run(check_hints(load_hints(path), vm))
    assert "(even? 4.0): gets the hint 'A float does not count as an integer" in str(problem)
    assert problem.line == 2


MISLEADING = {
    "one symbol for all parameters": ("(define f (fn args args)) (f 1)", "(fn (. args) …)"),
    "& among parameters": ("(define (f a & more) more) (f 1)", "stands after a dot"),
    "&rest in a lambda": ("((lambda (a &rest more) more) 1)", "stands after a dot"),
    "& in a macro": ("(defmacro m (x & b) `(begin ,@b)) (m 1 2 3)", "stands after a dot"),
    "even? of a float": ("(filter even? '(1.0 2.0))", "convert it with (int x)"),
    "an order of strings": ('(string<? "a" "b")', "Sema has no string<?; it has <, >, sort"),
    "distinct": ("(distinct '(1 1))", "it has list/unique"),
    "a made-up name": ('(string/split-whitespace "a b")', "Sema has no string/split-whitespace"),
    "a name with a namespace": ('(clojure.string/join "," xs)', "it has string/join"),
    "a form that does not exist": ("(for [x '(1 2)] x)", "Sema has no for;"),
    "the outer form of two": ("(loop [i 0] (recur (+ i 1)))", "Sema has no loop;"),
    "what a name resembles": ("(map inc '(1 2))", "Sema has no inc;"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "text"), MISLEADING.values(), ids=MISLEADING)
def test_an_error_that_misleads_gets_its_cure(code: str, text: str, vm_eval: VMEval) -> None:
    """What the VM says of the program is answered with what would mend it."""
    error = vm_eval([code])[0].error
    assert error is not None
    assert text in (hint_for(error, code, pinned_version()) or "")


CLEAR = {
    "a fault of the program's own": '(error "no")',
    "division by zero": "(/ 1 0)",
    "a name nobody knows": "(frobnicate 1)",
    "the VM's own advice": "(conj '(1) 2)",
    "a name that the program defines": "(define (f) (distinct 1)) (f) (define (distinct x) x)",
    "a missing bracket": "(list 1 2",
}


@pytest.mark.parametrize("code", CLEAR.values(), ids=CLEAR)
def test_other_errors_get_no_hint(code: str, vm_eval: VMEval) -> None:
    """Nothing is said where the message is enough or nothing is known."""
    error = vm_eval([code])[0].error
    assert error is not None
    assert hint_for(error, code, pinned_version()) is None


def test_a_hint_is_one_of_the_version_in_use() -> None:
    """Up to 1.36 strings are compared by <, from 2.0.0 on by sort alone."""
    error, code = "Unbound variable: string<?\n  at <lambda> (<input>:1:1)", '(string<? "a" "b")'
    older, newer = (hint_for(error, code, version) for version in ("1.36.0", "2.0.0"))
    assert older is not None
    assert newer is not None
    assert "it has <, >, sort." in older
    assert "it has sort." in newer


def test_a_row_without_a_reason_is_refused(tmp_path: Path) -> None:
    """Why the VM's words mislead is part of each row."""
    path = tmp_path / "hints.yaml"
    path.write_text(
        "hints:\n  - error: x\n    hint: y\n    example: {code: '1', error: x}\n"
        "    cure: {code: '1', value: '1'}\n"
    )
    with pytest.raises(FileError, match="'why' is missing"):
        load_hints(path)
