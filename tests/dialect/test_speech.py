"""What the VM says of a program in a dialect, in the dialect's words and places."""

import asyncio

import pytest

from pytest_sema_bench.agent.eval_text import describe
from pytest_sema_bench.dialect import DialectVM, speak
from pytest_sema_bench.dialect.dialect import make_dialect
from pytest_sema_bench.dialect.prose import source_in
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits

DIALECT = make_dialect(7, 1.0)
W = DIALECT.words


@pytest.fixture
def told(vm: SemaVM, event_loop_runner: asyncio.Runner) -> "Told":
    """What eval_code tells of a source."""
    return Told(vm, event_loop_runner)


class Told:
    """The text of eval_code for a source in the dialect, or in Sema."""

    def __init__(self, vm: SemaVM, runner: asyncio.Runner) -> None:
        self._vm = vm
        self._runner = runner

    def __call__(self, source: str) -> str:
        """Of a source in the dialect."""

        async def tell() -> str:
            speech = speak(DIALECT, [source])
            *_, evaluation = await self._vm.evaluate(speech.sources, Limits())
            return await describe(evaluation, speech, self._vm, hints=True)

        return self._runner.run(tell())

    def of_sema(self, source: str) -> str:
        """Of a source in Sema, said in the dialect."""
        return self(source_in(source, DIALECT))


MESSAGES = {
    "an unbound name": (
        f"({W['list']} foo)",
        "Error: Unbound variable: foo\n  at <lambda> (<input>:1:1)",
    ),
    "a name of Sema": ("(length 5)", "Error: Unbound variable: length\n"),
    "a longer name of Sema": ("(string/upper 5)", "Error: Unbound variable: string/upper\n"),
    "a special form of Sema": ("(if y 1 2)", "Error: Unbound variable: y"),
    "a slip": (
        f"({W['string/upper']}x 5)",
        f"  hint: Did you mean '{W['string/upper']}'?",
    ),
    "a wrong type": (f"({W['map']} 5 6)", f"got int in {W['map']}"),
    "a namespace": (f"({W['string/upper']} 5)", f"{W['string/upper']} argument 1 expected string"),
    "too few arguments": (f"({W['nth']} 1)", f"{W['nth']} expects 2 arguments, got 1"),
    "a form's shape": (f"({W['let']} [x 1] x)", f"Error: {W['let']}: expected a list"),
    "a hint of the VM": (f"({W['dissoc']} 5 1)", f"  hint: {W['dissoc']}: expected a map"),
    "a hint of ours": (f"(inc {W['pi']})", f"Sema has no inc; it has {W['+']}."),
    "a function": (f"({W['list']} {W['map']})", f"Value: (<native-fn {W['map']}>)"),
    "a macro's data": (
        f"({W['defmacro']} m (x) `(quote ,x)) (m ({W['+']} 1))",
        f"Value: ({W['+']} 1)",
    ),
    "a symbol that was quoted": (f"({W['list']} 'map)", "Value: (map)"),
    "a word of the program's": (f'({W["error"]} "map: none")', "Error: map: none"),
    "a caught error": (
        f"({W['try']} ({W['car']} 5) (catch e e))",
        f':line 1 :name "{W["car"]}"}}',
    ),
}


@pytest.mark.parametrize(("source", "text"), MESSAGES.values(), ids=MESSAGES)
def test_the_vm_speaks_the_dialect(told: Told, source: str, text: str) -> None:
    """Names in messages, hints, frames and values are the dialect's; words of the program stay."""
    assert text in told(source)


def test_a_function_with_another_order_works_as_a_value(told: Told) -> None:
    """Passed on, it takes its arguments in the dialect's order, too."""
    order = DIALECT.orders["cons"]
    assert order == (1, 0)
    assert told(f"(({W['fn']} (f) (f '(2) 1)) {W['cons']})") == "Value: (1 2)"
    assert told(f"({W['apply']} {W['cons']} ({W['list']} '(2) 1))") == "Value: (1 2)"


def test_places_are_those_of_the_program_that_was_written(told: Told) -> None:
    """Line and column of a call behind longer and shorter names."""
    source = f"({W['define']} (f x)\n  ({W['list']} ({W['car']} x)\n    x))\n(f 5)"
    line, column = 2, source.splitlines()[1].index(f"({W['car']}") + 1
    assert f"(<input>:{line}:{column})" in told(source)
    assert "(<input>:4:1)" in told(source)


def test_the_functions_that_turn_arguments_are_never_seen(told: Told) -> None:
    """Neither in a message nor in a frame, and not in a value but as a function without a name."""
    for source in ("(nth '(1) 7)", "(nth 5)", "(list nth)", "(define (f) (nth '(1) 9)) (f)"):
        assert "wrapped" not in told.of_sema(source)
        assert "lost" not in told.of_sema(source)


def test_a_dialect_is_a_vm(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Sources share an interpreter, and there is an evaluation for each."""
    speaker = DialectVM(vm, DIALECT)
    sources = [f"({W['define']} x '(7 8))", f"({W['nth']} 1 x)", f"({W['car']} x)"]
    results = event_loop_runner.run(speaker.evaluate(sources, Limits()))
    assert [result.value for result in results] == [None, "8", "7"]
    assert event_loop_runner.run(speaker.info()) == event_loop_runner.run(vm.info())


CAPTURED = {
    "let": (f"({W['let']} ((rest '(5 6))) ({W['rest']} rest))", "(6)"),
    "let*": (f"({W['let*']} ((if 1) (map if)) ({W['if']} #t ({W['list']} map if) 0))", "(1 1)"),
    "letrec": (f"({W['letrec']} ((car ({W['fn']} (x) ({W['car']} x)))) (car '(4)))", "4"),
    "a parameter": (f"(({W['fn']} (list) ({W['list']} list list)) 1)", "(1 1)"),
    "a rest parameter": (f"(({W['fn']} (a . list) ({W['list']} a list)) 1 2)", "(1 (2))"),
    "a named let": (
        f"({W['let']} loop ((rest '(1 2 3)) (count 0))"
        f" ({W['if']} ({W['null?']} rest) count (loop ({W['rest']} rest) ({W['+']} count 1))))",
        "3",
    ),
    "the name of a let": (
        f"({W['let']} list ((n 2)) ({W['if']} ({W['=']} n 0) ({W['list']} n)"
        f" (list ({W['-']} n 1))))",
        "(0)",
    ),
    "a vector pattern": (
        f"({W['let']} (([first & rest] '(1 2 3))) ({W['list']} ({W['first']} rest) first))",
        "(2 1)",
    ),
    "keys of a map": (
        f"({W['let']} (({{:keys [list count]}} {{:list '(7 8)}})) ({W['list']} list count))",
        "((7 8) nil)",
    ),
    "a map pattern": (f"({W['let']} (({{:a map}} {{:a 5}})) ({W['list']} map))", "(5)"),
    "keys in a match": (
        f"({W['match']} {{:list 3}} ({{:keys [list]}} ({W['list']} list)))",
        "(3)",
    ),
    "a match": (
        f"({W['match']} '(1 2) ([first & rest] ({W['list']} ({W['first']} rest) first)))",
        "(2 1)",
    ),
    "a guard of a match": (
        f"({W['match']} 5 (list {W['when']} ({W['>']} list 4) ({W['list']} list)))",
        "(5)",
    ),
    "a definition": (f"({W['define']} list 3) ({W['list']} list)", "(3)"),
    "a definition inside": (
        f"({W['define']} (f) ({W['define']} list 3) ({W['list']} list)) (f)",
        "(3)",
    ),
    "a function of that name": (
        f"({W['define']} (map f xs) ({W['map']} f xs)) (map {W['abs']} '(-1))",
        "(1)",
    ),
    "a caught error": (
        f"({W['try']} ({W['throw']} 1) (catch list ({W['list']} (:value list))))",
        "(1)",
    ),
    "a loop": (
        f"({W['do']} ((list 0 ({W['+']} list 1))) (({W['=']} list 2) ({W['list']} list)))",
        "(2)",
    ),
    "dotimes": (
        f"({W['define']} n 0) ({W['dotimes']} (list 3) ({W['set!']} n ({W['first']}"
        f" ({W['list']} list)))) n",
        "2",
    ),
    "if-let": (f"({W['if-let']} (list 3) ({W['list']} list) 0)", "(3)"),
    "as->": (f"({W['as->']} 3 list ({W['list']} list))", "(3)"),
    "a macro's template": (
        f"({W['defmacro']} m (x) `({W['let']} ((list ,x)) ({W['list']} list))) (m 3)",
        "(3)",
    ),
    "another order": (
        f"({W['let']} (({{:keys [nth]}} {{:nth '(5 6)}})) ({W['nth']} 1 nth))",
        "6",
    ),
}


@pytest.mark.parametrize(("source", "value"), CAPTURED.values(), ids=CAPTURED)
def test_a_variable_called_like_sema_s_function_captures_nothing(
    told: Told, source: str, value: str
) -> None:
    """In a dialect an old name is as good as any other."""
    assert told(source) == f"Value: {value}"


def test_a_variable_is_shown_as_it_was_written(told: Told) -> None:
    """In frames and in messages about it."""
    source = f"({W['let']} list ((count 5)) ({W['+']} 1 (list (count 1))))"
    assert "not callable: 5 (int)" in told(source)
    assert "lost" not in told(source)
    assert "at list (<input>" in told(source)


def test_an_own_function_may_use_the_one_that_sema_calls_so(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """A task may ask for a `range`; the dialect's own word still means the VM's."""
    source = f"({W['define']} (range n) ({W['cons']} ({W['range']} n) :own))"
    speech = speak(DIALECT, [source], own={"range"})
    sources = [*speech.sources, "(range 2)"]
    *_, result = event_loop_runner.run(vm.evaluate(sources, Limits()))
    assert result.value == "(:own 0 1)"
