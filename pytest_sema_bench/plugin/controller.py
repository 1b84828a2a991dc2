"""The process that the user started: it makes the run, and sums up what came of it."""

from contextlib import ExitStack

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.plugin.items import items_to_run
from pytest_sema_bench.plugin.progress import say, shown_progress
from pytest_sema_bench.plugin.signals import Received, ended_in_order
from pytest_sema_bench.plugin.summary import INCOMPLETE, Summary
from pytest_sema_bench.records.reader import ITEMS_FILE
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.run import Run


class Controller:
    """Hooks that make a run, start its items if no workers do, and end it."""

    def __init__(
        self, config: pytest.Config, run: Run, summary: Summary, *, has_workers: bool
    ) -> None:
        self._config = config
        self._run = run
        self._summary = summary
        self._has_workers = has_workers
        self._received = Received()
        self._showing = ExitStack()
        """What shows how the run goes and what ends it in order, while it goes."""
        # A run that is interrupted while its workers are made has no end of a session.
        config.add_cleanup(self._run.close)
        config.add_cleanup(self._showing.close)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Say what is taken up, and where workers will run the items whether that can work."""
        self._received = self._showing.enter_context(ended_in_order())
        if self._run.plan.settings.resume is not None:
            say(self._config, self._run.note)
        if self._has_workers:
            # A trial: workers have VMs of their own, but what is wrong is said once, before that.
            try:
                self._open([])
            except pytest.exit.Exception as error:
                error.returncode = self._received.status  # there will be no summary to leave out
                raise
            self._run.stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Open the VM and put the items under way."""
        items = items_to_run(session)
        if items and not self._has_workers:
            self._open(items)
            self._run.ask(items)

    def _open(self, items: list[WorkItem]) -> None:
        try:
            self._run.open(items)
        except BenchError as error:
            raise pytest.UsageError(str(error)) from None
        if self._run.remark is not None:
            say(self._config, self._run.remark)
        self._showing.enter_context(shown_progress(self._config, self._run))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> None:
        """Cancel what is under way, then sum up what has a record."""
        self._showing.close()
        self._run.stop()
        path = self._run.folder.path
        if self._run.began and ((path / ITEMS_FILE).is_file() or not path.is_dir()):
            self._summary.sum_up(session, self._received.status or int(exitstatus))
        elif self._summary.cannot_write is not None:
            session.exitstatus = INCOMPLETE  # no worker could begin
        self._run.close()
        if self._received.status is not None:
            session.exitstatus = self._received.status
