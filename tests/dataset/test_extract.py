"""`sema-bench dataset extract`: Rust as it is written, and what becomes of its cases."""

import json
import os
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.dataset.row import read_rows
from pytest_sema_bench.dataset.rust import read_cases
from pytest_sema_bench.errors import FileError
from tests.conftest import Capture

RUST = r"""
/// eval_tests! { shown: "(+ 9 9)" => Value::int(18) }
macro_rules! eval_tests { ($($name:ident : $input:expr => $expected:expr),*) => {}; }
fn quote<'a>(c: char) -> bool { c == '"' || c == '\'' || c == '\u{22}' }
mod inner {
    /* eval_tests! { hidden: "(+ 8 8)" /* nested "*/ => 1 } */
    crate::eval_tests! {
        plain: "(+ 1 2)" => Value::int(3), // "not a case: "
        escaped: "(string-append \"a\\tb\" \"\u{e9}\x41\")" => Value::string("a\tbéA"),
        continued: "(+ 1 \
                       2 3)" => vec![Value::int(6), f(1, 2)][0],
        raw: r"(list #\a)" => common::eval(r"(list #\a)"),
        hashed: r#"(string-length "a,b => c")"# => Value::int(8),
        more: r##"(list "#" "{")"## => common::eval(r##"(list "#" "{")"##),
        joined: concat!("(+ 20 ", "1)",) => Value::int(21),
        bytes: b"(+ 1 1)" => Value::int(2),
        made: &format!("(+ {} 1)", 2) => Value::int(3),
    }
}
eval_error_tests!(
    unbound: "(no-such-name 1)" => "unbound VARIABLE",
    legacy: "(car 5)",
    other: "(car 6)" => "no such words",
    right_after_all: "(+ 2 2)",
);
eval_tests! [
    twice: "(+ 1 2)" => Value::int(3),
    file: r#"(file/read "x")"# => Value::nil(),
    network: "(list (http/get \"u\"))" => Value::nil(),
    clock: "(> (time-ms) 0)" => Value::bool(true),
    luck: "(math/random-int 1 6)" => Value::int(4),
    in_data: "(quote (time-ms file/read))" => Value::nil(),
    wrong: "(car 7)" => Value::int(7),
    forever: "(let loop () (loop))" => Value::nil(),
];
"""
INPUTS = {
    "plain": "(+ 1 2)",
    "escaped": '(string-append "a\\tb" "éA")',
    "continued": "(+ 1 2 3)",
    "raw": r"(list #\a)",
    "hashed": '(string-length "a,b => c")',
    "more": '(list "#" "{")',
    "joined": "(+ 20 1)",
    "bytes": None,
    "made": None,
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of ours in the shape of Sema's."""
    folder = tmp_path / "sema"
    (folder / "tests").mkdir(parents=True)
    (folder / "target").mkdir()
    (folder / "tests" / "eval_test.rs").write_text(RUST, "utf-8")
    (folder / "target" / "made.rs").write_text('eval_tests! { made: "(+ 5 5)" => 10 }')
    (folder / "Cargo.toml").write_text('[workspace.package]\nlicense = "Apache-2.0"\n')
    return folder


def test_every_string_of_rust_is_read(checkout: Path) -> None:
    """Escapes, line continuation, raw strings and concat! give the text that Rust would have."""
    cases = list(read_cases(checkout / "tests" / "eval_test.rs"))
    found = {case.name: case for case in cases}
    assert {name: found[name].input for name in INPUTS} == INPUTS
    assert "hidden" not in found
    assert "shown" not in found
    assert found["bytes"].fault == "the input is bytes"
    assert found["continued"].line == 10
    assert len(cases) == 21


@pytest.mark.parametrize("text", ['x!{a: "', "/* eval_tests! ", 'r#"a"', "eval_tests!(a: (1]"])
def test_what_is_no_rust_is_told_with_its_line(text: str, tmp_path: Path) -> None:
    """What is never closed is the file's fault, told with path and line."""
    path = tmp_path / "bad.rs"
    path.write_text(f"// eval_tests!\n{text}\n")
    with pytest.raises(FileError, match=r"bad\.rs:2: a .* is never closed"):
        list(read_cases(path))


@pytest.mark.vm
def test_each_case_is_kept_or_dropped_for_a_reason(
    checkout: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Rows hold what the VM gave, and the table accounts for all 21 cases."""
    output = tmp_path / "pairs.jsonl"
    assert main(["dataset", "extract", str(checkout), "-o", str(output)]) == 0
    rows = {row.tags[1]: row for row in read_rows(output)}
    names = "plain escaped continued raw hashed more joined unbound legacy in_data"
    assert sorted(rows) == sorted(names.split())
    assert rows["escaped"].value == '"a\\tbéA"'
    assert rows["unbound"].error is not None
    assert rows["unbound"].error.kind.value == "unbound"
    assert {row.licence for row in rows.values()} == {"Apache-2.0"}
    assert rows["plain"].family == rows["more"].family == "tests/eval_test.rs#plain"
    table = " ".join(capsys.readouterr().out.split())
    assert "found 21 kept 10 " in table
    for effect in ("file", "network", "clock", "randomness"):
        assert f"dropped: uses {effect}" in table
    for why in (
        "ends in another error than its source tells",
        "gives a value where an error is expected",
        "the same code a second time",
        "the input is bytes",
        "the input is no text, but an expression of Rust",
        "ends in an error (type)",
        "is stopped by a limit (steps)",
    ):
        assert why in table


@pytest.mark.vm
def test_without_a_file_rows_go_to_standard_output(checkout: Path, capsys: Capture) -> None:
    """The table then stands on standard error, so that the rows can be piped."""
    assert main(["dataset", "extract", str(checkout), "--licence", "MIT"]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert {row["licence"] for row in rows} == {"MIT"}
    assert "kept" in printed.err


def test_a_folder_without_cases_is_the_users_mistake(tmp_path: Path, capsys: Capture) -> None:
    """It is told in one line, with what to do, and the status is 2."""
    assert main(["dataset", "extract", str(tmp_path)]) == 2
    assert "say what the rows are under, --licence MIT" in capsys.readouterr().err
    assert main(["dataset", "extract", str(tmp_path), "--licence", "MIT"]) == 2
    assert "no eval_tests! or eval_error_tests!" in capsys.readouterr().err


@pytest.mark.vm
@pytest.mark.skipif("SEMA_SOURCE" not in os.environ, reason="SEMA_SOURCE names no checkout")
def test_the_real_checkout_gives_more_than_a_thousand_rows(tmp_path: Path) -> None:
    """All but what the VM in the browser lacks or what is not the same elsewhere is kept."""
    output = tmp_path / "pairs.jsonl"
    assert main(["dataset", "extract", os.environ["SEMA_SOURCE"], "-o", str(output)]) == 0
    rows = read_rows(output)
    assert len({row.id for row in rows}) == len(rows) > 1_100
    assert sum(row.error is not None for row in rows) > 100
