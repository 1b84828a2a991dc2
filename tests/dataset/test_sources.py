"""`sema-bench dataset fuzz`, `examples`, `docs` and `tasks`, each on small sources of ours."""

import os
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.dataset.row import BENCHMARK, Row, read_rows
from tests.conftest import Capture
from tests.samples.double_task import DOUBLE

pytestmark = pytest.mark.vm

# In the shape of Sema's own: settings by `env`, one program and its value for each seed.
FUZZER = """
(define (cfg name default) (let ((v (env name))) (if (nil? v) default v)))
(define seed (string->number (cfg "SEMA_FUZZ_SEED" "7")))
(define n (string->number (cfg "SEMA_FUZZ_COUNT" "1")))
(define (program s)
  (let ((kind (mod s 5)))
    (cond ((= kind 0) (list s 'atom s))
          ((= kind 1) (list s (list 'string-append "a\\nb" "c") "a\\nbc"))
          ((= kind 2) (list s (list '+ s 1) (+ s 2)))
          ((= kind 3) (list s (list 'time-ms) 0))
          (else (list s (list '+ s 1) (+ s 1))))))
(define (show p)
  (string-append "; seed=" (str (nth p 0)) " => " (str (nth p 2)) "\\n" (str (nth p 1))))
(if (= (cfg "SEMA_FUZZ_MODE" "check") "emit")
    (println (string/join (map (fn (i) (show (program (+ seed i)))) (range n)) "\\n"))
    (error "checks"))
"""
EXAMPLES = """;; shapes.sema
(define pi-ish 3)
(define t0 (time-ms))

;; --- Area ---
;; The area of a rectangle.
(define (area w h)
  (* w h))

(defn circle (r)
  "The area of
   a circle."
  (* pi-ish (area r r)))
(define twice (fn (f) (fn (x) (f (f x)))))

;; Not right above.

(define (age) (- (time-ms) t0))
(define half (no-such-function 1))
(define (broken env) (+ env half))
(println (area 1 2))
"""


def rows_of(tmp_path: Path, *arguments: str) -> list[Row]:
    """The rows that a command writes."""
    output = tmp_path / "rows.jsonl"
    assert main(["dataset", *arguments, "-o", str(output)]) == 0
    return read_rows(output)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of ours with a fuzzer and an example file."""
    folder = tmp_path / "sema"
    for name, text in {"fuzz/grammar-fuzz": FUZZER, "examples/shapes": EXAMPLES}.items():
        path = folder / f"{name}.sema"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (folder / "examples" / "bad.sema").write_text("(define (f x)\n  [1 2)\n")
    (folder / "Cargo.toml").write_text('[package]\nlicense = "MIT"\n')
    return folder


def test_programs_of_the_fuzzer_have_the_value_that_it_tells(
    checkout: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Those that the VM does not confirm, constants and clocks are dropped, and counted."""
    rows = rows_of(tmp_path, "fuzz", str(checkout), "-n", "10", "--seed", "0")
    table = " ".join(capsys.readouterr().out.split())
    by_seed = {row.family.rpartition("=")[2]: row for row in rows}
    assert sorted(by_seed) == ["1", "4", "9"]
    assert by_seed["4"].code == "(+ 4 1)"
    assert by_seed["4"].value == "5"
    assert by_seed["1"].value == '"a\\nbc"'
    assert "found 10 kept 3" in table
    assert "is a constant and no program 2" in table
    assert "does not give the value that its source tells 2" in table
    assert "uses clock 2" in table
    assert "the same code a second time 1" in table


def test_the_same_seed_gives_the_same_programs(checkout: Path, tmp_path: Path) -> None:
    """Seeds 40 to 109 give what seeds 0 to 109 give from 40 on, however many run at once."""
    late = rows_of(tmp_path, "fuzz", str(checkout), "-n", "70", "--seed", "40")
    whole = rows_of(tmp_path, "fuzz", str(checkout), "-n", "110", "--seed", "0")
    texts = [row.to_json() for row in late if row.tags and row.code.startswith("(+")]
    assert texts
    assert [row.to_json() for row in whole if row.to_json() in texts] == texts


def test_a_fuzzer_that_the_vm_cannot_run_is_the_files_fault(
    checkout: Path, capsys: Capture
) -> None:
    """It is told with path and the VM's own words, and the status is 2."""
    (checkout / "fuzz" / "grammar-fuzz.sema").write_text("(no-such-function)")
    assert main(["dataset", "fuzz", str(checkout), "-n", "1"]) == 2
    assert "grammar-fuzz.sema:1: this VM cannot run the fuzzer" in capsys.readouterr().err


def test_functions_come_with_comment_and_what_they_need(
    checkout: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The comment right above, or the docstring, is what is asked; all loads by itself."""
    rows = {row.tags[0]: row for row in rows_of(tmp_path, "examples", str(checkout))}
    assert sorted(rows) == ["area", "circle", "twice"]
    assert rows["area"].prompt == (
        "Write a Sema function `(area w h)`. Area The area of a rectangle."
    )
    assert rows["circle"].prompt == "Write a Sema function `(circle r)`. The area of a circle."
    assert rows["circle"].code.startswith("(define pi-ish 3)\n\n(define (area w h)\n  (* w h))")
    assert rows["twice"].prompt is None
    assert {row.family for row in rows.values()} == {"shapes.sema"}
    table = capsys.readouterr().out
    assert "bad.sema:2 expected ']', found ')'" in table
    assert "shapes.sema:18 age clock (time-ms)" in table
    assert "shapes.sema:20 broken" in table


def test_examples_of_the_documentation_are_asked_for_by_what_they_do(tmp_path: Path) -> None:
    """Each row says what the name does and what the code gives, and names its entry as family."""
    rows = rows_of(tmp_path, "docs")
    assert len(rows) > 900
    assert all(row.prompt and row.licence == "MIT" for row in rows)
    row = next(row for row in rows if row.family == "reverse")
    assert row.prompt is not None
    assert row.prompt.endswith(f"The code gives {row.value}.")
    assert "(reverse " in row.code


SUITE = "name: mine\nversion: 1\nlicence: CC0-1.0\nlevels:\n  - {name: L1, meaning: m, tasks: 3}\n"


def write_suite(folder: Path) -> Path:
    """A suite with a task whose reference holds, one whose does not, and one of a value."""
    level = folder / "L1"
    level.mkdir(parents=True)
    (folder / "suite.yaml").write_text(SUITE)
    for name, text in {
        "double": DOUBLE,
        "wrong": DOUBLE.replace("(* 2 n)", "(* 3 n)"),
        "value": 'id: x\nprompt: What is 1 + 1?\ngrade: {kind: value, equals: "2"}\n',
    }.items():
        body = text.partition("\n")[2]
        (level / f"{name}.yaml").write_text(f"id: L1-{name}\nlevel: 1\n{body}")
    return folder


def test_references_of_a_suite_are_rows_if_they_pass(tmp_path: Path, capsys: Capture) -> None:
    """The prompt is the task's with its examples; licence and family come from the suite."""
    (row,) = rows_of(tmp_path, "tasks", "--suite", str(write_suite(tmp_path / "mine")))
    assert row.family == "L1-double"
    assert row.licence == "CC0-1.0"
    assert row.prompt is not None
    assert "(double 2) ; => 4" in row.prompt
    assert BENCHMARK not in row.tags
    table = capsys.readouterr().out
    assert "the reference fails its task" in table
    assert "the answer is a value and no code" in table


def test_the_benchmark_must_be_asked_for(tmp_path: Path, capsys: Capture) -> None:
    """A bundled suite, or a copy of one of its tasks, is refused; with the flag it is tagged."""
    assert main(["dataset", "tasks", "--suite", "core"]) == 2
    assert "60 of its tasks are the benchmark's own" in capsys.readouterr().err
    copy = write_suite(tmp_path / "copy")
    (source,) = (Path(__file__).parents[2] / "suites" / "core" / "L2").glob("05-palindrome.yaml")
    (copy / "suite.yaml").write_text(SUITE.replace("L1", "L2"))
    (copy / "L1").rename(copy / "L2")
    for path in (copy / "L2").iterdir():
        path.unlink()
    (copy / "L2" / source.name).write_text(source.read_text("utf-8"))
    assert main(["dataset", "tasks", "--suite", str(copy)]) == 2
    (row,) = rows_of(tmp_path, "tasks", "--suite", str(copy), "--benchmark")
    assert row.tags[-1] == BENCHMARK


@pytest.mark.skipif("SEMA_SOURCE" not in os.environ, reason="SEMA_SOURCE names no checkout")
def test_the_real_fuzzer_and_examples_run_on_the_vm(tmp_path: Path) -> None:
    """Of a hundred programs most are kept, and of the example files hundreds of functions."""
    checkout = os.environ["SEMA_SOURCE"]
    assert len(rows_of(tmp_path, "fuzz", checkout, "-n", "100")) > 70
    assert len(rows_of(tmp_path, "examples", checkout)) > 300
