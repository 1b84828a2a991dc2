"""--sema-estimate: what a run would cost, without asking anybody."""

import pytest

from tests.chat_server import ChatServer, say
from tests.plugin.bench_dir import KEY_NAME, BenchDir

_MODELS = f"""\
models:
  priced:
    base_url: URL
    key_env: {KEY_NAME}
    id: m
    price: {{input: 10, output: 1000}}
"""


@pytest.fixture
def priced(bench_dir: BenchDir, chat_server: ChatServer) -> BenchDir:
    """The project, with a model on the server that has a price."""
    text = _MODELS.replace("URL", chat_server.url)
    (bench_dir.path / "sema-models.yaml").write_text(text)
    return bench_dir


def estimated(result: pytest.RunResult, name: str = "priced-tools") -> list[str]:
    """The cells of a model's row: items, from records, two counts of tokens, cost."""
    row = next(line for line in result.outlines if line.startswith(name))
    return row.removeprefix(name).split()


def test_an_estimate_asks_nobody_and_leaves_nothing(
    priced: BenchDir,
    chat_server: ChatServer,
    workers: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A table, exit status 0, no run folder; no key is needed."""
    monkeypatch.delenv(KEY_NAME)
    result = priced.run("--sema-model=priced", "--sema-estimate", "--sema-samples=3", *workers)
    assert result.ret == pytest.ExitCode.OK
    assert chat_server.n_requests == 0
    assert not (priced.path / "reports").exists()
    n_items, n_known, prompt, completion, cost = estimated(result)
    assert (n_items, n_known) == ("12", "0")
    total = (int(prompt.replace(",", "")) * 10 + int(completion.replace(",", "")) * 1000) / 1e6
    assert float(cost) == pytest.approx(total, abs=0.01)
    assert total > 0
    result.stdout.fnmatch_lines(["in all about $*", "without records of earlier runs: *"])


def test_records_of_an_earlier_run_are_better_than_a_guess(
    priced: BenchDir, chat_server: ChatServer
) -> None:
    """The tokens that a task took are those that it will take."""
    chat_server.play([say("Value: 3")])
    priced.run("--sema-model=priced", "-k", "adding or palindrome")
    n_requests = chat_server.n_requests
    result = priced.run("--sema-model=priced", "--sema-estimate", "--sema-samples=10")
    n_items, n_known, *_ = estimated(result)
    assert (n_items, n_known) == ("40", "20")
    known = priced.run("--sema-model=priced", "--sema-estimate", "-k", "adding or palindrome")
    # Two items of 100 + 10 tokens each, as the server said.
    assert estimated(known) == ["2", "2", "200", "20", "0.02"]
    assert not any("without records" in line for line in known.outlines)
    assert chat_server.n_requests == n_requests


def test_a_model_without_a_price_is_estimated_in_tokens(bench_dir: BenchDir) -> None:
    """The cost is left open, and said to be."""
    args = ("--sema-model=m", "--sema-base-url=http://127.0.0.1:9/v1", "--sema-estimate")
    result = bench_dir.run(*args)
    assert result.ret == pytest.ExitCode.OK
    assert estimated(result, "m-tools")[-1] == "?"
    result.stdout.fnmatch_lines(["in all about $0.00, and what has no price"])
    assert not (bench_dir.path / "reports").exists()


def test_an_estimate_of_no_model_is_a_usage_error(bench_dir: BenchDir) -> None:
    """It says what is missing, where it used to do nothing."""
    result = bench_dir.run_here("--sema-estimate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-estimate: say of what, with --sema-model"])
