"""The end of a run: how items are reported, the tables, the verdict, and what it all exits with.

Only the process that the user started sums up; xdist's workers report their items.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.policy import Judge, Judgement
from pytest_sema_bench.gate.verdict import Confirmation
from pytest_sema_bench.plugin.items import TaskItem, VoidItem, WrongAnswer
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.records.outcome import Void
from pytest_sema_bench.records.reader import RunData, read_manifest, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.as_json import verdict_facts
from pytest_sema_bench.report.gate import judgement_lines
from pytest_sema_bench.report.html import write_report
from pytest_sema_bench.report.runs import merge_runs
from pytest_sema_bench.report.summary import error_lines, table_lines
from pytest_sema_bench.run.manifest import Run
from pytest_sema_bench.tables.levels import Table, make_tables
from pytest_sema_bench.tables.vm_errors import ErrorTable, make_error_tables

BUDGET_SPENT = 11
"""Exit status of a run that its cap on cost ended."""
BENCH_ITEM = "sema_bench_item"
"""Attribute of a report that holds the key of its item; it crosses from xdist's workers."""
_PHASES = ("setup", "call", "teardown")
Confirm = Callable[[Sequence[TaskKey]], tuple[Confirmation, ...]]
"""Runs tasks again and gives what came of it."""


class Summing:
    """Hooks that report items and sum up the run."""

    def __init__(self, config: pytest.Config, run: Run, judge: Judge | None) -> None:
        self._config = config
        self._run = run
        self._judge = judge
        self.judgement: Judgement | None = None
        self.tables: tuple[Table, ...] = ()
        self.records: tuple[Record, ...] = ()
        self._error_tables: tuple[ErrorTable, ...] = ()
        self._trouble: list[str] = []
        self._others_failed = False

    @property
    def shown_run_folder(self) -> Path:
        """The run folder as it is shown: relative to where pytest was called, if below it."""
        try:
            return self._run.folder.path.relative_to(self._config.invocation_params.dir)
        except ValueError:
            return self._run.folder.path

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
            if self._judge is not None and report.when == "call":
                _expect(report, self._failed_before(item), call)
        return report

    def _failed_before(self, item: TaskItem) -> bool | None:
        work = item.work
        if self._judge is None:
            return None
        key = TaskKey(work.task.id, work.item.setup)
        return self._judge.failed_before(key, work.task.task_hash)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of failed tests that are none of the bench's: the gate has no say in them."""
        # The report of a worker that died has neither phase nor item: its item has no record.
        if report.failed and report.when in _PHASES and not hasattr(report, BENCH_ITEM):
            self._others_failed = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of files that could not be read, where pytest goes on all the same."""
        if report.failed:
            self._others_failed = True

    def sum_up(self, session: pytest.Session, exit_status: int, confirm: Confirm) -> None:
        """Tables and verdict, in files and kept for the terminal; sets the exit status."""
        folder = self._run.folder
        folder.forget_stop()
        try:
            run = read_run(folder.path, may_be_empty=True)
        except BenchError as error:
            self._trouble.append(f"sema-bench: no table and no verdict: {error}")
            return
        self.records, levels = run.records, run.manifest.levels
        self.tables = make_tables(run.records, run.items, levels)
        self._error_tables = make_error_tables(run.records, levels)
        self._run.end(run, exit_status)
        run = replace(run, manifest=read_manifest(folder.path))
        if exit_status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._judge_run(run, confirm)
            session.exitstatus = self._exit_status(exit_status, run.records)
            self._run.add(exit_status=session.exitstatus)
        if self.judgement is not None:
            self._run.add(gate=verdict_facts(self.judgement.verdict))
        self._write_report(run)
        folder.write_summary("\n".join([f"# {folder.path.name}\n", *self._lines(markdown=True)]))

    def _write_report(self, run: RunData) -> None:
        """report.html; a run without one is still a run."""
        judgement = self.judgement
        try:
            write_report(
                merge_runs([run]),
                run.path / "report.html",
                verdict=judgement.verdict if judgement else None,
                compared=judgement.compared if judgement else None,
            )
        except (BenchError, OSError) as error:
            self._trouble.append(f"sema-bench: no report.html: {error}")

    @property
    def newly_broken(self) -> frozenset[TaskKey]:
        """What passed in the baseline and failed now."""
        compared = self.judgement.compared if self.judgement else None
        return frozenset(
            TaskKey(pair.task, comparison.run.setup)
            for comparison in (compared.comparisons if compared else ())
            for pair in comparison.worse
        )

    def _judge_run(self, run: RunData, confirm: Confirm) -> None:
        if self._judge is None:
            return
        self.judgement = self._judge.judge(run)
        doubtful = self._judge.to_confirm(self.judgement)
        try:
            if doubtful and (confirmations := confirm(doubtful)):
                self.judgement = self._judge.judge(run, confirmations)
        except BenchError as error:
            self._trouble.append(f"sema-bench: the broken tasks were not confirmed: {error}")

    def _exit_status(self, exit_status: int, records: Sequence[Record]) -> int:
        """The gate's; without one pytest's, but that a spent budget has a status of its own."""
        if self._others_failed:
            return int(pytest.ExitCode.TESTS_FAILED)
        if self.judgement is not None and self._judge is not None and self._judge.decides:
            return self.judgement.verdict.exit_status
        spent = any(record.reason is Void.BUDGET for record in records)
        return BUDGET_SPENT if spent else exit_status

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables and the verdict."""
        if not self.tables and not self._trouble:
            return
        terminalreporter.section("sema-bench", sep="=")
        for line in (*self._lines(), *self._trouble):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"run folder: {self.shown_run_folder}")
        terminalreporter.write_line(f"report:     {self.shown_run_folder / 'report.html'}")

    def _lines(self, *, markdown: bool = False) -> Iterator[str]:
        yield from table_lines(self.tables, markdown=markdown)
        yield from error_lines(self._error_tables, markdown=markdown)
        if self.judgement is not None and self._judge is not None:
            yield from judgement_lines(self._judge, self.judgement, markdown=markdown)
            yield ""


def _expect(
    report: pytest.TestReport, failed_before: bool | None, call: "pytest.CallInfo[None]"
) -> None:
    """What failed in the baseline is an expected failure, and news if it passes now."""
    if not failed_before:
        return
    if report.passed:
        report.wasxfail = "newly solved: it failed in the baseline"
    elif call.excinfo is not None and isinstance(call.excinfo.value, WrongAnswer):
        report.outcome = "skipped"
        report.wasxfail = "it failed in the baseline too"
