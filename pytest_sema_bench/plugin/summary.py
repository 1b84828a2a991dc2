"""The end of a run: the tables, the verdict, and what it all exits with."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from pytest_sema_bench.errors import BenchError, CannotWrite
from pytest_sema_bench.gate.policy import Judgement
from pytest_sema_bench.plugin.items import shown_folder
from pytest_sema_bench.plugin.progress import say
from pytest_sema_bench.plugin.reporting import BENCH_ITEM, CANNOT_WRITE
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.records.outcome import Void
from pytest_sema_bench.records.reader import RunData, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.as_json import verdict_facts
from pytest_sema_bench.report.counted import CountedRun
from pytest_sema_bench.report.gate import judgement_lines
from pytest_sema_bench.report.runs import merge_runs
from pytest_sema_bench.run.run import Run

INCOMPLETE = 11
"""Exit status of a run that its cap on cost ended, or a full disk."""
_PHASES = ("setup", "call", "teardown")


class Summary:
    """Hooks that sum up the run."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self.shown_run_folder = shown_folder(run, config)
        self._run = run
        self._judge = run.plan.judge
        self.judgement: Judgement | None = None
        self.counted = CountedRun()
        self._trouble: list[str] = []
        self._others_failed = False
        self._preparing: Thread | None = None
        self._skipped: set[str | None] = set()
        """The keys of items that the user's own hooks skipped."""
        self.cannot_write: str | None = None
        """Why what was asked could not be kept, or its sum not be written."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of failed tests that are none of the bench's: the gate has no say in them."""
        if self._preparing is None:
            # Not here: a signal that ends the run would leave a module half imported.
            self._preparing = Thread(target=self._prepare, name="sema-bench-imports")
            self._preparing.start()
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.add(getattr(report, BENCH_ITEM, None))
        self.cannot_write = getattr(report, CANNOT_WRITE, self.cannot_write)
        # The report of a worker that died has neither phase nor item: its item has no record.
        if report.failed and report.when in _PHASES and not hasattr(report, BENCH_ITEM):
            self._others_failed = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of files that could not be read, where pytest goes on all the same."""
        if report.failed:
            self._others_failed = True

    def _prepare(self) -> None:
        """Import what the end needs, while most items are still under way."""
        if self._judge is None:
            from pytest_sema_bench.gate import power  # noqa: F401
        from pytest_sema_bench.report import html  # noqa: F401

    def sum_up(self, session: pytest.Session, exit_status: int) -> None:
        """Tables and verdict, in files and kept for the terminal; sets the exit status."""
        folder = self._run.folder
        try:
            folder.forget_stop()
            self._write(session, self._count(), exit_status)
        except OSError as error:
            self.cannot_write = self.cannot_write or str(CannotWrite(folder.path, error))
        except BenchError as error:
            self._trouble.append(f"no table and no verdict: {error}")
        if self.cannot_write is not None:
            self._trouble.append(self.cannot_write)
            session.exitstatus = INCOMPLETE
        if not session.config.pluginmanager.hasplugin("terminalreporter"):
            say(session.config, f"the table is in {self.shown_run_folder / 'summary.md'}")
            for line in self._trouble:
                say(session.config, line)

    def _count(self) -> RunData:
        """The run as its folder holds it, in tables. Raises BenchError if it cannot be read."""
        run = read_run(self._run.folder.path, may_be_empty=True)
        # Pytest counts what the user skipped; it is not missing.
        unskipped = tuple(entry for entry in run.items if entry.key not in self._skipped)
        run = replace(run, items=unskipped)
        self.counted = CountedRun.of(run)
        return run

    def _write(self, session: pytest.Session, run: RunData, exit_status: int) -> None:
        """How the run ended, the verdict, report and summary in its folder. Raises OSError."""
        folder, manifest = self._run.folder, self._run.manifest
        if not self._run.is_shown_again:
            run = manifest.end(run, exit_status)
        if exit_status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._judge_run(run)
            session.exitstatus = self._exit_status(exit_status, run.records)
            run = manifest.add(run, exit_status=session.exitstatus)
        if self.judgement is not None:
            run = manifest.add(run, gate=verdict_facts(self.judgement.verdict))
        self._write_report(run)
        folder.write_summary("\n".join([f"# {folder.path.name}\n", *self._lines(markdown=True)]))

    def _write_report(self, run: RunData) -> None:
        """report.html; a run without one is still a run."""
        from pytest_sema_bench.report.html import write_report

        judgement = self.judgement
        try:
            write_report(
                merge_runs([run]),
                run.path / "report.html",
                verdict=judgement.verdict if judgement else None,
                compared=judgement.compared if judgement else None,
            )
        except (BenchError, OSError) as error:
            self._trouble.append(f"no report.html: {error}")

    @property
    def newly_broken(self) -> frozenset[TaskKey]:
        """What passed in the baseline and failed now."""
        compared = self.judgement.compared if self.judgement else None
        return frozenset(
            TaskKey(pair.task, comparison.run.setup)
            for comparison in (compared.comparisons if compared else ())
            for pair in comparison.worse
        )

    def _judge_run(self, run: RunData) -> None:
        if self._judge is None:
            return
        self.judgement = self._judge.judge(run)
        doubtful = self.judgement.doubtful
        try:
            if doubtful and (confirmations := self._run.confirm(doubtful)):
                self.judgement = self._judge.judge(run, confirmations)
        except BenchError as error:
            self._trouble.append(f"the broken tasks were not confirmed: {error}")

    def _exit_status(self, exit_status: int, records: Sequence[Record]) -> int:
        """The gate's; without one pytest's, but that a spent budget has a status of its own."""
        if self._others_failed:
            return int(pytest.ExitCode.TESTS_FAILED)
        if self.judgement is not None and self._judge is not None and self._judge.decides:
            return self.judgement.verdict.exit_status
        spent = any(record.reason is Void.BUDGET for record in records)
        return INCOMPLETE if spent else exit_status

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables and the verdict."""
        if not self.counted.tables and not self._trouble:
            return
        terminalreporter.section("sema-bench", sep="=")
        for line in self._lines():
            terminalreporter.write_line(line)
        for line in self._trouble:
            terminalreporter.write_line(f"sema-bench: {line}")
        terminalreporter.write_line(f"run folder: {self.shown_run_folder}")
        if (self._run.folder.path / "report.html").is_file():
            terminalreporter.write_line(f"report:     {self.shown_run_folder / 'report.html'}")

    def _lines(self, *, markdown: bool = False) -> Iterator[str]:
        yield from self.counted.lines(markdown=markdown)
        if self.judgement is not None and self._judge is not None:
            yield from judgement_lines(self._judge, self.judgement, markdown=markdown)
            yield ""
