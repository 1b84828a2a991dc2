"""Task files as pytest collectors, and their items."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import BenchError, CannotWrite, StopAsked, TaskError
from pytest_sema_bench.grading.soundness import Soundness
from pytest_sema_bench.plugin.session import is_dry
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.github import junit_properties, without_commands
from pytest_sema_bench.report.item_text import failure_lines, void_lines
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.run import Run
from pytest_sema_bench.suite.task import Task, load_task


class FailedItem(AssertionError):
    """The model's answer is wrong; carries the record."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.reason)
        self.record = record


class VoidItem(Exception):
    """The item says nothing about the model; carries the record."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"{record.reason}: {record.detail}")
        self.record = record


class TaskFile(pytest.File):
    """One YAML file: one item per model, configuration and sample."""

    def __init__(self, *, run: Run, soundness: Soundness, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._run = run
        self._soundness = soundness

    def collect(self) -> Iterator["TaskItem"]:
        """The file's items. A task that no answer could pass is an error with file and line."""
        try:
            task = load_task(self.path)
            self._run.add_task(task)
            if not is_dry(self.config):
                self._soundness.check(task)
        except TaskError as error:
            raise self.CollectError(str(error)) from None
        markers = tuple(_markers(task, self.config))
        for work in self._run.plan.items(task):
            # The id as a text: pytest 9.2 would not see that `[…]` is not part of the name, and
            # --lf, which reads ids as texts, would not find the item again.
            node_id = f"{self.nodeid}::{work.name}"
            yield TaskItem.from_parent(
                self, name=work.name, nodeid=node_id, work=work, run=self._run, markers=markers
            )


class TaskItem(pytest.Item):
    """One task for one model in one configuration, one sample of it."""

    def __init__(self, *, work: WorkItem, run: Run, markers: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work
        self._run = run
        self._record: Record | None = None
        for marker in markers:
            self.add_marker(marker)
        # For -k, as failures, gate and folders call the task so.
        self.extra_keyword_matches.add(work.task.id)

    def setup(self) -> None:
        """Wait for the verdict. What is not the model's doing is raised here, as an error."""
        if is_dry(self.config):  # --setup-plan gets this far
            return
        try:
            self._record = self._run.result(self.work)
        except StopAsked as stop:
            # xdist would let this worker finish its share.
            self.session.shouldstop = str(stop)
            pytest.exit(str(stop), returncode=pytest.ExitCode.TESTS_FAILED)
        except CannotWrite as full:
            self.session.shouldstop = f"sema-bench: {full}"
            raise
        if not self._record.graded:
            raise VoidItem(self._record)

    def runtest(self) -> None:
        """Fail if the answer was wrong."""
        if self._record is not None and not self._record.passed:
            raise FailedItem(self._record)

    def teardown(self) -> None:
        """Give JUnit its properties, which it takes from the last of the item's three reports."""
        if self._record is not None:
            self.user_properties += junit_properties(self._record)

    def repr_failure(
        self, excinfo: "pytest.ExceptionInfo[BaseException]", style: Any = None
    ) -> Any:
        """A few lines that say what was asked, what was wrong, and where to read on."""
        run = shown_folder(self._run, self.config)
        if isinstance(excinfo.value, FailedItem):
            lines = failure_lines(excinfo.value.record, self.work.shown.prompt, run)
        elif isinstance(excinfo.value, VoidItem):
            lines = void_lines(excinfo.value.record, run)
        elif isinstance(excinfo.value, BenchError):
            return str(excinfo.value)
        else:
            return super().repr_failure(excinfo)
        text = "\n".join(lines)
        # What a model writes must not become a command to the runner that reads the log.
        return without_commands(text) if "GITHUB_ACTIONS" in os.environ else text

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line of the prompt and name."""
        return self.path, self.work.task.line - 1, self.name


def items_to_run(session: pytest.Session) -> list[WorkItem]:
    """What the collected task items ask; nothing if the run ends here for a collection error."""
    if session.testsfailed and not session.config.option.continue_on_collection_errors:
        return []
    return [item.work for item in session.items if isinstance(item, TaskItem)]


def shown_folder(run: Run, config: pytest.Config) -> Path:
    """The run folder as it is shown: relative to where pytest was called, if below it."""
    path, here = run.folder.path, config.invocation_params.dir
    return path.relative_to(here) if path.is_relative_to(here) else path


def _markers(task: Task, config: pytest.Config) -> Iterator[str]:
    """The task's level and category, registered so that --strict-markers accepts them."""
    for name in filter(None, (task.level, task.category)):
        if not any(line.startswith(f"{name}:") for line in config.getini("markers")):
            config.addinivalue_line("markers", f"{name}: tasks of {name}")
        yield name
