"""The thread that says how a run is going."""

from pathlib import Path

from pytest_sema_bench.plugin.progress import Progress


def test_a_watch_that_is_stopped_at_once_prints_nothing(tmp_path: Path) -> None:
    """A short run has no lines of progress, and ends without waiting for one."""
    lines: list[str] = []
    watch = Progress(tmp_path, lines.append)
    watch.start()
    watch.stop()
    watch.stop()
    assert lines == []


def test_a_watch_may_be_stopped_before_it_was_started(tmp_path: Path) -> None:
    """A run that fails while it begins ends cleanly."""
    Progress(tmp_path, print).stop()
