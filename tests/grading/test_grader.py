"""What the grader makes of answers on the real VM; attacks have tests/test_attacks.py."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sema_bench.errors import TaskError, VMError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM, VMInfo
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Case, Task
from tests.marking import QUICK, Marker, task_of


@pytest.fixture(scope="module")
def mark(vm: SemaVM, event_loop_runner: asyncio.Runner) -> Marker:
    """One grader for this module, so that what it knows of the tasks is worked out once."""
    return Marker(vm, event_loop_runner)


CODES = {
    "nothing parses": ("(define (halve n", 0.0, Reason.ERROR),
    "each call fails": ("(define (halve n) (car n))", 0.0, Reason.ERROR),
    "one case runs": ("(define (halve n) (if (= n 10) 1 (car n)))", 0.3, Reason.WRONG_VALUE),
    "wrong value": ("(define (halve n) n)", 0.3, Reason.WRONG_VALUE),
    "right": ("(define (halve n) (/ n 2))", 1.0, Reason.RIGHT),
}


@pytest.mark.parametrize(("code", "score", "reason"), CODES.values(), ids=[*CODES])
def test_score_tells_wrong_from_broken(
    mark: Marker, code: str, score: float, reason: Reason
) -> None:
    """An answer gets 1.0 if it is right, 0.3 if some case runs, 0.0 if none does."""
    verdict = mark(task_of("half"), fenced(code))
    assert (verdict.score, verdict.reason) == (score, reason)


VALUES = {
    "right": ('Value: "AB"', 1.0, Reason.RIGHT),
    "wrong": ('Value: "ab"', 0.0, Reason.WRONG_VALUE),
    "a word of babble": ("banana", 0.0, Reason.WRONG_VALUE),
    "code where a value is asked for": ("```sema\n(banana 1)\n```", 0.0, Reason.WRONG_VALUE),
}


@pytest.mark.parametrize(("message", "score", "reason"), VALUES.values(), ids=[*VALUES])
def test_a_value_is_right_or_worth_nothing(
    mark: Marker, message: str, score: float, reason: Reason
) -> None:
    """0.3 is for code that ran, and a value is none: babble gains nothing."""
    verdict = mark(task_of("word"), message)
    assert (verdict.score, verdict.reason) == (score, reason)


def test_missing_output_is_a_wrong_answer_that_runs(mark: Marker) -> None:
    """Where only the printed lines are missing, the reason is the output and the score 0.3."""
    verdict = mark(
        task_of("listing"), fenced("(define (listing xs) (foldl (fn (n x) (+ n 1)) 0 xs))")
    )
    assert (verdict.score, verdict.reason) == (0.3, Reason.WRONG_OUTPUT)
    assert [case.error for case in verdict.cases] == ["printed nothing", None, "printed nothing"]


def test_error_is_classified_and_blamed_on_the_block_that_failed(mark: Marker) -> None:
    """Where a block does not load, its error is reported, not the unbound name that follows."""
    verdict = mark(
        task_of("half"), fenced("(define (halve n) (string/upper n))\n(define x (car 5))")
    )
    failure = verdict.cases[0].failure
    assert failure is not None
    assert (failure.error_class, failure.name) == (ErrorClass.TYPE, "car")


def test_messages_do_not_show_the_graders_own_names(mark: Marker) -> None:
    """The names by which values are read stay out of what people see."""
    code = "(define (halve n) (length n))\n(halve 1)"
    verdict = mark(task_of("half"), fenced(code))
    shown = " ".join(f"{case.error} {case.failure}" for case in verdict.cases)
    assert "expected" in shown
    assert "sema-" not in shown


def test_truncated_answer_that_fails_is_told_apart(mark: Marker) -> None:
    """An answer cut off by the token limit fails as truncated; one that is right passes."""
    cut_off = mark(task_of("half"), "```sema\n(define (halve n)", truncated=True)
    whole = mark(task_of("half"), fenced("(define (halve n) (/ n 2))"), truncated=True)
    assert (cut_off.reason, whole.reason) == (Reason.TRUNCATED, Reason.RIGHT)


def test_cases_after_a_failure_are_left_out_on_request(mark: Marker) -> None:
    """With stop_at_failure the outcome is the same and later cases are not run."""
    wrong = fenced("(define (halve n) 5)")
    all_cases = mark(task_of("halve"), wrong)
    stopped = mark(task_of("halve"), wrong, stop_at_failure=True)
    assert (stopped.outcome, stopped.reason) == (all_cases.outcome, all_cases.reason)
    assert [case.passed for case in stopped.cases] == [True, False]


def with_cases(*cases: Case, reference: str | None = None) -> Task:
    """The task `half` with other cases."""
    text = repr((cases, reference))
    return replace(task_of("half"), cases=cases, reference=reference, task_hash=text)


def test_call_that_changes_its_case_is_made_once(mark: Marker) -> None:
    """A call is repeated only where the reference gives the same value twice."""
    case = Case(
        given="(define calls 0) (define (tick) (set! calls (+ calls 1)) calls)",
        call="(+ (halve 10) (tick))",
        equals=("6",),
    )
    right = "(define (halve n) (/ n 2))"
    assert mark(with_cases(case, reference=right), fenced(right)).reason is Reason.RIGHT


def test_answer_may_use_the_names_of_a_case_for_itself(mark: Marker) -> None:
    """A hidden case's helpers and an answer's globals of the same name do not meet."""
    case = Case(
        given="(define total 1) (define (check n) (set! total (+ total n)) total)",
        call="(list (check 1) (halve 10) (check 1))",
        equals=("(list 2 5 3)",),
    )
    task = with_cases(case, reference="(define (halve n) (/ n 2))")
    code = "(define total :mine)\n(define (check x) total)\n(define (halve n) (check n) (/ n 2))"
    assert mark(task, fenced(code)).reason is Reason.RIGHT


def test_record_of_a_case_prints_its_name(mark: Marker) -> None:
    """A record type that a case gives is called as the case calls it."""
    case = Case(
        given="(define-record-type point (make-point x) point? (x point-x))",
        call="(str (make-point (halve 2)))",
        equals=('"#<record point 1>"',),
    )
    task = with_cases(case, reference="(define (halve n) (/ n 2))")
    assert mark(task, fenced("(define (halve n) (/ n 2))")).reason is Reason.RIGHT


def test_call_may_use_a_forbidden_name(mark: Marker) -> None:
    """`forbids` binds the answer, neither the call nor what the case gives."""
    case = Case(
        given="(define (size xs) (length xs))",
        call="(+ (length '(1 2)) (size '(1)) (first (map length '((1)))) (halve 2))",
        equals=("5",),
    )
    task = replace(with_cases(case), forbids=("length", "map"), task_hash="forbids length")
    assert mark(task, fenced("(define (halve n) (/ n 2))")).reason is Reason.RIGHT


def test_code_that_only_a_case_leads_to_can_run(mark: Marker) -> None:
    """A required form counts in a definition that nothing but the case's own helper calls."""
    case = Case(given="(define (run-it n) (halve n))", call="(run-it 10)", equals=("5",))
    task = replace(with_cases(case), requires=("match",), task_hash="requires match")
    code = "(define (halve n) (match n (_ (/ n 2))))"
    assert mark(task, fenced(code)).reason is Reason.RIGHT


BROKEN_CASES = {
    "an expected value that fails": Case(call="(halve 1)", equals=("(car 5)",)),
    "an expected value that hides what it is": Case(call="(halve 1)", equals=("(list car)",)),
    "a given source that fails": Case(given="(car 5)", call="(halve 1)", equals=("1",)),
}


@pytest.mark.parametrize("case", BROKEN_CASES.values(), ids=[*BROKEN_CASES])
def test_task_that_cannot_be_graded_is_the_authors_fault(mark: Marker, case: Case) -> None:
    """A broken case is an error with the task's file, never a wrong answer."""
    with pytest.raises(TaskError, match=r"half\.yaml"):
        mark(with_cases(case), fenced("(define (halve n) (/ n 2))"))


class FaultyOnce:
    """A VM whose host is at fault in the first evaluation."""

    def __init__(self, vm: SemaVM) -> None:
        self._vm = vm
        self.n_faults = 1

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """As the VM behind it, after the fault."""
        if self.n_faults:
            self.n_faults -= 1
            raise VMError("no host")
        return await self._vm.evaluate(sources, limits)

    async def info(self) -> VMInfo:
        """As the VM behind it."""
        return await self._vm.info()

    async def close(self) -> None:
        """Leave the VM behind it alone."""


def test_host_fault_is_not_remembered(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """A task that could not be prepared for want of a host is prepared at the next answer."""
    grader = Grader(FaultyOnce(vm))
    right = fenced("(define (halve n) (/ n 2))")
    with pytest.raises(VMError):
        event_loop_runner.run(grader.grade(task_of("half"), right))
    assert event_loop_runner.run(grader.grade(task_of("half"), right)).reason is Reason.RIGHT


def test_generated_symbols_are_the_same_each_time(mark: Marker) -> None:
    """Each interpreter counts them from the start, so that what is shown of them is the same."""
    macro = "(defmacro m (x) `(let ((tmp# ,x)) (other# tmp#)))"
    code = f"{macro}\n(define (halve n) (if (= n 10) (gensym) (m 1)))"
    verdicts = [mark(task_of("half"), fenced(code)) for _ in range(2)]
    assert verdicts[0] == verdicts[1]
    assert (verdicts[0].cases[0].got or "").startswith("g__")


TOKENS = (
    *("(", ")", "[", "]", "{", "}", '"', "'", "`", ",", ",@", ";", "\n", " ", "#(", 'f"${', "#\\"),
    *("define", "halve", "n", "(define (halve n) ", "fn", "let", "if", "quote", "match", "list"),
    *("+", "car", "first", "5", "-1/2", "2.5", ":a", "nil", "#t", '"a"', "%", "=", "throw", "try"),
    *("defmacro", "\\", "|", "\0", "\u200f", "é", "😀", "…"),
)
SOURCES = st.one_of(
    st.text(st.characters(), max_size=200),
    st.lists(st.sampled_from(TOKENS), max_size=40).map(" ".join),
    st.lists(st.sampled_from(TOKENS), max_size=40).map("".join),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(source=SOURCES)
def test_any_text_as_code_gets_one_verdict(mark: Marker, source: str) -> None:
    """Whatever stands in a code block, there is a verdict, and the same one twice."""
    task = task_of("half")
    verdicts = [mark(task, fenced(source)) for _ in range(2)]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0].outcome in (Outcome.PASS, Outcome.FAIL)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(source=SOURCES)
def test_any_text_as_expression_or_value_gets_one_verdict(mark: Marker, source: str) -> None:
    """The wrapped last form and the quoted value withstand any text."""
    for task, message in (
        (task_of("total"), fenced(source)),
        (task_of("word"), f"Value: {source}"),
    ):
        verdicts = [mark(task, message) for _ in range(2)]
        assert verdicts[0] == verdicts[1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(source=SOURCES)
def test_any_source_evaluates_alike_twice(
    vm: SemaVM, event_loop_runner: asyncio.Runner, source: str
) -> None:
    """The VM's boundary turns any text into an Evaluation, and into an equal one the next time."""

    def evaluate() -> tuple[Evaluation, ...]:
        return event_loop_runner.run(vm.evaluate([source, "(+ 1 2)"], QUICK))

    first, after = evaluate()
    assert (first.error is None) == (first.error_class is None)
    assert after.value == "3"
    assert evaluate()[0].error_class == first.error_class
