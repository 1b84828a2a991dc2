"""`sema-bench dataset build` and `check`: shares, filters, split, card, and what is refused."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.dataset.mix import Why
from pytest_sema_bench.dataset.row import BENCHMARK, Source, read_rows, write_rows
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_task
from tests.conftest import Capture
from tests.samples.rows import TRACE, row

SPEC = """
name: small
validation: 0.25
suites: [{suite}]
sources:
  - name: first
    files: [first.jsonl]
    share: 60
    made_by: sema-bench dataset fuzz . -o first.jsonl
  - name: second
    files: [second.jsonl]
    share: 40
{benchmark}"""
PALINDROME = load_task(suite_folder() / "L2/05-palindrome.yaml")
MINE = """
id: halve
prompt: Write a Sema function (halve n) that gives half of n as an exact number, whatever n is.
grade:
  kind: program
  cases:
    - {call: (halve 6), equals: "3"}
    - {call: (halve 5), equals: 5/2}
reference: (define (halve n) (/ n 2))
"""


def spec(folder: Path, benchmark: str = "", suite: str = "mine") -> Path:
    """A specification of two files, with a suite of one task to keep out."""
    (folder / "mine" / "A1").mkdir(parents=True, exist_ok=True)
    (folder / "mine" / "suite.yaml").write_text(
        "name: mine\nversion: 1\nlevels:\n  - {name: A1, meaning: all, tasks: 1}\n"
    )
    task = MINE.replace("id: halve", "id: A1-halve\nlevel: A1")
    (folder / "mine" / "A1" / "halve.yaml").write_text(task)
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(suite=suite, benchmark=benchmark))
    return path


def rows(folder: Path) -> None:
    """Two sources with a row for each filter."""
    own = [row(f"(* {n} (+ {n} 3))", str(n * (n + 3)), family=f"f{n // 2}") for n in range(20, 44)]
    dropped = [
        row("(*   20 (+ 20 3)) ; again", "460"),
        row("(+ 700 1)", "702"),
        row("(define (hf x) (/ x 2)) (hf 12)", "6"),
        row("(define (no) nil)"),
    ]
    write_rows(folder / "first.jsonl", [*own, *dropped])
    long = '(list {} (string/upper "oak") (string/lower "ELM") (reverse \'(1 2 3)) (abs -4))'
    near = [row(long.format(n), f'({n} "OAK" "elm" (3 2 1) 4)') for n in (5, 6)]
    words = ("rim", "fog", "jar", "sun")
    upper = [row(f'(string/upper "{word}")', f'"{word.upper()}"') for word in words]
    write_rows(folder / "second.jsonl", [*near, *upper, TRACE])


@pytest.mark.vm
def test_a_build_mixes_by_share_and_says_why_it_leaves_rows_out(
    tmp_path: Path, capsys: Capture
) -> None:
    """Each filter drops its row, shares hold, families stay together, and the set is proven."""
    rows(tmp_path)
    out = tmp_path / "out"
    status = main(["dataset", "build", str(spec(tmp_path)), "-o", str(out), "--format", "openai"])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "left out for A1-halve: " in printed
    told = [json.loads(line) for line in (out / "dropped.jsonl").read_text().splitlines()]
    counts = Counter(entry["why"] for entry in told)
    expected = {Why.UNFIT: 1, Why.TWIN: 1, Why.UNPROVEN: 1, Why.LEAK: 1, Why.NEAR: 1}
    n_share = counts.pop(Why.SHARE.value)
    assert counts == {why.value: n for why, n in expected.items()}
    [leak] = [entry for entry in told if entry["why"] == Why.LEAK.value]
    assert leak["task"] == "A1-halve"
    manifest = json.loads((out / "manifest.json").read_text())
    assert [source["kept"] for source in manifest["sources"]] == [9, 6]
    assert n_share == 15
    assert {entry["suite"] for entry in manifest["kept_out"]} == {"core", "frontier", "mine"}
    train, held = (read_rows(out / "rows" / f"{split}.jsonl") for split in ("train", "validation"))
    assert (len(train), len(held)) == (11, 4)
    assert not {row.family for row in train} & {row.family for row in held}
    assert main(["dataset", "check", str(out)]) == 0
    assert "15 rows, 15 records: all hold" in capsys.readouterr().out
    with (out / "train.jsonl").open("a") as file:
        file.write("{\n")
    assert main(["dataset", "check", str(out)]) == 1
    assert f"{out / 'train.jsonl'}:12: not JSON" in capsys.readouterr().out


@pytest.mark.vm
def test_the_benchmarks_tasks_are_taken_only_where_the_specification_says_so(
    tmp_path: Path, capsys: Capture
) -> None:
    """Without a word for it their rows are refused; with it the card's first line says it."""
    own = row(PALINDROME.reference or "", prompt=PALINDROME.prompt, tags=(BENCHMARK,))
    write_rows(tmp_path / "first.jsonl", [row("(* 20 23)", "460")])
    write_rows(tmp_path / "second.jsonl", [row("(+ 1 800)", "801"), own])
    out, path = tmp_path / "out", spec(tmp_path)
    command = ["dataset", "build", str(path), "-o", str(out), "--format", "trl-text"]
    assert main(command) == 2
    assert f"{tmp_path / 'second.jsonl'}:2: 1 rows, such as" in capsys.readouterr().err
    assert not out.exists()
    spec(tmp_path, benchmark="    benchmark: true\n").write_text(
        path.read_text().replace("share: 60", "share: 30").replace("share: 40", "share: 60")
    )
    assert main(command) == 0
    text = (out / "README.md").read_text().split("---\n")[2].strip()
    assert text.startswith("**1 of these rows are of the benchmark's own tasks")


REFUSED = {
    "a file that is not there": (
        lambda folder: (folder / "first.jsonl").unlink(),
        "first.jsonl (of 'first'); make it with: sema-bench dataset fuzz . -o first.jsonl",
    ),
    "a key that nobody knows": (
        lambda folder: (folder / "spec.yaml").write_text(
            (folder / "spec.yaml").read_text() + "sharing: 3\n"
        ),
        "unknown key 'sharing'",
    ),
    "a suite that is none": (
        lambda folder: spec(folder, suite="nowhere"),
        "neither a bundled suite",
    ),
    "a folder that holds something else": (
        lambda folder: [(folder / "out").mkdir(), (folder / "out" / "x").write_text("")],
        "holds something else than a data set",
    ),
    "a line that is no row": (
        lambda folder: (folder / "second.jsonl").write_text('{"code": "1"}\n'),
        "second.jsonl:1: ",
    ),
}


@pytest.mark.vm
@pytest.mark.parametrize(("breaks", "why"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_in_what_is_asked_for_is_told_before_the_work(
    breaks: object, why: str, tmp_path: Path, capsys: Capture
) -> None:
    """The exit status is 2 and the message says what to do."""
    rows(tmp_path)
    path = spec(tmp_path)
    breaks(tmp_path)  # type: ignore[operator]
    out = str(tmp_path / "out")
    assert main(["dataset", "build", str(path), "-o", out, "--format", "openai"]) == 2
    assert why in capsys.readouterr().err


def test_the_shipped_mixture_has_the_experiments_shares() -> None:
    """examples/mix.yaml names the four sources, and how to make each."""
    from pytest_sema_bench.user_file import read_yaml

    data = read_yaml(Path(__file__).parents[2] / "examples" / "mix.yaml").data
    assert [source["share"] for source in data["sources"]] == [30, 30, 25, 15]
    assert all("sema-bench dataset " in source["made_by"] for source in data["sources"])
    assert {Source.FUZZ.value, Source.DOCS.value} < {source["name"] for source in data["sources"]}


def test_what_is_no_data_set_is_not_checked(tmp_path: Path, capsys: Capture) -> None:
    """A folder without a manifest of ours is refused with status 2."""
    assert main(["dataset", "check", str(tmp_path)]) == 2
    assert "is no manifest that `dataset build` wrote" in capsys.readouterr().err
