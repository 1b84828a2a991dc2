"""The line that says how a run is going."""

from pytest_sema_bench.limits import RunState
from pytest_sema_bench.plugin.progress import Progress, progress_line

STATE = RunState(cap_usd=0.5, spent_usd=0.1234, in_flight=8, n_retries=5, n_graded=24, n_void=3)


def test_a_line_tells_money_calls_retries_and_void() -> None:
    """With the cap where there is one, and a question mark while the items are not counted."""
    expected = "sema-bench: 24 of 60 graded, 3 void, 8 calls in flight, 5 retries, $0.1234"
    assert progress_line(STATE, 60).startswith(expected)
    assert "of $0.5" in progress_line(STATE, 60)
    assert "24 of ? graded" in progress_line(STATE, 0)


def test_a_watch_that_is_stopped_at_once_prints_nothing() -> None:
    """A short run has no lines of progress, and ends without waiting for one."""
    lines: list[str] = []
    watch = Progress("a run", lambda: 1, lines.append)
    watch.start()
    watch.stop()
    watch.stop()
    assert lines == []


def test_a_watch_may_be_stopped_before_it_was_started() -> None:
    """A run that fails while it begins ends cleanly."""
    Progress("a run", lambda: 1, print).stop()
