"""The class and the name of an error, for real programs on the real VM."""

import asyncio

import pytest

from pytest_sema_bench.sema.vm import ErrorClass, SemaVM
from pytest_sema_bench.sema.vm.classify import classify, classify_trap
from pytest_sema_bench.settings import Limits
from tests.conftest import VMEval

PROGRAMS: dict[ErrorClass, dict[str, str | None]] = {
    ErrorClass.PARSE: {
        ")": None,
        '"abc': None,
        '(define x "abc': None,
        "#\\": None,
        "'": None,
        "`": None,
        "(1 2]": None,
        "{:a}": None,
        "{:a 1 :b}": None,
        "[1 2": None,
        'f"${(+ 1 2}"': None,
        'f"${"': None,
        "#|": None,
        "a|b": None,
        "(let (x) 1)": "let",
        "(let ((x)) x)": "let",
        "(let ((5 1)) x)": "let",
        "(let* ((x 1 2)) x)": "let*",
        "(cond 5)": "cond",
        "(case 1 (1 2))": "case",
        "(match 1 ())": "match",
        "(define 5 6)": "define",
        "(define (f))": "define",
        '(define "a" 5)': "define",
        "(fn x x)": "fn",
        "(fn (1) 2)": "fn",
        "(set! 5 6)": "set!",
        "(do ((i 0)) 5)": "do",
        "(try 1)": "try",
        "(try 1 (catch))": "try",
        "(try 1 (finally 2))": "try",
        "(try (throw 1) (catch e))": "try",
        "(defmacro m 5 6)": "defmacro",
        "(defmacro 5 (x) x)": "defmacro",
        "(define-syntax)": "define-syntax",
        "(define-syntax m 5)": "define-syntax",
        "(define-record-type p)": "define-record-type",
        "(define-record-type p (make-p x))": "define-record-type",
        "(define-record-type p (make-p x) p? (x))": "define-record-type",
    },
    ErrorClass.ARITY: {
        "(let)": "let",
        "(let x)": "let",
        "(let ((x 1)))": "let",
        "(let loop)": "let",
        "(if)": "if",
        "(if 1 2 3 4)": "if",
        "(case)": "case",
        "(match)": "match",
        "(match 1)": "match",
        "(define)": "define",
        "(defun f 5)": "defun",
        "(fn)": "lambda",
        "(lambda (x))": "lambda",
        "(set!)": "set!",
        "(do)": "do",
        "(while)": "while",
        "(while #f)": "while",
        "(when)": "when",
        "(unless)": "unless",
        "(quote)": "quote",
        "(quote a b)": "quote",
        "(quasiquote)": "quasiquote",
        "(try)": "try",
        "(throw)": "throw",
        "(defmacro)": "defmacro",
        "(defmacro m)": "defmacro",
        "(defmulti)": "defmulti",
        "(defmulti area)": "defmulti",
        "(delay)": "delay",
        "(force)": "force",
        "(force 1 2)": "force",
        "(async)": "async",
        "(await)": "await",
        "(->)": "->",
        "(->>)": "->>",
        "(as-> 5)": "as->",
        "(when-let (x))": "when",
        "(define-values (a b) 5)": None,
        "(max)": "max",
        "(cons 1)": "cons",
        "(foldl + 0)": "foldl",
        "(foldl (fn (a) a) 0 '(1))": "foldl",
        "(:a)": "a",
        "(:a 1 2 3)": "a",
        "((fn (x) x))": None,
        "((fn (x) x) 1 2)": None,
        "(define (f x) x) (f)": "f",
        "(define (f x . r) x) (f)": "f",
        "(defmacro m (x) x) (m)": "m",
        "(define-record-type p (make-p x) p? (x p-x)) (make-p)": "make-p",
        "(format)": "format",
        "(gensym 5 6)": "gensym",
    },
    ErrorClass.UNBOUND: {
        '(raise "x")': "raise",
        "(defmethod area :c 5)": "area",
        "(undefined-function 1)": "undefined-function",
        "undefined-var": "undefined-var",
        "(second '(1 2))": "second",
        '(string/substring "a" 0)': "string/substring",
        "(let ((x y)) x)": "y",
        "(map foo '(1))": "foo",
        "(update {:a 1} :a 5)": "update",
        "(define (f x) (g x)) (f 1)": "g",
        "(defmacro m (x) `(foo ,x)) (m 5)": "foo",
        "(vector-ref [1 2] 5)": "vector-ref",
        "(eval 'undefined-x)": "undefined-x",
        '(string/format "~a")': "string/format",
    },
    ErrorClass.TYPE: {
        "(await (async (car 5)))": "car",
        "(-> 5 6)": None,
        "(car 5)": "car",
        "(first 5)": "first",
        "(rest 5)": "rest",
        "(nth {:a 1} 0)": "nth",
        "(get '(1) 0)": "get",
        '(+ 1 "a")': "+",
        "(- nil)": "-",
        "(* 'a 2)": "*",
        '(/ 1 "a")': "/",
        '(< 1 "a")': "<",
        "(> nil 1)": ">",
        '(abs "a")': "abs",
        '(sqrt "a")': "sqrt",
        "(length 5)": "length",
        "(count 5)": "count",
        "(reverse 5)": "reverse",
        "(append '(1) 5)": "append",
        "(map 5 '(1))": "map",
        "(map car 5)": "map",
        '(map (fn (x) (+ x "a")) \'(1))': "+",
        "(filter 5 '(1))": "filter",
        "(foldl + 0 5)": "foldl",
        "(apply + 5)": "apply",
        "(apply 5 '(1))": "apply",
        '(sort \'(1 "a"))': "sort",
        "(sort 5)": "sort",
        "(sort-by 5 '(2 1))": "sort-by",
        '(range "a")': "range",
        '(take "a" \'(1))': "take",
        "(string/upper 5)": "string/upper",
        '(string/split 5 ",")': "string/split",
        '(string/join 5 ",")': "string/join",
        "(string->number 5)": "string->number",
        "(string->symbol 5)": "string->symbol",
        "(assoc 5 :a 1)": "assoc",
        "(dissoc 5 :a)": "dissoc",
        "(get 5 :a)": "get",
        "(get-in {:a 1} 5)": "get-in",
        "(keys 5)": "keys",
        "(vals '(1))": "vals",
        "(merge 5 {:a 1})": "merge",
        "(map/entries 5)": "map/entries",
        "(:a 5)": None,
        "(5 6)": None,
        "({:a 1} :a)": None,
        "(defmacro m (x) (car x)) (m 5)": "car",
        "(defmacro m (x) x) (map m '(1))": None,
        '(number->string "a")': "number->string",
        "(list->string '(1))": "list->string",
        '(char-upcase "a")': "char-upcase",
        "(eval '(car 5))": "car",
        '(expt "a" 2)': "expt",
        "(vector->list 5)": "vector->list",
        "(list->vector 5)": "list->vector",
        "(hashmap/assoc 5 :a 1)": "hashmap/assoc",
        "(let (([a b] 5)) a)": None,
        "(let (({:keys [a]} 5)) a)": None,
        "(define-record-type p (make-p x) p? (x p-x)) (p-x 5)": "p-x",
        "(and (car 5))": "car",
        '(sleep "a")': "sleep",
        "(mutable-array/get 5 0)": "mutable-array/get",
    },
    ErrorClass.MATCH: {
        "(match 1 (2 3))": "match",
        "(match '(1 2) ((a) a))": "match",
        "(begin (defmulti area (fn (x) x)) (area 5))": "area",
        "(begin (defmulti area (fn (x) x)) (defmethod area :a (fn (x) 1)) (area :b))": "area",
        "(define-syntax m (syntax-rules () ((_ x) x))) (m)": "m",
        "(let (([a b] [1])) b)": "destructure",
    },
    ErrorClass.EXCEPTION: {
        '(throw "boom")': "throw",
        "(throw :kw)": "throw",
        '(throw {:type :bad :message "m"})': "throw",
        '(error "boom" 1 2)': "error",
        "(error)": "error",
        '(error "Unbound variable: x")': "error",
        '(error "expected int, got string")': "error",
        "(assert #f)": "assert",
        '(assert (= 1 2) "must hold")': "assert",
        "(assert= 1 2)": "assert=",
        '(await (async (throw "in task")))': "throw",
        '(error \'my-fn "bad thing" 5)': "error",
        "(throw (list 1 2))": "throw",
        "(with-retry {:max 1} (fn () (throw 1)))": "throw",
    },
    ErrorClass.STEPS: {
        "(let loop ((i 0)) (loop (+ i 1)))": None,
    },
    ErrorClass.STACK: {
        "(define (f x) (+ 1 (f x))) (f 0)": "f",
    },
    ErrorClass.OTHER: {
        "(let ((ch (channel/new 1))) (channel/recv ch))": None,
        "(let ((ch (channel/new 1))) (await (async (channel/recv ch))))": None,
        "(channel/new 0)": "channel/new",
        "(nth '(1 2) 5)": "nth",
        "(nth '(1 2) -1)": "nth",
        "(/ 1 0)": "/",
        "(mod 5 0)": "mod",
        "(modulo 5 0)": "modulo",
        "(quotient 1 0)": "quotient",
        "(reduce + '())": "reduce",
        '(string-ref "abc" 10)': "string-ref",
        '(substring "abc" 2 10)': "substring",
        '(string/slice "abc" 2 1)': "substring",
        '(string/repeat "a" -1)': "string/repeat",
        "(hash-map :a)": "hash-map",
        "(assoc {:a 1} :b)": "assoc",
        '(json/decode "{bad")': "json/decode",
        "(json/encode (fn (x) x))": "json/encode",
        '(string->float "abc")': "string->float",
        '(float "abc")': "float",
        '(int "abc")': "int",
        '(read "(1 2")': "read",
        '(file/read "/nope")': "file/read",
        '(file/write "/x" "y")': "file/write",
        '(http/get "http://x")': "http/get",
        '(load "x")': "load",
        '(time/parse "a" "b")': "time/parse",
        "(bit/shift-left 1 -1)": "bit/shift-left",
        "(list/repeat -1 1)": "list/repeat",
        '(regex/match "(" "a")': "regex/match",
    },
}
CASES = [(source, c, name) for c, sources in PROGRAMS.items() for source, name in sources.items()]


@pytest.mark.parametrize(("source", "error_class", "name"), CASES, ids=[case[0] for case in CASES])
def test_error_has_its_class_and_name(
    vm_eval: VMEval, source: str, error_class: ErrorClass, name: str | None
) -> None:
    """What went wrong, and with which name or form, is told from the VM's message."""
    evaluation = vm_eval([source])[0]
    assert (evaluation.error_class, evaluation.error_name) == (error_class, name)


LATER = {
    "a call of a function from an earlier source": (
        ["(define (shout x)\n  (string->symbol x))", "(shout 5)"],
        (ErrorClass.TYPE, "string->symbol"),
    ),
    "a call within a call, either of which may have failed": (
        ["(define (size x) (abs (str x)))", "(size 5)"],
        (ErrorClass.TYPE, None),
    ),
    "a message that the program made up to look like another error": (
        ['(define (check x) (if (< x 0) (error "Unbound variable: y") x))', "(check -1)"],
        (ErrorClass.EXCEPTION, "error"),
    ),
    "an assertion with a message": (
        ['(define (check x) (assert (> x 0) "must be positive"))', "(check -1)"],
        (ErrorClass.EXCEPTION, "assert"),
    ),
    "an error in a macro": (
        ["(defmacro twice (x) (list 'begin (car x) x))", "(twice 5)"],
        (ErrorClass.TYPE, "car"),
    ),
    "an error in what a macro made": (
        ["(defmacro call (f) `(,f 1))", "(call nowhere)"],
        (ErrorClass.UNBOUND, "nowhere"),
    ),
}


@pytest.mark.parametrize(("sources", "told"), LATER.values(), ids=[*LATER])
def test_name_is_found_where_the_failing_call_stands(
    vm_eval: VMEval, sources: list[str], told: tuple[ErrorClass, str | None]
) -> None:
    """The position in a frame leads to the source that holds the call, if there is no doubt."""
    evaluation = vm_eval(sources)[-1]
    assert (evaluation.error_class, evaluation.error_name) == told


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (["(define (f x) x)", "(g 1)"], "g"),
        (["(-> 1 (f))", "(g 1)"], None),
        (["(defmacro g (x) x)", "(g 1)"], None),
    ],
)
def test_position_of_what_a_macro_may_have_made_names_nothing(
    sources: list[str], name: str | None
) -> None:
    """The VM gives such code any position, and another one each time."""
    message = "not callable: 1 (int)\n  at <lambda> (<input>:1:1)"
    assert classify(message, sources) == (ErrorClass.TYPE, name)


TRAPS = {
    "memory bomb": ('(define (f s) (f (string-append s s))) (f "ab")', ErrorClass.MEMORY, None),
    "one huge list": ("(list/repeat 1000000000 1)", ErrorClass.MEMORY, None),
    "deep value": (
        "(define (nest n v) (if (= n 0) v (nest (- n 1) (list v)))) (nest 50000 1)",
        ErrorClass.STACK,
        None,
    ),
    "time": ("(time (+ 1 1))", ErrorClass.OTHER, "time"),
    "time/ms": ("(define (f) (time/ms (fn () 1))) (f)", ErrorClass.OTHER, "time/ms"),
}


@pytest.mark.parametrize(("source", "error_class", "name"), TRAPS.values(), ids=[*TRAPS])
def test_trap_has_its_class(
    vm_eval: VMEval, source: str, error_class: ErrorClass, name: str | None
) -> None:
    """A program that takes the instance down is told apart by what it ran out of."""
    evaluation = vm_eval([source])[0]
    assert (evaluation.error_class, evaluation.error_name) == (error_class, name)


def test_waiting_for_ever_is_out_of_time(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """A program that sleeps too long has used up its time."""
    limits = Limits(cpu_s=1.0, wall_s=1.0)
    evaluation = event_loop_runner.run(vm.evaluate(["(async/sleep 3600000)"], limits))[0]
    assert evaluation.error_class is ErrorClass.TIME


@pytest.mark.parametrize("message", ["", "\n", "???", "  at ", "  at x (<input>:1:1)", "\ud800"])
def test_message_of_no_known_form_is_other_or_parse(message: str) -> None:
    """A text that the VM was never seen to give has a class all the same."""
    error_class, name = classify(message, ["(car 5)"])
    assert error_class in (ErrorClass.OTHER, ErrorClass.PARSE)
    assert name in (None, "x")


def test_trap_of_unknown_kind_is_other() -> None:
    """Only a trap without words can be a lack of memory."""
    told = classify_trap("null function", memory_bytes=1, cap_bytes=100)
    assert told == (ErrorClass.OTHER, None)
