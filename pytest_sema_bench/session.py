"""One pytest run of the bench: from settings to items, from records to the summary.

`BenchSession` is registered as a plugin object, so its hooks exist only in runs that ask for
models. It starts the agent loops ahead, in collection order; each item waits for its own.
Under xdist each worker does this for its share of the items and the controller sums up.
"""

import os
import secrets
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.aggregate import Expected, Table, make_tables
from pytest_sema_bench.chat import Patience
from pytest_sema_bench.collect import TaskFile, TaskItem, VoidItem
from pytest_sema_bench.engine import Engine, WorkItem, known_keys
from pytest_sema_bench.errors import BenchError, SettingsError, TaskError, VMError
from pytest_sema_bench.grade.grader import GRADER_VERSION
from pytest_sema_bench.models import REFERENCE, Model, load_registry
from pytest_sema_bench.provenance import git_commit, machine, versions
from pytest_sema_bench.record import Record
from pytest_sema_bench.reference import check_references
from pytest_sema_bench.report.summary import error_lines, table_lines
from pytest_sema_bench.settings import Config, Settings, make_settings, read_pyproject
from pytest_sema_bench.store import RunFolder, read_records
from pytest_sema_bench.task import LEVELS, Task, bundled_tasks
from pytest_sema_bench.telemetry import ErrorTable, make_error_tables
from pytest_sema_bench.tools import check_tool_names
from pytest_sema_bench.vm import BACKENDS, VMInfo

_OPTIONS = (
    ("models", "sema_model"),
    ("configs", "sema_config"),
    ("samples", "sema_samples"),
    ("concurrency", "sema_concurrency"),
    ("vm", "sema_vm"),
    ("tasks", "sema_tasks"),
    ("report_dir", "sema_report_dir"),
    ("base_url", "sema_base_url"),
    ("api_key_env", "sema_api_key_env"),
    ("timeout_s", "sema_timeout"),
)


_POLL_S = 0.2
"""How soon a worker that waits for an item notices that the run is stopped."""


class BenchSession:
    """What a run of the bench knows; its methods are pytest's hooks."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        models: Sequence[Model],
        configs: Sequence[Config],
    ) -> None:
        self._config = config
        self._settings = settings
        self._models = tuple(models)
        self._configs = tuple(configs)
        self._tasks_root = (settings.tasks or bundled_tasks()).resolve()
        self._tasks: dict[str, Task] = {}
        self._engine: Engine | None = None
        self._vm_info: VMInfo | None = None
        self._refusal: BenchError | None = None
        self._session: pytest.Session | None = None
        self._started = datetime.now(UTC)
        self._tables: tuple[Table, ...] = ()
        self._error_tables: tuple[ErrorTable, ...] = ()
        self._trouble: list[str] = []
        self._worker: dict[str, Any] | None = getattr(config, "workerinput", {}).get("sema_bench")
        self._is_worker = hasattr(config, "workerinput")
        self._folder = RunFolder(
            self._run_path(),
            keys=known_keys(models, os.environ),
            process=config.workerinput["workerid"] if self._is_worker else None,  # type: ignore[attr-defined]
        )
        if config.pluginmanager.hasplugin("xdist"):
            from pytest_sema_bench.workers import WorkerHooks

            config.pluginmanager.register(WorkerHooks(config, self._folder), "sema-bench-workers")

    @classmethod
    def from_config(cls, config: pytest.Config) -> "BenchSession":
        """The session for pytest's options. Raises SettingsError before anything is paid for."""
        given = {name: config.getoption(option) for name, option in _OPTIONS}
        settings = make_settings(given, read_pyproject(config.rootpath), config.rootpath)
        if settings.vm not in BACKENDS:
            raise SettingsError(
                f"--sema-vm: unknown backend {settings.vm!r}; there is {', '.join(BACKENDS)}"
            )
        if config.getoption("dist", "no") == "each":
            raise SettingsError(
                "--dist=each would ask every question once per worker and pay for each; "
                "to ask more than once use --sema-samples"
            )
        registry = load_registry(config.rootpath)
        models = [
            registry.model(name, settings.base_url, settings.api_key_env)
            for name in settings.models
        ]
        configs = [registry.config(name) for name in settings.configs]
        for chosen in configs:
            check_tool_names(chosen.tools)
        if not config.option.collectonly:
            _check_keys(models)
        session = cls(config, settings, models, configs)
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = [str(session._tasks_root)]
            config.args_source = pytest.Config.ArgsSource.ARGS
        for level in LEVELS:
            config.addinivalue_line("markers", f"L{level}: tasks of level {level}")
        return session

    @property
    def shown_run_folder(self) -> Path:
        """The run folder as it is shown: relative to where pytest was called, if below it."""
        try:
            return self._folder.path.relative_to(self._config.invocation_params.dir)
        except ValueError:
            return self._folder.path

    def add_task(self, task: Task) -> None:
        """Take note of a collected task. Raises TaskError if its id is taken."""
        other = self._tasks.setdefault(task.id, task)
        if other.path != task.path:
            raise TaskError(task.path, 1, f"id {task.id!r} is taken by {other.path}")

    def work_items(self, task: Task) -> Iterator[WorkItem]:
        """The task for each model, configuration and sample."""
        for model in self._models:
            for config in self._configs:
                for sample in range(1, self._settings.samples + 1):
                    yield WorkItem(task=task, model=model, config=config, sample=sample)

    def markers(self, task: Task) -> Iterator[str]:
        """The task's level and category, registered so that --strict-markers accepts them."""
        if task.level is not None:
            yield f"L{task.level}"
        if task.category is not None:
            known = f"{task.category}: tasks about {task.category}"
            if known not in self._config.getini("markers"):
                self._config.addinivalue_line("markers", known)
            yield task.category

    def result(self, work: WorkItem) -> Record:
        """The record of an item, waiting for it. Raises BenchError if the run did not begin."""
        if self._refusal is not None:
            raise self._refusal
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
        if file_path.suffix not in (".yaml", ".yml") or not self._is_task(file_path):
            return None
        file: TaskFile = TaskFile.from_parent(parent, path=file_path, bench=self)
        return file

    def _is_task(self, path: Path) -> bool:
        """Whether it lies in the suite, in a level's folder, or was named on the command line."""
        return (
            path.is_relative_to(self._tasks_root)
            or path.parent.name in {f"L{level}" for level in LEVELS}
            or any(Path(arg.partition("::")[0]).resolve() == path for arg in self._config.args)
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Where workers will run the items, find out here, once, whether the VM works."""
        self._session = session
        if _has_workers(self._config) and not self._config.option.collectonly:
            try:
                self._open_engine([])
            except VMError as error:
                raise pytest.UsageError(str(error)) from None
            assert self._engine is not None
            self._engine.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Open the VM and put this process's share of the items under way."""
        config = self._config
        stopped = session.testsfailed and not config.option.continue_on_collection_errors
        if config.option.collectonly or stopped or _has_workers(config):
            return
        items = [item.work for item in session.items if isinstance(item, TaskItem)]
        if not items:
            return
        try:
            self._begin(items)
        except BenchError as error:
            if not self._is_worker:
                raise pytest.UsageError(str(error)) from None
            # A worker that ends by itself is an internal error of xdist: its items say why.
            self._refusal = error
            return
        assert self._engine is not None
        self._engine.start(self._share(session.items))

    def _begin(self, items: Sequence[WorkItem]) -> None:
        """Open the VM, then the run folder. Raises BenchError if the run cannot be made."""
        if any(model.name == REFERENCE for model in self._models):
            check_references([work.task for work in items])
        self._open_engine([work.task for work in items])
        try:
            self._folder.make()
        except OSError as error:
            raise SettingsError(
                f"--sema-report-dir: cannot make the run folder: {error}"
            ) from error
        if not self._worker or self._worker["index"] == 0:
            self._folder.write_items([_item_entry(work) for work in items])
            self._write_run("running")

    def _share(self, items: list[pytest.Item]) -> list[WorkItem]:
        """What this process will be asked for; nothing where that cannot be known ahead."""
        if self._is_worker:
            if self._worker is None or self._worker["share"] is None:
                return []
            items = items[self._worker["share"] :: self._worker["n_shares"]]
        return [item.work for item in items if isinstance(item, TaskItem)]

    def _open_engine(self, tasks: list[Task]) -> None:
        n_cores = os.cpu_count() or 1
        n_processes = self._worker["n_shares"] if self._worker else 1
        self._engine = Engine(
            backend=self._settings.vm,
            concurrency=self._settings.concurrency,
            n_hosts=max(1, min(4, n_cores) // n_processes),
            patience=Patience(
                reply_s=self._settings.timeout_s, total_s=3 * self._settings.timeout_s
            ),
            keep=self._keep,
        )
        self._vm_info = self._engine.open(tasks)

    def _keep(self, work: WorkItem, record: Record, transcript: dict[str, Any]) -> Record:
        name = f"{work.model.name}-{work.config.name}-s{work.sample}"
        return self._folder.keep(name, record, transcript)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show what is not the model's doing in a few lines, not as a traceback of set-up."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, VoidItem | BenchError):
            report.longrepr = str(item.repr_failure(call.excinfo))
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int | pytest.ExitCode) -> None:
        """Cancel what is under way, then sum up what has a record."""
        if self._engine is not None:
            self._engine.close()
        self._folder.close()
        if self._is_worker or not self._folder.path.is_dir():
            return
        self._folder.forget_stop()
        items = self._folder.read_items()
        expected = [_expected(item) for item in items]
        try:
            records = read_records(self._folder.path)
        except BenchError as error:
            self._trouble.append(f"sema-bench: the table is incomplete: {error}")
            records = ()
        self._tables = make_tables(records, expected)
        self._error_tables = make_error_tables(records)
        complete = len(records) >= len(expected) and not self._trouble
        self._write_run("finished" if complete else "incomplete", int(exitstatus))
        title = f"# {self._folder.path.name}\n"
        lines = self._summary_lines(markdown=True)
        self._folder.write_summary("\n".join([title, *lines]))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables."""
        if not self._tables and not self._trouble:
            return
        terminalreporter.section("sema-bench", sep="=")
        for line in (*self._summary_lines(), *self._trouble):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"run folder: {self.shown_run_folder}")

    def _summary_lines(self, *, markdown: bool = False) -> Iterator[str]:
        yield from table_lines(self._tables, markdown=markdown)
        yield from error_lines(self._error_tables, markdown=markdown)

    def _run_path(self) -> Path:
        if self._is_worker:
            if self._worker is None:
                raise SettingsError("the worker was started by a controller without sema-bench")
            return Path(self._worker["run"])
        name = f"{self._started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        report_dir = self._config.invocation_params.dir / self._settings.report_dir
        return report_dir.resolve() / name

    def _write_run(self, state: str, exit_status: int | None = None) -> None:
        hashes = {item["task"]: item["task_hash"] for item in self._folder.read_items()}
        self._folder.write_run(
            {
                "run": self._folder.path.name,
                "state": state,
                "start": self._started.isoformat(timespec="seconds"),
                "end": None
                if exit_status is None
                else datetime.now(UTC).isoformat(timespec="seconds"),
                "exit_status": exit_status,
                "settings": asdict(self._settings),
                "models": [asdict(model) for model in self._models],
                "configs": [asdict(config) for config in self._configs],
                "vm": self._vm_info.label if self._vm_info else None,
                "grader": GRADER_VERSION,
                "task_hashes": hashes,
                "versions": versions(),
                "git_commit": git_commit(self._config.rootpath),
                "machine": machine(),
            }
        )


def _item_entry(work: WorkItem) -> dict[str, Any]:
    return {
        "task": work.task.id,
        "level": work.task.level,
        "model": work.model.name,
        "config": work.config.name,
        "sample": work.sample,
        "task_hash": work.task.task_hash,
    }


def _expected(entry: dict[str, Any]) -> Expected:
    return Expected(**{name: entry[name] for name in Expected.__dataclass_fields__})


def _has_workers(config: pytest.Config) -> bool:
    """Whether this process is an xdist controller, whose workers run the items."""
    return bool(getattr(config.option, "tx", None)) and not hasattr(config, "workerinput")


def _check_keys(models: Sequence[Model]) -> None:
    for model in models:
        if model.key_env is None:
            continue
        key = os.environ.get(model.key_env, "")
        if not key:
            raise SettingsError(
                f"--sema-model={model.name} needs a key for {model.provider}: set the environment "
                f"variable {model.key_env}. Without a key, --sema-model=reference runs offline."
            )
        if not (key.isascii() and key.isprintable()) or key != key.strip():
            raise SettingsError(
                f"the key in {model.key_env} holds a blank at an end, a line end or letters that "
                "no HTTP header takes; was it copied whole?"
            )
