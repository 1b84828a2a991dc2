"""`sema-bench dataset traces` on real runs: what becomes a row, with which weights."""

import json
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.dataset.row import BENCHMARK, Row, read_rows
from tests.chat_server import ChatServer, Request, Step, call_tool, say
from tests.plugin.bench_dir import BenchDir
from tests.samples.made_up_run import PLAYERS, suite, write_made_up_run

RIGHT = "```sema\n(define (palindrome? s) (equal? s (string/reverse s)))\n```"
SUM = "```sema\n(foldl + 0 xs)\n```"


def rows_of(run: Path, *arguments: str, licence: str = "CC0-1.0") -> list[Row]:
    """The rows that `traces` writes of a run."""
    output = run.parent / "rows.jsonl"
    command = ["dataset", "traces", str(run), "-o", str(output), "--licence", licence]
    assert main([*command, *arguments]) == 0
    return read_rows(output)


def repairing(request: Request) -> Step:
    """A call that meets an error, one that prints a line like one, then the answer."""
    calls = (
        call_tool('(string/backwards "abba")', reasoning_content="hm", refusal=None),
        call_tool('(println "Error: none") (string/reverse "ab")', call_id="call_2"),
    )
    return calls[request.turn] if request.turn < 2 else say(RIGHT)


def uneven(request: Request) -> Step:
    """Wrong for who asks first, right for who asks second."""
    return say(SUM if request.n_before else SUM.replace("0", "1"))


@pytest.fixture
def run(bench_dir: BenchDir, chat_server: ChatServer) -> Path:
    """A run of two samples: one task repaired, one right at once, one right every other time."""
    chat_server.play(bench_dir.script(palindrome=repairing, summing=uneven))
    bench_dir.ask(chat_server, "--sema-samples=2").assert_outcomes(passed=7, failed=1)
    return bench_dir.run_folder


def test_failing_turns_weigh_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A turn whose call met a VM error has weight 0; a line that only looks like one is none."""
    rows = rows_of(run)
    assert [(row.family, "repaired" in row.tags) for row in rows] == [
        ("L2-01-palindrome", True),
        ("L2-01-palindrome", True),
        ("L4-01-doubling", False),
        ("L4-01-doubling", False),
        ("L5-01-summing", False),
    ]
    first = rows[0]
    assert first.code == "(define (palindrome? s) (equal? s (string/reverse s)))"
    assert first.licence == "CC0-1.0"
    assert [m["weight"] for m in first.messages if m["role"] == "assistant"] == [0, 1, 1]
    assert [m["role"] for m in first.messages[:2]] == ["system", "user"]
    assert first.messages[1]["content"] == first.prompt
    assert first.messages[2]["reasoning_content"] == "hm"
    assert "refusal" not in first.messages[2]
    arguments = first.messages[2]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"code": '(string/backwards "abba")'}
    assert [tool["function"]["name"] for tool in first.tools] == ["eval_code", "docs_search"]
    table = " ".join(capsys.readouterr().out.split())
    assert "found 8 kept 5 dropped: the answer is a value and no code 2" in table
    assert "the answer is wrong (wrong value) 1" in table


def test_repaired_takes_only_what_was_mended(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was right without a VM error is dropped, and said to be."""
    rows = rows_of(run, "--repaired")
    assert {row.family for row in rows} == {"L2-01-palindrome"}
    assert "no VM error was seen and mended" in capsys.readouterr().out


def test_pairs_answer_the_same_question(run: Path) -> None:
    """The right answer is preferred to the wrong one; what nobody got wrong gives no pair."""
    (row,) = rows_of(run, "--pairs")
    assert row.family == "L5-01-summing"
    assert [m["role"] for m in row.messages] == ["system", "user", "assistant"]
    assert row.messages[-1]["content"] == SUM
    assert [m["content"] for m in row.dispreferred] == [SUM.replace("0", "1")]
    assert not row.tools


def test_the_vm_is_asked_again(
    run: Path, bench_dir: BenchDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task that has changed since is dropped, for nobody knows what the answer is worth."""
    path = bench_dir.path / "tasks" / "L2" / "01-palindrome.yaml"
    path.write_text(path.read_text().replace('"abc"', '"abd"'))
    assert {row.family for row in rows_of(run)} == {"L4-01-doubling", "L5-01-summing"}
    assert "its task has changed since or is gone" in capsys.readouterr().out


def test_conversations_of_the_benchmark_must_be_asked_for(
    tmp_path: Path, vm_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of a bundled suite is refused; with the flag its rows are tagged."""
    run = tmp_path / "run"
    write_made_up_run(run, players=PLAYERS[:1], tasks=suite()[15:21])
    assert main(["dataset", "traces", str(run)]) == 2
    assert "tasks are the benchmark's own" in capsys.readouterr().err
    rows = rows_of(run, "--benchmark", licence="MIT")
    assert rows
    assert all(row.tags[-1] == BENCHMARK for row in rows)


def test_what_is_no_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there is named, without a traceback."""
    assert main(["dataset", "traces", str(tmp_path / "gone")]) == 3
    assert f"there is no run folder {tmp_path / 'gone'}" in capsys.readouterr().err
