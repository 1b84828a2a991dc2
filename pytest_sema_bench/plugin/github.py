"""What a run tells GitHub Actions: the step summary, and annotations at the tasks' files.

Registered only where GitHub runs the job. GitLab and others read JUnit's file, which `items`
gives its properties.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.plugin.reporting import BENCH_ITEM
from pytest_sema_bench.plugin.summary import Summary
from pytest_sema_bench.report.github import (
    MAX_ANNOTATIONS,
    failure_annotation,
    summary_markdown,
)

_SUMMARY = "GITHUB_STEP_SUMMARY"


class GitHubHooks:
    """Hooks that write what GitHub shows."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._places: dict[str, tuple[str, int]] = {}
        """Of items that failed, by key: the task's file and line."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of where a failed item's task stands."""
        key = getattr(report, BENCH_ITEM, None)
        path, line, _ = report.location
        # What lies outside of the project, such as the bundled tasks, has no place in its diff.
        if key and report.failed and line is not None and not path.startswith(".."):
            self._places[key] = path, line + 1

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write the step summary, then print the annotations."""
        if not self._summary.counted.tables:
            return
        if path := os.environ.get(_SUMMARY):
            judgement = self._summary.judgement
            text = summary_markdown(
                self._summary.shown_run_folder.name,
                self._summary.counted.tables,
                judgement.verdict if judgement else None,
                judgement.compared if judgement else None,
            )
            try:
                with Path(path).open("a", encoding="utf-8", errors="replace") as file:
                    file.write(text)
            except OSError as error:
                terminalreporter.write_line(f"sema-bench: no step summary: {error}")
        for line in self._annotations():
            terminalreporter.write_line(line)

    def _annotations(self) -> Iterator[str]:
        records = {record.key: record for record in self._summary.counted.records}
        failed = [(records[key], place) for key, place in self._places.items() if key in records]
        broken = self._summary.newly_broken
        # What is newly broken first, for GitHub shows a few only.
        failed.sort(key=lambda entry: entry[0].item.task_key not in broken)
        for record, (path, line) in failed[:MAX_ANNOTATIONS]:
            yield failure_annotation(record, path, line, broken=record.item.task_key in broken)


def runs_on_github(environment: Mapping[str, str]) -> bool:
    """Whether GitHub Actions runs this process."""
    return environment.get("GITHUB_ACTIONS") == "true" or bool(environment.get(_SUMMARY))
