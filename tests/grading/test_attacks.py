"""Hostile answers fail and fair ones pass, on the real VM and each time alike.

The attacks are files in tests/samples/attacks, one answer each; the table says for which task
of tests/samples/attacks/tasks, and why the verdict falls.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.sema.vm import SemaVM
from tests.marking import SAMPLES, Marker, answer_of, task_of

ATTACKS = {
    # redefinition
    "macro-made-while-running": ("halve", Reason.WRONG_VALUE),
    "macro-named-arrow": ("halve", Reason.WRONG_VALUE),
    "macro-named-else": ("halve", Reason.WRONG_VALUE),
    "macro-named-equal": ("halve", Reason.WRONG_VALUE),
    "macro-named-fn": ("halve", Reason.WRONG_VALUE),
    "macro-named-if": ("halve", Reason.WRONG_VALUE),
    "macro-named-like-the-call": ("halve", Reason.WRONG_VALUE),
    "redefines-comparison": ("halve", Reason.WRONG_VALUE),
    "redefines-destructuring": ("halve", Reason.WRONG_VALUE),
    "redefines-f-strings": ("halve", Reason.WRONG_VALUE),
    "redefines-lists-and-strings": ("halve", Reason.WRONG_VALUE),
    "redefines-printing": ("halve", Reason.WRONG_VALUE),
    "redefines-the-case-helper": ("halve", Reason.WRONG_VALUE),
    "redefines-what-reads-values": ("halve", Reason.WRONG_VALUE),
    "redefines-what-the-case-helper-uses": ("halve", Reason.WRONG_VALUE),
    "redefines-while-running": ("halve", Reason.WRONG_VALUE),
    "syntax-rules-named-if": ("halve", Reason.WRONG_VALUE),
    # faking
    "forges-the-old-probe": ("total", Reason.WRONG_VALUE),
    "forges-the-probe": ("total", Reason.WRONG_VALUE),
    "hard-codes-the-example": ("half", Reason.WRONG_VALUE),
    "hard-codes-the-total": ("total", Reason.WRONG_VALUE),
    "looks-for-the-probe": ("halve", Reason.WRONG_VALUE),
    "only-prints": ("half", Reason.WRONG_VALUE),
    # swallowing
    "block-comment": ("half", Reason.ERROR),
    "comment-after-expression": ("total", Reason.WRONG_VALUE),
    "comment-at-the-end": ("half", Reason.WRONG_VALUE),
    "datum-comment": ("half", Reason.ERROR),
    "expression-closes-the-call": ("total", Reason.ERROR),
    "expression-opens-a-quote": ("total", Reason.ERROR),
    "open-string-in-expression": ("total", Reason.ERROR),
    "open-string": ("half", Reason.ERROR),
    "unbalanced-close": ("half", Reason.ERROR),
    "unbalanced-open": ("half", Reason.ERROR),
    # later
    "keeps-results-of-earlier-calls": ("halve", Reason.WRONG_VALUE),
    "right-the-first-time": ("half", Reason.WRONG_VALUE),
    "state-between-cases": ("halve", Reason.WRONG_VALUE),
    # types
    "huge-integer": ("near", Reason.WRONG_VALUE),
    "infinity": ("near", Reason.WRONG_VALUE),
    "kinds-empty-list-nil": ("kinds", Reason.WRONG_VALUE),
    "kinds-float-five": ("kinds", Reason.WRONG_VALUE),
    "kinds-list-vector": ("kinds", Reason.WRONG_VALUE),
    "kinds-one-string": ("kinds", Reason.WRONG_VALUE),
    "kinds-one-symbol": ("kinds", Reason.WRONG_VALUE),
    "kinds-record-named-hashmap": ("kinds", Reason.WRONG_VALUE),
    "kinds-record-named-int": ("kinds", Reason.WRONG_VALUE),
    "kinds-record-named-list": ("kinds", Reason.WRONG_VALUE),
    "kinds-string-five": ("kinds", Reason.WRONG_VALUE),
    "kinds-symbol-five": ("kinds", Reason.WRONG_VALUE),
    "kinds-symbol-keyword": ("kinds", Reason.WRONG_VALUE),
    "kinds-symbol-list": ("kinds", Reason.WRONG_VALUE),
    "kinds-symbol-map": ("kinds", Reason.WRONG_VALUE),
    "kinds-symbol-nil": ("kinds", Reason.WRONG_VALUE),
    "kinds-symbol-true": ("kinds", Reason.WRONG_VALUE),
    "kinds-vector-list": ("kinds", Reason.WRONG_VALUE),
    "minus-infinity": ("near", Reason.WRONG_VALUE),
    "not-a-number": ("near", Reason.WRONG_VALUE),
    "number-as-text": ("near", Reason.WRONG_VALUE),
    # resources
    "brackets-by-the-hundred-thousand": ("half", Reason.ERROR),
    "endless-recursion": ("half", Reason.ERROR),
    "loop-that-conses": ("half", Reason.TIME),
    "loop": ("half", Reason.ERROR),
    "memory-bomb-in-one-call": ("half", Reason.ERROR),
    "memory-bomb": ("half", Reason.ERROR),
    "quotes-by-the-thousand": ("word", Reason.NO_ANSWER),
    "sleeps": ("half", Reason.TIME),
    "ten-megabytes-of-output": ("half", Reason.WRONG_VALUE),
    "time-kills-the-interpreter": ("half", Reason.ERROR),
    "time-while-loading": ("half", Reason.ERROR),
    "value-nested-deeply": ("half", Reason.WRONG_VALUE),
    "value-of-a-megabyte": ("half", Reason.WRONG_VALUE),
    # text
    "lone-surrogate-value": ("word", Reason.WRONG_VALUE),
    "lone-surrogates": ("half", Reason.WRONG_VALUE),
    "nul-byte-in-code": ("half", Reason.ERROR),
    "nul-bytes": ("half", Reason.WRONG_VALUE),
    "right-to-left-mark": ("half", Reason.ERROR),
    "right-to-left-override": ("word", Reason.WRONG_VALUE),
    "right-to-left-value": ("word", Reason.WRONG_VALUE),
    # values
    "value-breaks-out": ("product", Reason.WRONG_VALUE),
    "value-computes-in-f-string": ("product", Reason.NO_ANSWER),
    "value-computes": ("product", Reason.NO_ANSWER),
    "value-float": ("product", Reason.WRONG_VALUE),
    "value-many": ("product", Reason.NO_ANSWER),
    "value-string": ("product", Reason.WRONG_VALUE),
    "value-unquoted-word": ("word", Reason.WRONG_VALUE),
    # rules
    "cond-beyond-the-reader": ("sign", Reason.REQUIRES),
    "cond-called": ("sign", Reason.FORBIDS),
    "cond-in-a-macro": ("sign", Reason.FORBIDS),
    "count-called": ("listing", Reason.FORBIDS),
    "count-found-by-macroexpand": ("listing", Reason.FORBIDS),
    "count-through-apply": ("listing", Reason.FORBIDS),
    "count-through-eval": ("listing", Reason.FORBIDS),
    "count-through-map": ("listing", Reason.FORBIDS),
    "foldl-as-a-local-name": ("listing", Reason.REQUIRES),
    "foldl-in-a-comment": ("listing", Reason.REQUIRES),
    "foldl-in-a-string": ("listing", Reason.REQUIRES),
    "foldl-in-quoted-data": ("listing", Reason.REQUIRES),
    "foldl-never-called": ("listing", Reason.REQUIRES),
    "foldl-of-its-own": ("listing", Reason.REQUIRES),
    "length-by-a-computed-name": ("listing", Reason.FORBIDS),
    "length-called": ("listing", Reason.FORBIDS),
    "length-in-a-macro": ("listing", Reason.FORBIDS),
    "length-redefined-in-another-block": ("listing", Reason.FORBIDS),
    "length-through-an-arrow": ("listing", Reason.FORBIDS),
    "length-through-apply": ("listing", Reason.FORBIDS),
    "length-through-eval": ("listing", Reason.FORBIDS),
    "length-through-map": ("listing", Reason.FORBIDS),
    "length-under-another-name": ("listing", Reason.FORBIDS),
    "length-within-try": ("listing", Reason.FORBIDS),
    "match-as-a-local-name": ("sign", Reason.REQUIRES),
    "match-in-a-comment": ("sign", Reason.REQUIRES),
    "match-in-quoted-data": ("sign", Reason.REQUIRES),
    "match-never-reached": ("sign", Reason.REQUIRES),
    "when-let-called": ("sign", Reason.FORBIDS),
}
FAIR = {
    "halve-despite-a-failing-example": "halve",
    "halve-plain": "halve",
    "halve-with-own-helpers": "halve",
    "halve-with-own-if": "halve",
    "kinds-hashmap": "kinds",
    "kinds-plain": "kinds",
    "listing-applies-foldl": "listing",
    "listing-local-length": "listing",
    "listing-names-length": "listing",
    "listing-own-count": "listing",
    "listing-own-length": "listing",
    "listing-plain": "listing",
    "listing-with-dotimes": "listing",
    "near-plain": "near",
    "product-plain": "product",
    "product-quoted-form": "product",
    "sign-names-cond": "sign",
    "sign-plain": "sign",
    "sign-unused-cond": "sign",
    "total-plain": "total",
    "total-with-comment": "total",
    "word-plain": "word",
}


@pytest.fixture(scope="module")
def mark(vm: SemaVM, event_loop_runner: asyncio.Runner) -> Marker:
    """One grader for this module, so that what it knows of the tasks is worked out once."""
    return Marker(vm, event_loop_runner)


@pytest.mark.parametrize(
    ("name", "task", "reason"), [(n, *v) for n, v in ATTACKS.items()], ids=[*ATTACKS]
)
def test_an_attack_fails(mark: Marker, name: str, task: str, reason: Reason) -> None:
    """Nothing that an answer does buys it a pass, and the verdict says why it fell."""
    verdict = mark(task_of(task), answer_of("attacks", name))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ATTACKS
        if name.startswith(("redefines", "macro", "syntax-rules"))
        and name not in ("macro-named-like-the-call", "redefines-what-reads-values")
    ],
)
def test_a_redefinition_passes_no_case_at_all(mark: Marker, name: str) -> None:
    """A wrong function fails each case, whatever the case's call judges it with."""
    verdict = mark(task_of("halve"), answer_of("attacks", name))
    assert [case.call for case in verdict.cases if case.passed] == []


@pytest.mark.parametrize(("name", "task"), FAIR.items(), ids=[*FAIR])
def test_a_fair_answer_passes(mark: Marker, name: str, task: str) -> None:
    """What guards against attacks does not hurt an honest answer."""
    verdict = mark(task_of(task), answer_of("fair", name))
    assert (verdict.reason, verdict.score, verdict.failing_case) == (Reason.RIGHT, 1.0, None)


def test_every_sample_is_in_a_table() -> None:
    """No attack and no fair answer lies about untested."""
    files = {path.stem for path in (SAMPLES / "attacks").iterdir() if path.is_file()}
    assert files == set(ATTACKS)
    assert {path.stem for path in (SAMPLES / "fair").iterdir()} == set(FAIR)


REPEATED = [
    ("fair", name, task) for name, task in FAIR.items() if not task.startswith(("product", "word"))
] + [
    ("attacks", name, task)
    for name, (task, _) in ATTACKS.items()
    if name.startswith(("redefines", "macro", "length", "kinds", "memory", "endless", "right"))
]


@pytest.fixture
def busy_processor() -> Iterator[None]:
    """Both processors have something else to do."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(2)]
    yield
    for process in processes:
        process.kill()
        process.wait()


def test_verdicts_are_the_same_each_time(mark: Marker, request: pytest.FixtureRequest) -> None:
    """Dozens of answers get equal verdicts three times, the last time on a busy machine."""
    jobs = [(task_of(task), answer_of(folder, name)) for folder, name, task in REPEATED]
    first, second = mark.all_at_once(jobs), [mark(*job) for job in jobs]
    request.getfixturevalue("busy_processor")
    third = mark.all_at_once(jobs[::-1])[::-1]
    assert first == second == third
