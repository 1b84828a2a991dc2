"""The probe brings values out of the VM unharmed, and nothing else passes for its work."""

import json

import pytest

from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.sema.value import Value
from tests.conftest import VMEval

PROBE = Probe("test")


def read(vm_eval: VMEval, *sources: str) -> Value | None:
    """What the probe reads of the last source's value."""
    *before, last = sources
    evaluation = vm_eval([PROBE.source(), *before, PROBE.call(last)])[-1]
    reading = PROBE.read(evaluation.value)
    return reading.value if reading else None


def ints(*numbers: int) -> tuple[Value, ...]:
    """Values of whole numbers."""
    return tuple(Value("int", str(number)) for number in numbers)


VALUES = {
    "nil": Value("nil", "nil"),
    "'()": Value("list"),
    "#t": Value("bool", "#t"),
    "5": Value("int", "5"),
    "5.0": Value("float", "5.0"),
    "10/4": Value("rational", "5/2"),
    "math/nan": Value("float", "NaN"),
    "(- math/infinity)": Value("float", "-inf"),
    "(sqrt -4)": Value("opaque", "0+2i"),
    '"a\\n\\"b\\\\"': Value("string", 'a\n"b\\'),
    "#\\a": Value("char", "#\\a"),
    "'a": Value("symbol", "a"),
    ":a": Value("keyword", ":a"),
    '(string->symbol "(1 2)")': Value("symbol", "(1 2)"),
    "'(1 (2) [3])": Value(
        "list", items=(*ints(1), Value("list", items=ints(2)), Value("vector", items=ints(3)))
    ),
    "'(1 . 2)": Value("list", items=(Value("int", "1"), Value("symbol", "."), Value("int", "2"))),
    "{:b 2 :a 1}": Value(
        "map", items=(Value("keyword", ":a"), *ints(1), Value("keyword", ":b"), *ints(2))
    ),
    "(hashmap/new :a 1)": Value("map", items=(Value("keyword", ":a"), *ints(1))),
    "car": Value("opaque", "<native-fn car>"),
    "(define x 5)": Value("nil", "nil"),
}


@pytest.mark.parametrize(("source", "value"), VALUES.items(), ids=[*VALUES])
def test_value_comes_out_with_its_type(vm_eval: VMEval, source: str, value: Value) -> None:
    """A value is read as what it is, not as what it prints like."""
    assert read(vm_eval, source) == value


def test_record_is_no_map_whatever_its_name(vm_eval: VMEval) -> None:
    """A record type may be named like a built-in type and stays a record."""
    record = "(define-record-type hashmap (make a) made? (a get-a))"
    assert read(vm_eval, record, '(make "1")') == Value("opaque", '#<record hashmap "1">')


def test_every_character_comes_out(vm_eval: VMEval) -> None:
    """Control characters, quotes, direction marks and emoji come through JSON and print."""
    codes = [*range(0x250), 0x200F, 0x202E, 0x2028, 0xFEFF, 0xFFFD, 0x1F600, 0x10FFFF]
    texts = [f"<{chr(code)}>" for code in codes]
    escaped = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    results = vm_eval([PROBE.source(), *(PROBE.call(f'"{text}"') for text in escaped)])[1:]
    readings = [PROBE.read(result.value) for result in results]
    assert [r and r.value for r in readings] == [Value("string", text) for text in texts]


def test_value_nested_too_deeply_is_shown_as_such(vm_eval: VMEval) -> None:
    """Walking stops at a depth where neither the VM nor Python runs out of stack."""
    nest = "(define (nest n v) (if (= n 0) v (nest (- n 1) (list v))))"
    assert str(read(vm_eval, nest, "(nest 2000 1)")).count("<nested too deeply>") == 1


def test_redefined_built_ins_do_not_change_what_is_read(vm_eval: VMEval) -> None:
    """The probe is bound to its functions before an answer can replace them."""
    names = ("json/encode", "map", "str", "list", "type", "nil?", "string?", "list?", "equal?")
    hostile = [f"(define ({name} . xs) 5)" for name in names]
    assert read(vm_eval, *hostile, '"5"') == Value("string", "5")


FORGED = {
    "no text": None,
    "a tree without a seal": '["int", "5"]',
    "a seal of another": json.dumps([Probe("other").name("seal", "x"), ["int", "5"], []]),
    "not JSON": "seal",
    "a number": "5",
}


@pytest.mark.parametrize("text", FORGED.values(), ids=[*FORGED])
def test_only_the_probes_own_work_is_read(text: str | None) -> None:
    """A string that an answer made to look like the probe's is nothing."""
    assert PROBE.read(text and f'"{text}"') is None
    assert PROBE.read(text and json.dumps(text)) is None


def test_flags_tell_what_variables_hold(vm_eval: VMEval) -> None:
    """The probe reports variables that are defined after it, whatever their kind of truth."""
    call = PROBE.call("1")
    results = vm_eval([PROBE.source(["a", "b"]), "(define a #t) (define b #f)", call])
    reading = PROBE.read(results[-1].value)
    assert reading is not None
    assert reading.flags == (True, False)


def test_names_are_the_same_for_the_same_and_differ_otherwise() -> None:
    """Names repeat at each grading of an answer and are others for any other answer."""
    again, other = Probe("test"), Probe("test", "other")
    assert again.source() == PROBE.source()
    assert other.name("x", "x") != PROBE.name("x", "x")


def test_names_are_scrubbed_from_messages() -> None:
    """A message shows the name that stands for a probe's own."""
    name = PROBE.name("kept car", shown="car")
    assert PROBE.scrub(f"at {name} (1:1)") == "at car (1:1)"
