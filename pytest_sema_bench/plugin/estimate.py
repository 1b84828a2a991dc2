"""`--sema-estimate`: what the run would cost, in place of the run."""

from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.plugin.items import items_to_run
from pytest_sema_bench.run.estimate import Estimate, estimate_lines, make_estimates
from pytest_sema_bench.run.run import Run


class Estimating:
    """Hooks that ask nobody."""

    def __init__(self, run: Run, report_dir: Path) -> None:
        self._run = run
        self._report_dir = report_dir
        self._estimates: tuple[Estimate, ...] = ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Look at the items and run none."""
        items = items_to_run(session)
        if session.testsfailed and not items:
            return None
        self._estimates = make_estimates(self._run.to_ask(items), self._report_dir)
        return True

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the estimate."""
        if self._estimates:
            terminalreporter.section("sema-bench estimate", sep="=")
            for line in estimate_lines(self._estimates):
                terminalreporter.write_line(line)
