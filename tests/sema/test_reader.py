"""The reader: forms with positions, the same ones that the VM reads."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sema_bench.sema.names import names_used
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, read_forms, single_datum
from pytest_sema_bench.sema.vm import Evaluation

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]


def shape(form: Form) -> object:
    """A form as nested tuples: the text of an atom or string, else kind and children."""
    if form.kind in (Kind.ATOM, Kind.STRING):
        return form.text
    mark = form.text if form.kind is Kind.PREFIX else form.kind.value
    return (mark, *map(shape, form.children))


def everything(forms: Sequence[Form]) -> Iterator[Form]:
    """The forms and all that is in them."""
    for form in forms:
        yield form
        yield from everything(form.children)


SHAPES: dict[str, tuple[str, list[object]]] = {
    "nothing": (" \n\t ", []),
    "comment": ("; (a\n", []),
    "comment at the end": ("a ; b", ["a"]),
    "shebang": ("#!/usr/bin/env sema (\na", ["a"]),
    "list": ("(a (b) ())", [("list", "a", ("list", "b"), ("list",))]),
    "comment in a list": ("(a ; )\n b)", [("list", "a", "b")]),
    "vector and map": ("[1 {:a 2}]", [("vector", "1", ("map", ":a", "2"))]),
    "short lambda": ("#(+ % 1)", [("lambda", "+", "%", "1")]),
    "bytes": ("#u8(1 2)", [("bytes", "1", "2")]),
    "quote and deref": ("'a @e", [("'", "a"), ("@", "e")]),
    "template": ("`(b ,c ,@d)", [("`", ("list", "b", (",", "c"), (",@", "d")))]),
    "prefix apart": ("' \n a", [("'", "a")]),
    "string with quotes": (r'"a \" (" b', [r'"a \" ("', "b"]),
    "string ending in a backslash": (r'"\\" a', [r'"\\"', "a"]),
    "raw string": (r'#"\d \" \\" a', [r'#"\d \" \\"', "a"]),
    "string over lines": ('"a\n;b"', ['"a\n;b"']),
    "f-string": ('f"a ${b} ${(c d)}"', [("fstring", "b", ("list", "c", "d"))]),
    "f-string with a string": ('f"${(f "x")}" y', [("fstring", ("list", "f", '"x"')), "y"]),
    "f-string in an f-string": ('f"${f"${a}"}"', [("fstring", ("fstring", "a"))]),
    "f-string with a map": ('f"${{:a 1}}"', [("fstring", ("map", ":a", "1"))]),
    "escaped interpolation": (r'f"\${a}"', [("fstring",)]),
    "backslash, then interpolation": (r'f"\\${a}"', [("fstring", "a")]),
    "symbol before a string": ('af"${b}"', ["af", '"${b}"']),
    "characters": (r"(#\( #\; #\" #\tab)", [("list", r"#\(", r"#\;", r"#\"", r"#\tab")]),
    "character, then number": (r"#\12", [r"#\1", "2"]),
    "booleans": ("#t#fa", ["#t", "#f", "a"]),
    "numbers": ("1 -2 1/2 1.5e-3 #x1F", ["1", "-2", "1/2", "1.5e-3", "#x1F"]),
    "number, then symbol": ("1abc 1/2/3 -1-1", ["1", "abc", "1/2", "/3", "-1", "-1"]),
    "symbols": ("+5 .5 ->> a#b a.b! λ", ["+5", ".5", "->>", "a#b", "a.b!", "λ"]),
    "keywords": (":a a:b :a/b?", [":a", "a", ":b", ":a/b?"]),
    "symbol, then quote": ("a'b", ["a", ("'", "b")]),
    "symbol, then deref": ("a@b", ["a", ("@", "b")]),
}


@pytest.mark.parametrize(("source", "expected"), SHAPES.values(), ids=SHAPES)
def test_text_is_read_into_forms(source: str, expected: list[object]) -> None:
    """Each notation of the language becomes its kind of form."""
    assert [shape(form) for form in read_forms(source)] == expected


@pytest.mark.parametrize(("source", "_expected"), SHAPES.values(), ids=SHAPES)
def test_each_form_knows_where_it_stands(source: str, _expected: object) -> None:
    """`source[start:end]` is a form's text, also inside an f-string."""
    for form in everything(read_forms(source)):
        if form.kind is Kind.PREFIX:
            assert source.startswith(form.text, form.start)
            assert form.end == form.children[0].end
        else:
            assert source[form.start : form.end] == form.text


ERRORS = {
    "open list": (" (a", "'(' is never closed", 1, True),
    "open lambda": ("#(a", "'#(' is never closed", 0, True),
    "open string": ('(a "b', "a string is never closed", 3, True),
    "open raw string": ('#"b', "a string is never closed", 0, True),
    "open f-string": ('f"b', "a string is never closed", 0, True),
    "open interpolation": ('f"${b"', "'${' is never closed", 4, True),
    "quote of nothing": ("a '", "a form is missing", 3, True),
    "closed too often": ("a)", "unexpected ')'", 1, False),
    "wrong bracket": ("(a]", "expected ')', found ']'", 2, False),
}


@pytest.mark.parametrize(
    ("source", "message", "position", "unfinished"), ERRORS.values(), ids=ERRORS
)
def test_broken_text_is_an_error_with_a_place(
    source: str, message: str, position: int, unfinished: bool
) -> None:
    """The error says what is wrong, where, and whether more text could mend it."""
    with pytest.raises(ReadError) as caught:
        read_forms(source)
    assert (str(caught.value), caught.value.position) == (message, position)
    assert caught.value.unfinished is unfinished


DEEP = {
    "lists": "(" * 5000 + ")" * 5000,
    "open lists": "(" * 5000,
    "quotes": "'" * 5000 + "a",
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_an_error(source: str) -> None:
    """However deep a text is, the stack is not exhausted."""
    with pytest.raises(ReadError, match="nested too deeply"):
        read_forms(source)


def test_deep_interpolations_are_left_unread() -> None:
    """An f-string is one form, whatever it interpolates."""
    source = 'f"${' * 1000 + "a" + '}"' * 1000
    (form,) = read_forms(source)
    assert form.text == source


def test_code_as_deep_as_the_vm_runs_is_read(vm_eval: VMEval) -> None:
    """The reader's limit lies above the compiler's."""
    source = "(+ 1 " * 150 + "1" + ")" * 150
    assert len(read_forms(source)) == 1
    too_deep = "(+ 1 " * 200 + "1" + ")" * 200
    assert vm_eval([too_deep])[0].error is not None


@given(st.text())
def test_any_text_is_forms_or_a_read_error(text: str) -> None:
    """No text makes the reader fail in another way."""
    with contextlib.suppress(ReadError):
        forms = read_forms(text)
        assert all(0 <= form.start < form.end <= len(text) for form in everything(forms))


DATA = {
    "atom": ("5", "5"),
    "with blanks": ("  (a b) ; c", "(a b)"),
    "quoted": ("'a", "'"),
    "two": ("1 2", None),
    "none": ("; a", None),
    "broken": ("(1", None),
}


@pytest.mark.parametrize(("text", "expected"), DATA.values(), ids=DATA)
def test_one_datum_is_told_from_none_and_many(text: str, expected: str | None) -> None:
    """Only a text that is one form counts."""
    datum = single_datum(text)
    assert (datum and datum.text) == expected


def test_a_form_can_be_read_from_the_middle() -> None:
    """Reading starts at the given place, after blanks, and ends with the form."""
    form = read_form("text (a b) more", 4)
    assert (form.text, form.start, form.end, form.head) == ("(a b)", 5, 10, "a")


NAMES = {
    "calls and arguments": ("(foldl + 0 xs)", {"foldl", "+", "0", "xs"}),
    "comment": ("(a) ; length", {"a"}),
    "string": ('(a "length")', {"a"}),
    "interpolation": ('f"${(length a)}"', {"length", "a"}),
    "quoted list": ("'(length) a", {"a"}),
    "long quote": ("(quote length) a", {"a"}),
    "template": ("`(foldl ,a)", {"foldl", "a"}),
    "quoted in a template": ("`(a '(b ,c))", {"a", "c"}),
    "unquote in plain data": ("'(a ,length)", set()),
    "short lambda": ("#(foldl % 1)", {"foldl", "%", "1"}),
    "shebang": ("#! length\na", {"a"}),
    "hidden behind a number": ("(map 1length)", {"map", "1", "length"}),
    "hidden behind a character": (r"(f #\1length)", {"f", r"#\1", "length"}),
    "named let": ("(let loop ((i 0)) i)", {"let", "loop", "i", "0", "named-let"}),
    "plain let": ("(let ((i 0)) i)", {"let", "i", "0"}),
    "quoted named let": ("'(let loop ((i 0)) i)", set()),
}


@pytest.mark.parametrize(("source", "expected"), NAMES.values(), ids=NAMES)
def test_only_names_in_code_count(source: str, expected: set[str]) -> None:
    """A name in a comment, a string or data is not used; one that is hidden in code is."""
    assert names_used(read_forms(source)) == expected


COLLECT_NAMES = """
(define (names-in x)
  (cond ((symbol? x) (list (str x)))
        ((list? x) (foldl append (list) (map names-in x)))
        ((vector? x) (names-in (vector->list x)))
        ((map? x) (names-in (foldl append (list) (map/entries x))))
        (else (list))))
(define (describe text)
  (let ((forms (read-many text))) (json/encode (list (length forms) (names-in forms)))))
"""
INSERTED = re.compile(r"%\d*|lambda|quote|quasiquote|unquote|unquote-splicing|deref|__vm-str")
NO_NAME = re.compile(r":|#\\|#[tf]$|-?[0-9]|#[xXbBoOdDeEiI]|nil$")
PIECES = [
    *("a", "foo", "f", "nil", "%", "é", "+", "-", "/", "->", "...", "_", "?", "=", "<", "!", "&"),
    *("(", ")", "(", ")", "[", "]", "{", "}", "#(", "#u8(", "'", "`", ",", ",@", "@"),
    *('"', '"', 'f"', "${", "}", '#"', "\\", '\\"', "#\\", "#\\a", "#\\(", "#\\1", "#t", "#f"),
    *("1", "-1", "1/2", "1.5", "1e5", "#x1F", ":", ":k", "#", "#!", ";", "\n", " ", " ", "|", "$"),
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


def as_sema_string(text: str) -> str:
    """The text as a Sema string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@settings(max_examples=25)
@given(st.lists(texts, min_size=40, max_size=40))
def test_the_vm_reads_the_same_forms(vm_eval: VMEval, sources: list[str]) -> None:
    """Whatever text the VM reads, this reads as many forms with the same names in them."""
    calls = [f"(describe {as_sema_string(source)})" for source in sources]
    for source, evaluation in zip(sources, vm_eval([COLLECT_NAMES, *calls])[1:], strict=True):
        if evaluation.value is None:
            continue
        n_forms, names = json.loads(json.loads(evaluation.value))
        forms = read_forms(source)
        atoms = {form.text for form in everything(forms) if form.kind is Kind.ATOM}
        mine = {text for text in atoms if not NO_NAME.match(text)}
        assert len(forms) == n_forms, source
        assert {name for name in mine if not INSERTED.fullmatch(name)} == {
            name for name in names if not INSERTED.fullmatch(name)
        }, source
