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


def test_a_finished_run_is_shown_again(
    bench_dir: BenchDir,
    chat_server: ChatServer,
    workers: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same table and exit status, without a request, a VM or a change to what it holds."""
    chat_server.play(bench_dir.script(palindrome=WRONG))
    first = bench_dir.ask(chat_server)
    folder, n_requests = bench_dir.run_folder, chat_server.n_requests
    before = (folder / "run.json").read_text()
    if "-n2" not in workers:  # workers start their VM before they know what there is to ask
        monkeypatch.setenv("PATH", "/nonexistent")
    again = bench_dir.ask(chat_server, "--sema-resume", *workers)
    assert again.ret == first.ret == pytest.ExitCode.TESTS_FAILED
    again.assert_outcomes(passed=3, failed=1)
    again.stdout.fnmatch_lines([f"sema-bench: {folder.name} is finished*4 verdicts are shown*"])
    assert read_table(again.outlines, "m-tools") == read_table(first.outlines, "m-tools")
    assert chat_server.n_requests == n_requests
    assert list(bench_dir.path.glob("reports/*/run.json")) == [folder / "run.json"]
    if "-n2" not in workers:
        assert (folder / "run.json").read_text() == before


def test_what_a_finished_run_does_not_hold_is_added_to_it(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """A run of one task is taken up by one of all, and keeps its verdict."""
    chat_server.play(bench_dir.script())
    bench_dir.ask(chat_server, "-k", "adding")
    chat_server.requests.clear()
    result = bench_dir.ask(chat_server, "--sema-resume")
    result.assert_outcomes(passed=4)
    assert bench_dir.asked(chat_server) == {"palindrome", "doubling", "summing"}
    assert read_table(result.outlines, "m-tools")["all"]["passed"] == "4"


@pytest.mark.parametrize("options", [(), ("-q",), ("-qq",), ("-p", "no:terminal")], ids=" ".join)
def test_where_there_is_nothing_to_take_up_the_user_hears_so(
    bench_dir: BenchDir, options: tuple[str, ...]
) -> None:
    """However little pytest says: a new run costs what nobody may have expected."""
    result = bench_dir.run(REFERENCE, "--sema-resume", "-k", "adding", *options)
    assert result.ret == pytest.ExitCode.OK
    told = [line for line in (*result.outlines, *result.errlines) if "a new one begins" in line]
    assert told == ["sema-bench: there is no run of these models to take up; a new one begins"]


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
    """A usage error names it: neither do two processes write to one run nor is it paid twice."""
    chat_server.play(bench_dir.script(doubling=HANG))
    run = bench_dir.start(*bench_dir.asking(chat_server), "-k", "doubling")
    try:
        wait_until(lambda: chat_server.n_requests == 1)
        chat_server.play(bench_dir.script())
        name = bench_dir.run_folder.name
        for resume in ("--sema-resume", f"--sema-resume={name}"):
            result = bench_dir.ask(chat_server, "-k", "doubling", resume)
            assert result.ret == pytest.ExitCode.USAGE_ERROR
            result.stderr.fnmatch_lines([f"ERROR: --sema-resume: * {name} is still under way; *"])
    finally:
        kill_tree(psutil.Process(run.pid))
        run.wait()
    assert chat_server.n_requests == 1
    assert len(list(bench_dir.path.glob("reports/*/run.json"))) == 1


def test_a_damaged_record_is_an_error_that_names_the_run(bench_dir: BenchDir) -> None:
    """A whole line that is no record is not passed over in silence."""
    bench_dir.run(REFERENCE, "-k", "adding")
    folder = bench_dir.run_folder
    with (folder / "records.jsonl").open("a") as file:
        file.write("{}\n")
    result = bench_dir.run(REFERENCE, f"--sema-resume={folder.name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *not a record*"])
