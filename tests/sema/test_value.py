"""Values out of the interpreter: decoded from the probe's JSON, printed, and compared."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.sema.value import Value, equal, from_tree, unquote
from pytest_sema_bench.sema.vm import Evaluation

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]
Read = Callable[[str], Value]


@pytest.fixture(scope="session")
def read(vm_eval: VMEval) -> Read:
    """The value of a Sema source, taken out of the VM as the grader does it."""

    def evaluate(source: str) -> Value:
        probe = Probe("test_value")
        _, evaluation = vm_eval([probe.source(), probe.call(source)])
        reading = probe.read(evaluation.value)
        assert reading is not None, evaluation.error
        return reading.value

    return evaluate


def number(text: str) -> Value:
    """A number as the probe names it."""
    kind = (
        "float" if "." in text or text in ("inf", "NaN") else "rational" if "/" in text else "int"
    )
    return Value(kind, text)


def vector(*items: Value) -> Value:
    """A vector of values."""
    return Value("vector", items=items)


READ = {
    "nil": ("nil", "nil", "nil"),
    "integer": ("(+ 1 2)", "int", "3"),
    "big integer": ("(* 99999999999 99999999999)", "int", "9999999999800000000001"),
    "rational": ("(/ 1 3)", "rational", "1/3"),
    "float": ("(/ 1.0 4)", "float", "0.25"),
    "infinity": ("(/ 1 0.0)", "float", "inf"),
    "true": ("(= 1 1)", "bool", "#t"),
    "string": ('(str "a" 1)', "string", '"a1"'),
    "string of a number": ('"5"', "string", '"5"'),
    "symbol": ("'abc", "symbol", "abc"),
    "keyword": (":abc", "keyword", ":abc"),
    "character": (r"#\a", "char", r"#\a"),
    "list": ('(list 1 "a" (list))', "list", '(1 "a" ())'),
    "vector": ("[1 [2]]", "vector", "[1 [2]]"),
    "map": ('{:b 1 :a {"x" 2}}', "map", '{:a {"x" 2} :b 1}'),
    "function": ("(fn (x) x)", "opaque", "<native-fn <vm-closure>>"),
}


@pytest.mark.parametrize(("source", "kind", "printed"), READ.values(), ids=READ)
def test_each_type_comes_out_of_the_vm(source: str, kind: str, printed: str, read: Read) -> None:
    """A value keeps its type and prints as Sema would print it."""
    value = read(source)
    assert (value.type, str(value)) == (kind, printed)


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_string_comes_out_as_it_went_in(read: Read, text: str) -> None:
    """Quotes, backslashes, control characters and all of Unicode survive the way out."""
    literal = '"' + "".join(f"\\x{ord(c):x};" for c in text) + '"'
    assert read(literal) == Value("string", text)


NO_TREES: dict[str, Any] = {
    "nothing": None,
    "text": "abc",
    "a type alone": ["int"],
    "no elements": ["list", 5],
    "elements that are none": ["list", ["a", "b"]],
    "entries that are none": ["map", [5]],
}


@pytest.mark.parametrize("tree", NO_TREES.values(), ids=NO_TREES)
def test_what_is_no_tree_is_no_value(tree: Any) -> None:
    """Anything but pairs of type and content is refused."""
    with pytest.raises((ValueError, TypeError)):
        from_tree(tree)


def test_a_value_too_deep_to_compare_is_refused() -> None:
    """What is taken can be compared and shown without exhausting the stack."""

    def nested(depth: int) -> Value:
        return from_tree(json.loads('["list",[' * depth + '["int","1"]' + "]]" * depth))

    assert equal(nested(150), nested(150))
    assert str(nested(150)) == "(" * 150 + "1" + ")" * 150
    with pytest.raises(ValueError, match="nested too deeply"):
        nested(300)


@pytest.mark.parametrize("printed", ["", "42", '"', "abc"])
def test_only_a_printed_string_can_be_unquoted(printed: str) -> None:
    """The probe's value prints as a string; any other value is not its work."""
    with pytest.raises(ValueError, match="not a string"):
        unquote(printed)


EXPECTED = {
    "the same integer": ("5", "5", True),
    "integer and float": ("5", "5.0", False),
    "integer and string": ("5", '"5"', False),
    "symbol and keyword": ("'a", ":a", False),
    "symbol and string": ("'a", '"a"', False),
    "boolean and symbol": ("#t", "'t", False),
    "nil and empty list": ("nil", "(list)", False),
    "list and vector": ("(list 1 2)", "[1 2]", False),
    "order of a list": ("(list 1 2)", "(list 2 1)", False),
    "order of a map": ("{:a 1 :b 2}", "{:b 2 :a 1}", True),
    "one entry more": ("{:a 1}", "{:a 1 :b 2}", False),
    "hash map and map": ("(hashmap/new :a 1)", "{:a 1}", True),
    "float as text": ("0.1", "(/ 1.0 10)", True),
    "rational": ("(/ 2 6)", "(/ 1 3)", True),
    "not a number": ("(- (/ 1 0.0) (/ 1 0.0))", "(- (/ 1 0.0) (/ 1 0.0))", True),
    "nested": ('(list {:a ["x"]})', '(list {:a ["x"]})', True),
    "nested type": ("(list [5])", "(list [5.0])", False),
}


@pytest.mark.parametrize(("got", "expected", "same"), EXPECTED.values(), ids=EXPECTED)
def test_values_are_compared_by_type_and_content(
    got: str, expected: str, same: bool, read: Read
) -> None:
    """Structure and types count, and the order of a map's keys does not."""
    one, other = read(got), read(expected)
    assert equal(one, other) is same
    assert equal(other, one) is same


NUMERIC = {
    "integer and float": ("5", "5.0", 0.0, True),
    "rational and float": ("1/2", "0.5", 0.0, True),
    "third and its float": ("1/3", "0.333", 0.0, False),
    "within the tolerance": ("1/3", "0.333", 0.001, True),
    "outside the tolerance": ("1/3", "0.33", 0.001, False),
    "tolerance relative to the size": ("1000100", "1000000", 0.001, True),
    "infinities": ("inf", "inf", 0.0, True),
    "infinity and number": ("inf", "5", 0.5, False),
    "no numbers": ("NaN", "NaN", 0.0, True),
    "no number and number": ("NaN", "5", 0.5, False),
    "huge and float": ("1" + "0" * 400, "1.5", 0.1, False),
}


@pytest.mark.parametrize(("got", "wanted", "tolerance", "same"), NUMERIC.values(), ids=NUMERIC)
def test_numbers_are_equal_by_size_where_the_case_says_so(
    got: str, wanted: str, tolerance: float, same: bool
) -> None:
    """With `numeric`, exactness does not count, nor what lies within the tolerance."""
    one, other = number(got), number(wanted)
    assert equal(one, other, numeric=True, tolerance=tolerance) is same
    assert equal(vector(one), vector(other), numeric=True, tolerance=tolerance) is same


def test_numeric_equality_is_for_numbers_only() -> None:
    """The string of a number is no number, and a list is no vector."""
    five = number("5")
    assert not equal(Value("string", "5"), five, numeric=True)
    assert not equal(Value("list", items=(five,)), vector(five), numeric=True)
