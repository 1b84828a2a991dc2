"""--sema-concurrency: how many conversations are under way at once."""

import pytest

from tests.chat_server import ChatServer, Request, Step, after, solve
from tests.plugin.bench_dir import BenchDir

CASES: dict[str, tuple[tuple[str, ...], int]] = {
    "one": (("--sema-concurrency=1",), 1),
    "three": (("--sema-concurrency=3",), 3),
    "all nine by default": ((), 9),
    "two for each worker": (("--sema-concurrency=2", "-n2"), 4),
}


@pytest.mark.parametrize(("arguments", "n_at_once"), CASES.values(), ids=CASES)
def test_that_many_requests_are_in_flight_and_no_more(
    bench_dir: BenchDir, chat_server: ChatServer, arguments: tuple[str, ...], n_at_once: int
) -> None:
    """A process keeps as many calls in flight as it may, however the items are waited for."""
    right = solve(bench_dir.tasks)

    def wait_for_company(request: Request) -> Step:
        reached = chat_server.max_in_flight >= n_at_once
        return after(0.1 if reached else 2.0, right(request))

    chat_server.play(wait_for_company)
    options = ("--sema-config=bare", "--sema-samples=3", "-k", "not summing")
    bench_dir.ask(chat_server, *options, *arguments).assert_outcomes(passed=9)
    assert chat_server.max_in_flight == n_at_once
