"""How items are reported: whose they are, what is not the model's doing, what was expected."""

import gc
from collections.abc import Generator

import pytest

from pytest_sema_bench.errors import BenchError, CannotWrite
from pytest_sema_bench.plugin.items import FailedItem, TaskItem, VoidItem
from pytest_sema_bench.run.run import Run

BENCH_ITEM = "sema_bench_item"
"""Attribute of a report that holds the key of its item; it crosses from xdist's workers."""

CANNOT_WRITE = "sema_bench_cannot_write"
"""Attribute of a report that holds why nothing more could be kept."""


class Reporting:
    """Hooks of every process that runs items."""

    def __init__(self, run: Run) -> None:
        self._judge = run.plan.judge

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Have Python look for garbage again, but not in what stays: that took a tenth of a run."""
        gc.freeze()
        gc.enable()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """No more garbage is looked for: pytest keeps three reports of each item."""
        gc.freeze()
        gc.disable()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What is not the model's doing in a few lines; what the baseline leads to expect."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, VoidItem | BenchError):
            report.longrepr = str(item.repr_failure(call.excinfo))
        if isinstance(item, TaskItem):
            setattr(report, BENCH_ITEM, item.work.key)
            if call.excinfo is not None and isinstance(call.excinfo.value, CannotWrite):
                setattr(report, CANNOT_WRITE, str(call.excinfo.value))
            if self._judge is not None and report.when == "call":
                _expect(report, self._failed_before(item), call)
        return report

    def _failed_before(self, item: TaskItem) -> bool | None:
        work = item.work
        if self._judge is None:
            return None
        return self._judge.failed_before(work.item.task_key, work.task.task_hash)


def _expect(
    report: pytest.TestReport, failed_before: bool | None, call: "pytest.CallInfo[None]"
) -> None:
    """What failed in the baseline is an expected failure, and news if it passes now."""
    if not failed_before:
        return
    if report.passed:
        report.wasxfail = "newly solved: it failed in the baseline"
    elif call.excinfo is not None and isinstance(call.excinfo.value, FailedItem):
        report.outcome = "skipped"
        report.wasxfail = "it failed in the baseline too"
