"""--sema-resume: a run that did not end is taken up."""

import json

import psutil
import pytest

from pytest_sema_bench.records.reader import read_run
from tests.chat_server import HANG, ChatServer, refuse, say
from tests.plugin.bench_dir import REFERENCE, WRONG, BenchDir, read_table, wait_until
from tests.plugin.test_kill import kill_tree


def test_verdicts_are_kept_and_void_items_are_asked_again(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...]
) -> None:
    """Pass and fail alike stay; the folder is the same, the table that of all items."""
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refuse(400, "no")))
    first = bench_dir.ask(chat_server, *workers)
    first.assert_outcomes(passed=2, failed=1, errors=1)
    folder = bench_dir.run_folder
    chat_server.requests.clear()
    chat_server.play(bench_dir.script())
    second = bench_dir.ask(chat_server, *workers, "--sema-resume")
    second.assert_outcomes(passed=3, failed=1)
    second.stdout.fnmatch_lines([f"sema-bench: takes up {folder.name}: 3 verdicts are kept"])
    assert bench_dir.asked(chat_server) == {"doubling"}
    assert bench_dir.run_folder == folder
    row = read_table(second.outlines, "m-tools")["all"]
    assert (row["tasks"], row["passed"], row["void"]) == ("4", "3", "0")
    run = json.loads((folder / "run.json").read_text())
    assert (run["state"], len(run["begun"])) == ("finished", 2)


def test_a_finished_run_is_left_alone(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """Where nothing is unfinished a new run begins, and says so."""
    chat_server.play(bench_dir.script())
    bench_dir.ask(chat_server)
    result = bench_dir.ask(chat_server, "--sema-resume")
    result.stdout.fnmatch_lines(["*there is no unfinished run of these models*a new one begins"])
    result.assert_outcomes(passed=4)
    assert len(list(bench_dir.path.glob("reports/*/run.json"))) == 2


def test_a_run_can_be_named(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """By its name or its folder, also where it is not the newest; a wrong name is an error."""
    chat_server.play([refuse(400)])
    bench_dir.ask(chat_server, "-k", "adding")
    folder = bench_dir.run_folder
    bench_dir.ask(chat_server, "-k", "doubling")
    chat_server.play(bench_dir.script())
    bench_dir.ask(chat_server, f"--sema-resume={folder.name}", "-k", "adding")
    assert [r.outcome for r in bench_dir.records()] == ["void", "pass"]
    assert bench_dir.run_folder == folder
    result = bench_dir.run_here(*bench_dir.asking(chat_server), "--sema-resume=yesterday")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-resume: there is no run 'yesterday' in *reports"])


def test_the_last_void_is_the_one_that_is_shown(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Of an item that stays void the table and run.json tell how it ended the last time."""
    chat_server.play([refuse(400, "the first trouble")])
    bench_dir.ask(chat_server, "-k", "adding")
    chat_server.play([refuse(400, "the second trouble")])
    bench_dir.ask(chat_server, "-k", "adding", "--sema-resume")
    kept = read_run(bench_dir.run_folder).records
    assert ["second trouble" in str(record.detail) for record in kept] == [True]


def test_a_task_that_changed_is_asked_again(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """A verdict belongs to a question, not to a place; the others of the run are kept."""
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refuse(400)))
    bench_dir.ask(chat_server)
    chat_server.requests.clear()
    path = bench_dir.path / "tasks" / "L1" / "01-adding.yaml"
    path.write_text(path.read_text().replace("the value of", "the exact value of"))
    chat_server.play([say("Value: 4")])
    result = bench_dir.ask(chat_server, "--sema-resume")
    result.assert_outcomes(passed=1, failed=3)
    row = read_table(result.outlines, "m-tools")["all"]
    assert (row["tasks"], row["passed"], row["void"]) == ("4", "1", "0")
    prompts = [request.prompt for request in chat_server.requests]
    assert ["exact value" in prompt for prompt in sorted(prompts)].count(True) == 1
    assert len(prompts) == 2


@pytest.mark.parametrize("other", ["--sema-model=other", "--sema-config=bare"])
def test_a_run_of_other_questions_is_not_taken_up(
    bench_dir: BenchDir, chat_server: ChatServer, other: str
) -> None:
    """Another model or configuration begins a new run, whatever is unfinished."""
    chat_server.play([refuse(400)])
    bench_dir.ask(chat_server, "-k", "adding")
    asking = bench_dir.asking(chat_server)
    args = asking[1:] if "model" in other else asking
    chat_server.play([say("Value: 3")])
    result = bench_dir.run(*args, other, "--sema-resume", "-k", "adding")
    result.assert_outcomes(passed=1, deselected=3)
    assert len(list(bench_dir.path.glob("reports/*/run.json"))) == 2


def test_a_run_that_is_under_way_is_not_taken_up(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Two processes never write to one run: the second begins a new one."""
    chat_server.play(bench_dir.script(doubling=HANG))
    run = bench_dir.start(*bench_dir.asking(chat_server), "-k", "doubling")
    try:
        wait_until(lambda: chat_server.n_requests == 1)
        chat_server.play(bench_dir.script())
        result = bench_dir.ask(chat_server, "-k", "doubling", "--sema-resume")
    finally:
        kill_tree(psutil.Process(run.pid))
        run.wait()
    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.fnmatch_lines(["*a new one begins"])
    assert len(list(bench_dir.path.glob("reports/*/run.json"))) == 2


def test_a_damaged_record_is_an_error_that_names_the_run(bench_dir: BenchDir) -> None:
    """A whole line that is no record is not passed over in silence."""
    bench_dir.run(REFERENCE, "-k", "adding")
    folder = bench_dir.run_folder
    with (folder / "records.jsonl").open("a") as file:
        file.write("{}\n")
    result = bench_dir.run(REFERENCE, f"--sema-resume={folder.name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *not a record*"])
