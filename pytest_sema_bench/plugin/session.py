"""One pytest run of the bench: from settings to items, from records to the summary.

`BenchSession` is registered as a plugin object, so its hooks exist only in runs that ask for
models. It starts the agent loops ahead, in collection order; each item waits for its own.
Under xdist each worker does this for its share of the items and the controller sums up.
"""

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.agent.reference import check_references
from pytest_sema_bench.catalog.models import REFERENCE
from pytest_sema_bench.chat import Patience
from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.gate.policy import confirmations
from pytest_sema_bench.gate.verdict import Confirmation
from pytest_sema_bench.limits import open_ledger
from pytest_sema_bench.plugin.github import GitHubHooks, runs_on_github
from pytest_sema_bench.plugin.items import TaskFile, TaskItem
from pytest_sema_bench.plugin.options import read_plan, tasks_root
from pytest_sema_bench.plugin.progress import Progress, Terminal
from pytest_sema_bench.plugin.summary import Summing
from pytest_sema_bench.records.folder import RunFolder, check_writable
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.records.reader import RUN_FILE, read_items
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.engine import Engine, Terms, known_keys
from pytest_sema_bench.run.estimate import Estimate, estimate_lines, make_estimates
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.manifest import Plan, Run
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.suite.folder import SUITE_FILE, Suite, is_task_file, levels_of
from pytest_sema_bench.suite.task import Task, check_one_suite, check_unique, load_tasks

_SUMMING = "sema-bench-summing"
_POLL_S = 0.2
"""How soon a worker that waits for an item notices that the run is stopped."""


class BenchSession:
    """What a run of the bench knows; its methods are pytest's hooks."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._settings = plan.settings
        self._worker: dict[str, Any] | None = getattr(config, "workerinput", {}).get("sema_bench")
        self._is_worker = hasattr(config, "workerinput")
        self._started = self._worker["started"] if self._worker else time.time()
        self._tasks_root = tasks_root(plan.settings)
        self._levels = levels_of(self._tasks_root)
        self._tasks: dict[str, Task] = {}
        self._suite: Suite | None = None
        self._engine: Engine | None = None
        self._vm_info: VMInfo | None = None
        self._refusal: BenchError | None = None
        self._session: pytest.Session | None = None
        self._estimates: tuple[Estimate, ...] = ()
        self._progress: Progress | None = None
        self._terminal: Terminal | None = None
        self._began = False
        self._keys = known_keys(plan.models, os.environ, plan.docs.key_env)
        self._run = self._make_run()
        self._folder = self._run.folder
        self._summing = Summing(config, self._run, plan.judge)
        config.pluginmanager.register(self._summing, _SUMMING)
        if runs_on_github(os.environ) and not self._is_worker:
            config.pluginmanager.register(GitHubHooks(self._summing), "sema-bench-github")
        if config.pluginmanager.hasplugin("xdist"):
            from pytest_sema_bench.plugin.xdist import WorkerHooks

            hooks = WorkerHooks(config, self._folder, self._started)
            config.pluginmanager.register(hooks, "sema-bench-workers")

    @classmethod
    def from_config(cls, config: pytest.Config) -> "BenchSession":
        """The session for pytest's options. Raises SettingsError before anything is paid for."""
        plan = read_plan(config)
        if plan.settings.estimate:
            # Nothing is asked, so there is nothing to divide among workers.
            config.option.dist, config.option.tx = "no", []
        session = cls(config, plan)
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = [str(session._tasks_root)]
            config.args_source = pytest.Config.ArgsSource.ARGS
        for level in session._levels:
            config.addinivalue_line("markers", f"{level.name}: {level.meaning}")
        return session

    @property
    def shown_run_folder(self) -> Path:
        """The run folder as it is shown."""
        return self._summing.shown_run_folder

    def add_task(self, task: Task) -> None:
        """Take note of a collected task. Raises TaskError if it does not go with the others."""
        other = self._tasks.setdefault(task.id, task)
        if other.path != task.path:
            check_unique([other, task])
        self._suite = self._suite or task.suite
        check_one_suite(task, self._suite)

    def work_items(self, task: Task) -> Iterator[WorkItem]:
        """The task for each model, configuration and sample."""
        for model in self._plan.models:
            for config in self._plan.configs:
                for sample in range(1, self._settings.samples + 1):
                    yield WorkItem(task=task, model=model, config=config, sample=sample)

    def markers(self, task: Task) -> Iterator[str]:
        """The task's level and category, registered so that --strict-markers accepts them."""
        for name in filter(None, (task.level, task.category)):
            known = self._config.getini("markers")
            if not any(line.startswith(f"{name}:") for line in known):
                self._config.addinivalue_line("markers", f"{name}: tasks of {name}")
            yield name

    def result(self, work: WorkItem) -> Record:
        """The record of an item, waiting for it. Raises BenchError if the run did not begin."""
        if self._refusal is not None:
            raise self._refusal
        if kept := self._run.kept(work):
            return kept
        assert self._engine is not None
        while self._is_worker:
            self._stop_if_asked()
            if self._engine.is_done(work, within_s=_POLL_S):
                break
        return self._engine.result(work)

    def _stop_if_asked(self) -> None:
        """End this worker if the controller wants that: xdist would let it finish its share."""
        if self._folder.asks_to_stop:
            assert self._session is not None
            self._session.shouldstop = "the controller stops the run"
            pytest.exit(self._session.shouldstop, returncode=pytest.ExitCode.TESTS_FAILED)

    # Hooks, in the order pytest calls them.

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> TaskFile | None:
        """A collector for each task file."""
        if file_path.suffix not in (".yaml", ".yml") or not is_task_file(file_path):
            return None
        if not self._is_task(file_path):
            return None
        file: TaskFile = TaskFile.from_parent(parent, path=file_path, bench=self)
        return file

    def _is_task(self, path: Path) -> bool:
        """Whether it lies in a suite, in a level's folder, or was named on the command line."""
        return (
            path.is_relative_to(self._tasks_root)
            or path.parent.name in {level.name for level in self._levels}
            or (path.parent.parent / SUITE_FILE).is_file()
            or any(Path(arg.partition("::")[0]).resolve() == path for arg in self._config.args)
        )

    def pytest_report_header(self) -> str | None:
        """Which run is taken up, where that was asked for."""
        if self._settings.resume is None or self._is_worker:
            return None
        return f"sema-bench: {self._run.note}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Where workers will run the items, find out here, once, whether that can work."""
        self._session = session
        if not _has_workers(self._config) or self._config.option.collectonly:
            return
        try:
            self._open_engine([])
            self._make_folder()
            self._start_spending()
        except BenchError as error:
            raise pytest.UsageError(str(error)) from None
        assert self._engine is not None
        self._engine.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Open the VM and put this process's share of the items under way."""
        config = self._config
        stopped = session.testsfailed and not config.option.continue_on_collection_errors
        if config.option.collectonly or stopped or _has_workers(config):
            return None
        items = [item.work for item in session.items if isinstance(item, TaskItem)]
        if self._settings.estimate:
            self._estimates = make_estimates(self._to_ask(items), self._report_dir)
            return True
        if not items:
            return None
        try:
            self._begin(items)
        except BenchError as error:
            if not self._is_worker:
                raise pytest.UsageError(str(error)) from None
            # A worker that ends by itself is an internal error of xdist: its items say why.
            self._refusal = error
            return None
        assert self._engine is not None
        self._engine.start(self._to_ask(self._share(session.items)))
        return None

    def _begin(self, items: Sequence[WorkItem]) -> None:
        """Open the VM, then the run folder. Raises BenchError if the run cannot be made."""
        if any(model.name == REFERENCE for model in self._plan.models):
            check_references([work.task for work in items])
        self._open_engine([work.task for work in items])
        self._make_folder()
        if self._is_worker:
            self._run.look_again()
        else:
            self._start_spending()
        first = not self._worker or self._worker["index"] == 0
        # The first worker may have died before this; what is written is the same for all.
        if first or not (self._folder.path / RUN_FILE).is_file():
            assert self._vm_info is not None
            self._run.begin(items, self._vm_info, self._started)

    def _make_folder(self) -> None:
        try:
            self._folder.make()
        except OSError as error:
            text = f"--sema-report-dir: cannot make the run folder: {error}"
            raise SettingsError(text) from error
        if self._is_worker:
            return
        self._folder.take()
        self._folder.forget_stop()
        self._began = True
        if self._settings.record is not None:
            try:
                check_writable(self._settings.record)
            except OSError as error:
                raise SettingsError(f"--sema-record: cannot write there: {error}") from error

    def _start_spending(self) -> None:
        """Open the run's account, and show from now on how it goes. Raises SettingsError."""
        with closing(open_ledger()) as ledger:
            ledger.start_run(
                str(self._folder.path),
                cap_usd=self._settings.max_cost_usd,
                spent_usd=self._run.spent_usd,
                n_graded=self._run.n_kept,
            )
        has_terminal = self._config.pluginmanager.hasplugin("terminalreporter")
        if has_terminal and self._config.option.verbose > -2:
            self._terminal = Terminal(self._config)
            self._progress = Progress(
                str(self._folder.path),
                lambda: len(read_items(self._folder.path)),
                self._terminal.write_line,
            )
            self._progress.start()

    def _to_ask(self, items: Sequence[WorkItem]) -> list[WorkItem]:
        return [item for item in items if self._run.kept(item) is None]

    def _share(self, items: list[pytest.Item]) -> list[WorkItem]:
        """What this process will be asked for; nothing where that cannot be known ahead."""
        if self._is_worker:
            told = self._worker or {}
            if told.get("share") is not None:
                items = items[told["share"] :: told["n_shares"]]
            else:
                items = [items[index] for index in told.get("items") or () if index < len(items)]
        return [item.work for item in items if isinstance(item, TaskItem)]

    def _open_engine(self, tasks: list[Task], folder: RunFolder | None = None) -> None:
        n_cores = os.cpu_count() or 1
        n_processes = self._worker["n_shares"] if self._worker else 1
        self._engine = Engine(
            backend=self._settings.vm,
            concurrency=self._settings.concurrency,
            n_hosts=max(1, min(4, n_cores) // n_processes),
            terms=Terms(
                run=str(self._folder.path),
                started=self._started,
                shared=True,
                patience=self._patience(),
                record=self._settings.record,
                replay=self._settings.replay,
                docs=self._plan.docs,
                keys=self._keys,
            ),
            keep=(folder or self._folder).keep,
        )
        self._vm_info = self._engine.open(tasks)

    def _patience(self) -> Patience:
        timeout_s = self._settings.timeout_s
        if self._settings.replay is not None:
            return Patience(reply_s=timeout_s, first_wait_s=0.0, longest_wait_s=0.0)
        return Patience(reply_s=timeout_s, total_s=3 * timeout_s)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> None:
        """Cancel what is under way, then sum up what has a record."""
        if self._progress is not None:
            self._progress.stop()
        if self._terminal is not None:
            self._terminal.close()
        if self._engine is not None:
            self._engine.close()
        if self._is_worker:
            self._folder.close()
        elif self._began and read_items(self._folder.path):
            self._summing.sum_up(session, int(exitstatus), self._confirm)
            self._folder.close()
        else:
            self._folder.discard()

    def _confirm(self, broken: Sequence[TaskKey]) -> tuple[Confirmation, ...]:
        """Newly broken tasks run again, as further samples in a folder of their own."""
        if not self._settings.confirm:
            return ()
        tasks = self._tasks or {task.id: task for task in load_tasks(self._tasks_root)}
        items = [
            replace(work, sample=self._settings.samples + number)
            for task in tasks.values()
            for work in self.work_items(task)
            if work.sample == 1 and TaskKey(task.id, work.item.setup) in broken
            for number in range(1, self._settings.confirm + 1)
        ]
        folder = RunFolder(self._folder.path / "confirm", keys=self._keys)
        folder.make()
        try:
            self._open_engine(list(tasks.values()), folder)
            assert self._engine is not None
            self._engine.start(items)
            return confirmations(self._engine.result(item) for item in items)
        finally:
            if self._engine is not None:
                self._engine.close()
            folder.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the estimate, if that was asked for."""
        if self._estimates:
            terminalreporter.section("sema-bench estimate", sep="=")
            for line in estimate_lines(self._estimates):
                terminalreporter.write_line(line)

    @property
    def _report_dir(self) -> Path:
        folder = self._config.invocation_params.dir / self._settings.report_dir
        return folder.resolve()

    def _make_run(self) -> Run:
        """The run: a worker's is the controller's. Raises SettingsError."""
        if self._is_worker:
            if self._worker is None:
                raise SettingsError("the worker was started by a controller without sema-bench")
            process = self._config.workerinput["workerid"]  # type: ignore[attr-defined]
            path = Path(self._worker["run"])
            session = self._worker["session"]
            folder = RunFolder(path, keys=self._keys, process=process, session=session)
            return Run(self._plan, folder, None)
        try:
            earlier = self._plan.earlier(self._report_dir)
        except BenchError as error:
            raise SettingsError(str(error)) from error
        moment = datetime.fromtimestamp(self._started, UTC)
        new = self._report_dir / f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        session = earlier.n_sessions + 1 if earlier else 1
        folder = RunFolder(earlier.path if earlier else new, keys=self._keys, session=session)
        return Run(self._plan, folder, earlier)


def _has_workers(config: pytest.Config) -> bool:
    """Whether this process is an xdist controller, whose workers run the items."""
    return bool(getattr(config.option, "tx", None)) and not hasattr(config, "workerinput")
