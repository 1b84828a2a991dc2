"""The circuit breaker: what a server has refused for good is not asked again."""

import pytest

from pytest_sema_bench.records.outcome import Void
from tests.chat_server import ChatServer, Request, Step, refuse, say
from tests.plugin.bench_dir import KEY_NAME, BenchDir, read_table

_TWO_MODELS = f"""\
providers:
  local:
    base_url: URL
    key_env: {KEY_NAME}
models:
  gone: {{provider: local, id: gone}}
  here: {{provider: local, id: here}}
"""
ONE_AT_A_TIME = "--sema-concurrency=1"


@pytest.mark.parametrize(("workers", "n_most"), [(("-p", "no:xdist"), 1), (("-n2",), 2)])
def test_a_refused_key_is_asked_once(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...], n_most: int
) -> None:
    """After a 401 the other items are void without a call, in every worker."""
    chat_server.play([refuse(401, "bad key")])
    args = (*workers, ONE_AT_A_TIME, "--sema-samples=5")
    result = bench_dir.ask(chat_server, *args)
    result.assert_outcomes(errors=20)
    n_asked = chat_server.n_requests
    assert 1 <= n_asked <= n_most
    reasons = [record.reason for record in bench_dir.records()]
    assert reasons.count(Void.API) == n_asked
    assert reasons.count(Void.NOT_ASKED) == 20 - n_asked
    assert read_table(result.outlines, "m-tools")["all"]["void"] == "20"
    result.stdout.fnmatch_lines(["void: not asked; this is not counted*", "not asked: *bad key*"])


BAD_REQUESTS = {
    "a model that LiteLLM does not know": ("Invalid model name passed in model=m", 1),
    "a key that LiteLLM does not know": ("No connected db.", 1),
    "words that nobody knows": ("computer says no", 3),
}


@pytest.mark.parametrize(("text", "n_asked"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_that_is_one_for_all_is_asked_three_times_at_most(
    text: str, n_asked: int, bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Some servers answer 400 where others say 401 or 404."""
    chat_server.play([refuse(400, text)])
    result = bench_dir.ask(chat_server, ONE_AT_A_TIME, "--sema-samples=3")
    result.assert_outcomes(errors=12)
    assert chat_server.n_requests == n_asked
    result.stdout.fnmatch_lines([f"not asked: *{text}*"])


def test_a_later_run_asks_again(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """What was refused an hour ago may be paid by now."""
    chat_server.play([refuse(402, "no money")])
    bench_dir.ask(chat_server, ONE_AT_A_TIME).assert_outcomes(errors=4)
    assert chat_server.n_requests == 1
    chat_server.play(bench_dir.script())
    bench_dir.ask(chat_server, ONE_AT_A_TIME, "--sema-resume").assert_outcomes(passed=4)


def test_a_missing_model_does_not_stop_the_other(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """A 404 holds for the model, not for the key."""
    right = bench_dir.script()

    def play(request: Request) -> Step:
        return refuse(404, "no such model") if request.body["model"] == "gone" else right(request)

    chat_server.play(play)
    text = _TWO_MODELS.replace("URL", chat_server.url)
    (bench_dir.path / "sema-models.yaml").write_text(text)
    result = bench_dir.run("--sema-model=gone,here", ONE_AT_A_TIME)
    result.assert_outcomes(passed=4, errors=4)
    assert sum(request.body["model"] == "gone" for request in chat_server.requests) == 1
    reasons = sorted(r.reason for r in bench_dir.records() if r.model == "gone")
    assert reasons == ["api error", "not asked", "not asked", "not asked"]


def test_a_request_that_is_refused_does_not_stop_the_others(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """A 400 says something about one request only."""
    chat_server.play(bench_dir.script(adding=refuse(400, "too odd"), doubling=say("Value: 1")))
    result = bench_dir.ask(chat_server, ONE_AT_A_TIME)
    result.assert_outcomes(passed=2, failed=1, errors=1)
