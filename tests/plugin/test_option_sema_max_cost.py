"""--sema-max-cost: no run costs more than it may."""

import json
from pathlib import Path

import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from tests.chat_server import ChatServer, Request, Step, complete, reply, say
from tests.plugin.bench_dir import KEY_NAME, BenchDir, read_table

BUDGET_SPENT = 11
INPUT_USD, OUTPUT_USD = 100.0, 400.0
"""Per million tokens; the price of input is that of two bytes a token, the most it can be."""
_MODELS = f"""\
models:
  dear:
    base_url: URL
    key_env: {KEY_NAME}
    id: m
    price: {{input: {INPUT_USD}, output: {OUTPUT_USD}}}
    sampling: {{max_tokens: 200}}
  unpriced:
    base_url: URL
    id: m3
"""


def ask(bench_dir: BenchDir, server: ChatServer, *args: str) -> pytest.RunResult:
    """How pytest ends when it asks the model `dear`, which has a price."""
    text = _MODELS.replace("URL", server.url)
    (bench_dir.path / "sema-models.yaml").write_text(text)
    return bench_dir.run("--sema-model=dear", *args)


class Till:
    """A script that answers right and adds up what it bills."""

    def __init__(self, bench_dir: BenchDir) -> None:
        self.billed_usd = 0.0
        self._right = bench_dir.script()

    def __call__(self, request: Request) -> Step:
        """The right reply, billed at a token for three bytes of the request."""
        body = json.loads(self._right(request).payload)
        n_prompt, n_completion = len(request.raw) // 3, len(json.dumps(body["choices"])) // 3
        self.billed_usd += (n_prompt * INPUT_USD + n_completion * OUTPUT_USD) / 1e6
        usage = {"prompt_tokens": n_prompt, "completion_tokens": n_completion}
        return complete({**body, "usage": usage})


def test_two_hundred_items_and_four_workers_stay_within_the_cap(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """What the cap does not allow is void, exit status 11; a higher cap pays for the rest."""
    till = Till(bench_dir)
    chat_server.play(till)
    ask(bench_dir, chat_server).assert_outcomes(passed=4)
    cost_of_four, till.billed_usd = till.billed_usd, 0.0
    cap = round(25 * cost_of_four, 2)
    args = ("-n4", "--sema-samples=50", "--sema-concurrency=4")
    first = ask(bench_dir, chat_server, *args, f"--sema-max-cost={cap}")
    assert first.ret == BUDGET_SPENT
    assert 0.9 * cap < till.billed_usd <= cap
    outcomes = [(record.outcome, record.reason) for record in bench_dir.records()]
    assert len(outcomes) == 200
    assert set(outcomes) == {(Outcome.PASS, Reason.RIGHT), (Outcome.VOID, Void.BUDGET)}
    n_passed = outcomes.count((Outcome.PASS, Reason.RIGHT))
    assert 85 <= n_passed <= 102
    row = read_table(first.outlines, "dear-tools")["all"]
    assert (row["passed"], row["void"]) == (str(n_passed), str(200 - n_passed))
    first.stdout.fnmatch_lines(["void: budget; this is not counted as a wrong answer"])
    first.stdout.fnmatch_lines(
        ["*take the run up with --sema-resume and a higher --sema-max-cost*"]
    )

    since = chat_server.n_requests
    second = ask(bench_dir, chat_server, *args, f"--sema-max-cost={3 * cap}", "--sema-resume")
    assert second.ret == pytest.ExitCode.OK
    second.assert_outcomes(passed=200)
    assert till.billed_usd <= 3 * cap
    n_begun = sum(request.turn == 0 for request in chat_server.requests[since:])
    assert n_begun == 200 - n_passed
    assert len(list(bench_dir.path.glob("reports/*/run.json"))) == 2


def test_money_spent_before_counts_in_a_run_that_is_taken_up(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """With the same cap, a resumed run asks nothing more."""
    till = Till(bench_dir)
    chat_server.play(till)
    args = ("--sema-samples=10", "--sema-concurrency=1", "--sema-max-cost=2.0")
    assert ask(bench_dir, chat_server, *args).ret == BUDGET_SPENT
    n_requests = chat_server.n_requests
    assert n_requests
    assert ask(bench_dir, chat_server, *args, "--sema-resume").ret == BUDGET_SPENT
    assert chat_server.n_requests == n_requests
    assert till.billed_usd <= 2.0


def test_on_another_machine_the_records_say_what_was_spent(
    bench_dir: BenchDir,
    chat_server: ChatServer,
    vm_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run folder takes its costs along to where nothing else is known of it."""
    till = Till(bench_dir)
    chat_server.play(till)
    args = ("--sema-samples=10", "--sema-concurrency=1", "--sema-max-cost=2.0")
    assert ask(bench_dir, chat_server, *args).ret == BUDGET_SPENT
    elsewhere = bench_dir.path / "cache"
    elsewhere.mkdir()
    for path in vm_cache.iterdir():
        if path.is_dir():
            (elsewhere / path.name).symlink_to(path)
    monkeypatch.setenv(CACHE_VARIABLE, str(elsewhere))
    assert ask(bench_dir, chat_server, *args, "--sema-resume").ret == BUDGET_SPENT
    assert till.billed_usd <= 2.0


def test_a_model_without_a_price_is_refused(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """A usage error says what to write, before anything is asked."""
    ask(bench_dir, chat_server, "--collect-only")
    result = bench_dir.run_here("--sema-model=dear,unpriced", "--sema-max-cost=1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-max-cost: the price of unpriced is unknown*"])
    assert chat_server.n_requests == 0


@pytest.mark.parametrize("cap", ["0", "-1", "nan", "inf", "much", ""])
def test_a_cap_is_a_number_above_zero(bench_dir: BenchDir, cap: str) -> None:
    """Anything else is a usage error."""
    result = bench_dir.run_here("--sema-model=reference", f"--sema-max-cost={cap}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --sema-max-cost: found '{cap}', expected a number of *"])


def test_a_reply_without_usage_is_charged_at_its_worst(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """A server that hides what it bills cannot make a run cross its cap."""
    chat_server.play([reply({"content": "Value: 3"}, usage=None)])
    args = ("-k", "adding", "--sema-samples=10", "--sema-concurrency=1")
    result = ask(bench_dir, chat_server, *args, "--sema-max-cost=2.0")
    assert result.ret == BUDGET_SPENT
    worst_usd = len(chat_server.requests[0].raw) / 2 * INPUT_USD / 1e6 + 200 * OUTPUT_USD / 1e6
    assert chat_server.n_requests == int(2.0 / worst_usd)
    chat_server.play([say("Value: 3")])
    result = ask(bench_dir, chat_server, *args, "--sema-max-cost=2.0")
    result.assert_outcomes(passed=10, deselected=30)


def test_a_free_model_may_have_any_cap(bench_dir: BenchDir) -> None:
    """The reference model costs nothing and is never stopped."""
    bench_dir.run("--sema-model=reference", "--sema-max-cost=0.01").assert_outcomes(passed=4)
