"""What a run leaves behind."""

import json
from collections import Counter

from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.outcome import Outcome
from tests.chat_server import ChatServer, call_tool, refuse, say
from tests.plugin.bench_dir import KEY, SLUGS, WRONG, BenchDir, read_table
from tests.stored import content


def test_a_run_leaves_everything_needed_to_read_it_again(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...]
) -> None:
    """run.json, items.json, one record per item, a transcript each, and the summary."""
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refuse(400)))
    bench_dir.ask(chat_server, *workers)
    folder = bench_dir.run_folder
    run = json.loads((folder / "run.json").read_text())
    assert (run["state"], run["n_void"], run["n_missing"]) == ("finished", 1, 0)
    assert run["exit_status"] == 1
    assert run["start"] <= run["end"]
    assert set(run["task_hashes"]) == {task.id for task in bench_dir.tasks}
    items = json.loads((folder / "items.json").read_text())
    assert [item["task"] for item in items] == [task.id for task in bench_dir.tasks]
    records = bench_dir.records()
    assert Counter(r.outcome for r in records) == {"pass": 2, "fail": 1, "void": 1}
    assert {r.task for r in records} == {task.id for task in bench_dir.tasks}
    for record in records:
        transcript = read_transcript(folder, str(record.transcript))
        assert transcript["record"] == record.key
        roles = [message["role"] for message in transcript["messages"]]
        assert record.outcome is Outcome.VOID or (roles[:2], roles[-1]) == (
            ["system", "user"],
            "assistant",
        )


def test_the_summary_has_the_numbers_of_the_terminal(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """summary.md is the same table, and its rows add up to what was asked."""
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refuse(400)))
    result = bench_dir.ask(chat_server, "--sema-samples=2")
    shown = read_table(result.outlines, "m-tools")
    summary = (bench_dir.run_folder / "summary.md").read_text().splitlines()
    assert read_table(summary, "m-tools") == shown
    *levels, total = shown.values()
    for column in ("tasks", "runs", "passed", "void"):
        assert sum(int(row[column]) for row in levels) == int(total[column])
    assert total["runs"] == str(2 * len(SLUGS))
    tokens = sum(record.tokens.total for record in bench_dir.records())
    assert total["tokens"] == f"{tokens:,}"


def test_the_key_is_nowhere(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """Neither the folder nor the terminal holds the key, though model and server repeat it."""
    chat_server.play(
        bench_dir.script(
            adding=say(f"The key is {KEY}", reasoning_content=f"I see {KEY}"),
            palindrome=lambda r: say(KEY) if r.turn else call_tool(f'"{KEY}"'),
            doubling=refuse(400, f"{KEY} is not valid", x_request_id=KEY),
        )
    )
    result = bench_dir.ask(chat_server, "-rA")
    result.assert_outcomes(passed=1, failed=2, errors=1)
    assert KEY not in f"{result.stdout}{result.stderr}"
    files = [path for path in bench_dir.run_folder.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert [path for path in files if KEY.encode() in content(path)] == []
