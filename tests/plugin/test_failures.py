"""How a model fails, in the summary and the report of a run: a model played on loopback."""

import pytest

from pytest_sema_bench.report.failures import failure_grids
from pytest_sema_bench.tables.failures import Share, make_failure_tables
from tests.chat_server import ChatServer, Request, Step, call_tool, say
from tests.plugin.bench_dir import BenchDir

RIGHT = "(define (palindrome? s) (equal? s (string/reverse s)))"
FOREIGN = '(define (palindrome? s) (equal? s (clojure.string/reverse s))) (palindrome? "a")'
UNPARSED = "(define (double-all xs"
DOUBLED = "(define (double-all xs) (map (fn (x) (* 2 x)) xs))"


def fenced(code: str) -> Step:
    """A final answer."""
    return say(f"```sema\n{code}\n```")


def palindrome(request: Request) -> Step:
    """A name of Clojure's, then the right one, then the answer."""
    if request.turn == 2:
        return fenced(RIGHT)
    return call_tool(FOREIGN) if request.turn == 0 else call_tool(RIGHT)


def doubling(request: Request) -> Step:
    """Half a program, then a right one, and a wrong answer in the end."""
    if request.turn == 2:
        return fenced("(define (double-all xs) xs)")
    return call_tool(UNPARSED) if request.turn == 0 else call_tool(DOUBLED)


@pytest.fixture
def ran(bench_dir: BenchDir, chat_server: ChatServer) -> BenchDir:
    """A run in which two tasks go as above and the others at once."""
    chat_server.play(bench_dir.script(palindrome=palindrome, doubling=doubling))
    bench_dir.ask(chat_server).assert_outcomes(passed=3, failed=1)
    return bench_dir


def test_what_was_tried_is_counted(ran: BenchDir) -> None:
    """First programs, foreign names, errors mended, and the right program that was thrown away.

    Summing shows an error too: its reference is tried without the list that the task gives.
    """
    (table,) = make_failure_tables(ran.records())
    assert table.parsed == Share(n=3, of=4)
    assert table.lost == Share(n=1, of=1)
    assert table.repaired == Share(n=2, of=3)
    rows = {row.language: row for row in table.foreign}
    assert rows["clojure"].found == Share(n=1, of=1)
    assert rows["clojure"].names == (("clojure.string/reverse", 1),)
    errors = {row.error_class: row for row in table.repairs}
    assert errors["parse"].mended == Share(n=1, of=1)
    assert errors["parse"].right == Share(n=0, of=1)
    assert errors["unbound"].right == Share(n=2, of=2)


def test_it_is_written_where_people_look(ran: BenchDir) -> None:
    """summary.md and report.html hold each table, with the same cells."""
    summary = (ran.run_folder / "summary.md").read_text()
    page = (ran.run_folder / "report.html").read_text()
    grids = failure_grids(ran.records())
    assert [grid.title.split(":")[0] for grid in grids][:2] == ["Until solved", "How they fail"]
    for grid in grids:
        assert f"### {grid.title}" in summary
        assert f"<h3>{grid.title}</h3>" in page
        assert all(cell in page for row in grid.rows for cell in row)
