"""--sema-record and --sema-replay: a run again, without key, network or server."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.record import Record
from tests.chat_server import ChatServer, Request, Step, call_tool, refuse
from tests.plugin.bench_dir import KEY, KEY_NAME, WRONG, BenchDir, timeless


def _script(bench_dir: BenchDir) -> Callable[[Request], Step]:
    def flaky(request: Request) -> Step:
        """Two failures, then the right answer."""
        faults = (refuse(500, f"{KEY} broke", x_request_id=KEY), refuse(429, Retry_After="0"))
        before = request.n_before
        return faults[before] if before < 2 else bench_dir.script()(request)

    odd = call_tool(f'"{KEY}"', reasoning_content="é\n\ud83d")
    return bench_dir.script(
        adding=flaky,
        palindrome=lambda r: WRONG if r.turn else odd,
        doubling=refuse(400, f"no\nsuch {KEY} thing"),
    )


def record(bench_dir: BenchDir, *args: str) -> tuple[ChatServer, pytest.RunResult]:
    """A server that is gone by now, and how the run ended that was recorded to `tape`."""
    with closing(ChatServer()) as server:
        server.play(_script(bench_dir))
        return server, bench_dir.ask(server, "--sema-record=tape", *args)


def replay(bench_dir: BenchDir, server: ChatServer, *args: str) -> pytest.RunResult:
    """How the same run ends when it is played back."""
    return bench_dir.ask(server, "--sema-replay=tape", *args)


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)], ids=["one", "n2"])
def test_a_replay_is_the_run_again(
    bench_dir: BenchDir,
    monkeypatch: pytest.MonkeyPatch,
    workers: tuple[str, ...],
) -> None:
    """Without server and key: the same table, the same records, the same messages."""
    server, first = record(bench_dir, *workers)
    first.assert_outcomes(passed=2, failed=1, errors=1)
    recorded, messages = _outcomes(bench_dir), _messages(bench_dir)
    assert max(int(str(facts[-1])) for facts in recorded.values()) == 2  # retries
    monkeypatch.delenv(KEY_NAME)
    second = replay(bench_dir, server, *workers)
    assert second.ret == first.ret
    assert timeless(second) == timeless(first)
    assert _outcomes(bench_dir) == recorded
    assert _messages(bench_dir) == messages


def test_a_replay_says_where_a_question_differs(bench_dir: BenchDir) -> None:
    """A changed prompt is void, and the first difference is named; the rest is played."""
    server, _ = record(bench_dir)
    path = bench_dir.path / "tasks" / "L5" / "01-summing.yaml"
    path.write_text(path.read_text().replace("the sum of", "the exact sum of"))
    result = replay(bench_dir, server)
    result.assert_outcomes(passed=1, failed=1, errors=2)
    file = "*tape/L5-01-summing/m-tools-s1.json, exchange 1: the request differs at body.messages*"
    result.stdout.fnmatch_lines(["void: no recording; this is not counted*", file])
    (detail,) = [r.detail for r in bench_dir.records() if r.reason == "no recording"]
    assert str(detail).partition(", now ")[2].count("the exact sum of its items") == 1


def test_what_was_never_recorded_is_void(bench_dir: BenchDir) -> None:
    """A second sample has no recording, and the message names the file that is missing."""
    server, _ = record(bench_dir, "-k", "adding")
    result = replay(bench_dir, server, "--sema-samples=2", "-k", "adding")
    result.assert_outcomes(passed=1, errors=1, deselected=6)
    result.stdout.fnmatch_lines(["there is no recording *tape/L1-01-adding/m-tools-s2.json"])


def test_recordings_are_readable_and_hold_no_credentials(bench_dir: BenchDir) -> None:
    """One JSON file for each conversation, its exchanges in order, no key, no request header."""
    record(bench_dir)
    files = sorted((bench_dir.path / "tape").rglob("*.*"))
    assert [f"{path.parent.name}/{path.name}" for path in files] == [
        f"{task.id}/m-tools-s1.json" for task in sorted(bench_dir.tasks, key=lambda task: task.id)
    ]
    texts = [path.read_text("utf-8") for path in files]
    assert not [text for text in texts if KEY in text or "uthorization" in text or "Bearer" in text]
    adding = json.loads(texts[0])
    assert [e["response"]["status"] for e in adding["exchanges"]] == [500, 429, 200, 200]
    request = adding["exchanges"][0]["request"]
    assert (request["method"], request["path"]) == ("POST", "/v1/chat/completions")
    prompt = json.dumps(request["body"])
    assert "What is the value of" in prompt


def test_a_recording_made_again_is_the_same_but_for_what_changed(bench_dir: BenchDir) -> None:
    """The same run gives the same bytes, so git shows only what is new."""
    record(bench_dir)
    before = _tape(bench_dir)
    record(bench_dir)
    assert _tape(bench_dir) == before


@pytest.mark.parametrize("n_at_once", [1, 4])
def test_a_replay_adapts_where_the_recorded_run_did(bench_dir: BenchDir, n_at_once: int) -> None:
    """A parameter that the server refuses is found out again, conversation by conversation."""
    right = bench_dir.script()
    told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."

    def play(request: Request) -> Step:
        return refuse(400, told) if "max_tokens" in request.body else right(request)

    args = (f"--sema-concurrency={n_at_once}", "--sema-samples=3")
    with closing(ChatServer()) as server:
        server.play(play)
        first = bench_dir.ask(server, "--sema-record=tape", *args)
    first.assert_outcomes(passed=12)
    replay(bench_dir, server, "--sema-samples=3").assert_outcomes(passed=12)


USAGE_ERRORS = {
    "both": (
        ("--sema-record=tape", "--sema-replay=tape"),
        "*--sema-record and --sema-replay do not go together*",
    ),
    "no such folder": (("--sema-replay=nowhere",), "*--sema-replay: there is no folder nowhere"),
}


@pytest.mark.parametrize("name", USAGE_ERRORS)
def test_options_that_cannot_work_are_usage_errors(bench_dir: BenchDir, name: str) -> None:
    """Said before anything is asked."""
    args, message = USAGE_ERRORS[name]
    (bench_dir.path / "tape").mkdir()
    result = bench_dir.run_here("--sema-model=reference", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def _tape(bench_dir: BenchDir) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (bench_dir.path / "tape").rglob("*.json")}


def _outcomes(bench_dir: BenchDir) -> dict[str, tuple[object, ...]]:
    """What a record says, times apart, by task."""
    return {r.task: _facts(r) for r in bench_dir.records()}


def _facts(r: Record) -> tuple[object, ...]:
    detail = str(r.detail).partition(": ")[2]  # who answered is told apart
    return r.key, r.outcome, r.reason, detail, r.answer, r.cases, r.tokens, r.stop, r.retries


def _messages(bench_dir: BenchDir) -> dict[str, object]:
    folder = bench_dir.run_folder
    return {
        record.task: read_transcript(folder, str(record.transcript))["messages"]
        for record in bench_dir.records()
    }
