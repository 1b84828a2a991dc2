"""What an interpreter is, and what its limits are: the same on every backend."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM, create_vm
from pytest_sema_bench.settings import Limits
from tests.sema_builds import native

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]
VMEvalWithin = Callable[[Sequence[str], Limits], tuple[Evaluation, ...]]

SLEEP_FOR_EVER = "(async/sleep 600000)"
LOOP_FOR_EVER = "(define (f) (f)) (f)"
CONS_FOR_EVER = "(define (f l) (f (cons 1 l))) (f (list))"
FILL_THE_MEMORY = '(define (f s) (f (string-append s s))) (f "abcdefgh")'
RUN_AWAY = "(define (f n) (+ 1 (f n))) (f 1)"


@pytest.fixture(scope="module", params=["wasm", pytest.param("native", marks=pytest.mark.native)])
def vm(request: pytest.FixtureRequest, event_loop_runner: asyncio.Runner) -> Iterator[SemaVM]:
    """The real VM of each backend, in place of the session's."""
    vm = create_vm(str(native()) if request.param == "native" else request.param, n_hosts=2)
    yield vm
    event_loop_runner.run(vm.close())


@pytest.fixture(scope="module")
def vm_eval(event_loop_runner: asyncio.Runner, vm: SemaVM) -> VMEval:
    """Evaluate sources in one fresh interpreter, default limits."""
    return lambda sources: event_loop_runner.run(vm.evaluate(sources, Limits()))


@pytest.fixture
def vm_eval_within(event_loop_runner: asyncio.Runner, vm: SemaVM) -> VMEvalWithin:
    """Evaluate sources in one fresh interpreter, with limits of the test's own."""

    def evaluate(sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        return event_loop_runner.run(vm.evaluate(sources, limits))

    return evaluate


def test_no_definition_leaks_from_one_evaluation_to_the_next(vm_eval: VMEval) -> None:
    """Each evaluate call gets an interpreter of its own."""
    assert vm_eval(["(define leak 1)", "leak"])[1].value == "1"
    (later,) = vm_eval(["leak"])
    assert later.error_class is ErrorClass.UNBOUND
    assert later.error_name == "leak"


def test_an_error_in_one_source_does_not_stop_the_next(vm_eval: VMEval) -> None:
    """The sources share one interpreter, which survives a language error."""
    first, broken, last = vm_eval(["(define x 2)", "(car 5)", "(* x 21)"])
    assert (first.error, last.value) == (None, "42")
    assert broken.error is not None
    assert broken.value is None


def test_one_bad_form_loses_the_whole_source(vm_eval: VMEval) -> None:
    """A source is read to its end before any of it runs."""
    broken, later = vm_eval(['(println "seen") (define a 1) (', "a"])
    assert broken.output == ()
    assert broken.error_class is ErrorClass.PARSE
    assert later.error_class is ErrorClass.UNBOUND


PRINTED = {
    "true": ("(= 1 1)", "#t"),
    "false": ("(= 1 2)", "#f"),
    "string": ('"a\\"b"', '"a\\"b"'),
    "nil": ("nil", None),
    "definition": ("(define a 1)", None),
    "nothing": ("", None),
    "comment": ("; nothing", None),
    "empty list": ("'()", "()"),
    "exact root": ("(sqrt 25)", "5"),
    "exact quotient": ("(/ 1 3)", "1/3"),
    "sorted map": ("{:b 1 :a 2}", "{:a 2 :b 1}"),
    "equal by size": ("(= 5 5.0)", "#t"),
    "not the same": ("(equal? 5 5.0)", "#f"),
    "list and vector": ("(equal? (list 1) [1])", "#f"),
}


@pytest.mark.parametrize(("source", "printed"), PRINTED.values(), ids=PRINTED)
def test_values_print_as_the_grader_expects(
    source: str, printed: str | None, vm_eval: VMEval
) -> None:
    """The facts of DESIGN section 2 that grading is built on hold for this build."""
    assert vm_eval([source]) == (Evaluation(value=printed),)


def test_output_comes_line_by_line(vm_eval: VMEval) -> None:
    """Printed lines are kept apart from the value."""
    (got,) = vm_eval(['(println "a" 1) (println "b") 2'])
    assert got == Evaluation(value="2", output=("a 1", "b"))


def test_a_program_may_wait(vm_eval: VMEval) -> None:
    """Sleeping and channels suspend the program instead of failing."""
    source = "(define c (channel/new 1)) (async (channel/send c 42)) (channel/recv c)"
    assert vm_eval([source, "(async/sleep 5) 6"]) == (Evaluation(value="42"), Evaluation(value="6"))


def test_a_deadlock_is_an_error_of_the_program(vm_eval: VMEval) -> None:
    """Waiting for what nobody sends ends at once, and the interpreter goes on."""
    stuck, later = vm_eval(["(await (async (channel/recv (channel/new 1))))", "(+ 1 2)"])
    assert stuck.error is not None
    assert "deadlock" in stuck.error
    assert later.value == "3"


ODD_TEXTS = {
    "NUL in a string": ('(string/length "a\0b")', "3"),
    "half a character": ('(string/length "\ud800")', "1"),
    "an emoji": ('"😀"', '"😀"'),
    "right to left": ('"\u202eabc"', '"\u202eabc"'),
    "line separator": ('(string/length "\u2028")', "1"),
}


@pytest.mark.parametrize(("source", "printed"), ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_any_text_can_be_sent(source: str, printed: str, vm_eval: VMEval) -> None:
    """No character of a source breaks the conversation with the host."""
    assert vm_eval([source, "1"]) == (Evaluation(value=printed), Evaluation(value="1"))


def test_a_source_of_noise_is_an_error_of_the_program(vm_eval: VMEval) -> None:
    """What no reader could take is answered, and the next source runs."""
    noise, later = vm_eval(["\0\ud800\ufffe)((", "1"])
    assert noise.error is not None
    assert later.value == "1"


LOST_BY_LIMIT = {
    "a loop that conses": (CONS_FOR_EVER, Limits(cpu_s=1.0), ErrorClass.TIME, "processor time"),
    "one that does so twice": (
        CONS_FOR_EVER,
        Limits(cpu_s=0.2, again_cpu_s=0.5),
        ErrorClass.TIME,
        "processor time",
    ),
    "a program that sleeps": (SLEEP_FOR_EVER, Limits(wall_s=1.0), ErrorClass.TIME, "waiting"),
    "one that sleeps while it is graded": (
        SLEEP_FOR_EVER,
        Limits(wall_s=1.0).for_verdicts,
        ErrorClass.TIME,
        "waiting",
    ),
    "a memory bomb": (FILL_THE_MEMORY, Limits(), ErrorClass.MEMORY, "out of memory"),
    "one huge allocation": (
        "(list (list/repeat 100000000 1) (list/repeat 100000000 2))",
        Limits().for_verdicts,
        ErrorClass.MEMORY,
        "out of memory",
    ),
}


@pytest.mark.parametrize(
    ("source", "limits", "error_class", "words"), LOST_BY_LIMIT.values(), ids=LOST_BY_LIMIT
)
def test_what_takes_too_much_loses_its_interpreter(
    source: str, limits: Limits, error_class: ErrorClass, words: str, vm_eval_within: VMEvalWithin
) -> None:
    """The program is blamed, later sources are not run, and the next evaluation notices nothing."""
    before, greedy, after = vm_eval_within(["1", source, "2"], limits)
    assert before.value == "1"
    assert greedy.error is not None
    assert words in greedy.error
    assert greedy.error_class is error_class
    assert after.error_class is error_class
    assert after.error is not None
    assert after.error.startswith("not run: ")
    assert vm_eval_within(["(+ 1 2)"], Limits()) == (Evaluation(value="3"),)


def test_what_time_has_stopped_is_tried_again(vm_eval_within: VMEvalWithin) -> None:
    """With more of it, a program that is only slow comes to its end."""
    slow = "(let loop ((i 0) (xs (list))) (if (< i 40000) (loop (+ i 1) (cons i xs)) (length xs)))"
    once, twice = Limits(cpu_s=0.1), Limits(cpu_s=0.1, again_cpu_s=60.0)
    assert vm_eval_within([slow], once)[0].error_class is ErrorClass.TIME
    assert vm_eval_within([slow], twice)[0].value == "40000"


def test_long_output_is_cut_in_the_middle(vm_eval_within: VMEvalWithin) -> None:
    """Head and tail stay, and between them stands how much was left out."""
    source = "(for-each (fn (n) (println n)) (range 0 1000))"
    left_out = len("\n".join(map(str, range(1000)))) - 200
    (got,) = vm_eval_within([source], Limits(output_bytes=200))
    assert got.output[:2] == ("0", "1")
    assert got.output[-2:] == ("998", "999")
    assert f"… {left_out} characters left out …" in got.output


def test_long_values_and_errors_are_cut_in_the_middle(vm_eval_within: VMEvalWithin) -> None:
    """A value and a runaway recursion's error text keep to the same limit."""
    sources = ['(string/repeat "ab" 500)', RUN_AWAY]
    value, error = vm_eval_within(sources, Limits(output_bytes=100))
    assert value.value is not None
    assert value.value.startswith('"abab')
    assert value.value.endswith('abab"')
    assert "… 902 characters left out …" in value.value
    assert error.error is not None
    assert len(error.error) < 200
    assert "characters left out" in error.error


@pytest.mark.parametrize("n_chars", [100, 102])
def test_a_cut_never_leaves_half_a_character(n_chars: int, vm_eval_within: VMEvalWithin) -> None:
    """What is kept can be written as UTF-8, wherever the cut falls."""
    source = '(println (string/repeat "😀" 500)) (string/repeat "😀" 500)'
    (got,) = vm_eval_within([source], Limits(output_bytes=n_chars))
    assert got.value is not None
    assert "characters left out" in got.value
    for text in (got.value, *got.output):
        text.encode("utf-8")


def test_a_source_over_the_limit_is_not_run(vm_eval_within: VMEvalWithin) -> None:
    """Code is measured in bytes, and too long a source runs as little as those beside it."""
    before, too_long, after = vm_eval_within(["1", '"éééééé"', "2"], Limits(code_bytes=12))
    assert before == Evaluation()
    assert too_long.error == "the source has 14 bytes, more than the limit of 12"
    assert after.error is not None
    assert after.error.startswith("not run: ")
