"""One run as one process carries it out, without pytest: open, ask, result, confirm, close.

The process that the user starts makes the run; xdist's workers join it, each with a records file
of its own.
"""

import secrets
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from pytest_sema_bench.agent.reference import check_references
from pytest_sema_bench.catalog.models import REFERENCE
from pytest_sema_bench.chat import Patience
from pytest_sema_bench.errors import BenchError, CannotWrite, SettingsError, StopAsked
from pytest_sema_bench.gate.policy import confirmations
from pytest_sema_bench.gate.verdict import Confirmation
from pytest_sema_bench.limits import account_of, mend_ledger, open_ledger
from pytest_sema_bench.records.folder import RunFolder, check_writable
from pytest_sema_bench.records.identity import TaskKey
from pytest_sema_bench.records.reader import RUN_FILE
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.run.engine import Engine
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.manifest import Manifest
from pytest_sema_bench.run.plan import Plan
from pytest_sema_bench.run.resources import EngineOptions
from pytest_sema_bench.run.resume import ResumedRun, find_resumed, read_resumed
from pytest_sema_bench.run.sharing import Sharing, sharing_of
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.sema.vm.background import BackgroundVM, n_hosts
from pytest_sema_bench.settings import Settings
from pytest_sema_bench.suite.folder import Suite, suite_of
from pytest_sema_bench.suite.task import Task, check_one_suite, check_unique, load_tasks

_POLL_S = 0.2
"""How soon a process that waits for an item notices that the run is stopped."""


class Run:
    """A run and what there is of it already. Nothing is made or asked before `open`."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        *,
        started: float,
        earlier: ResumedRun | None = None,
        is_joined: bool = False,
        background: BackgroundVM | None = None,
    ) -> None:
        """`background` is its VM, where that has been started ahead; it ends with the run."""
        self.plan = plan
        self.folder = folder
        self.started = started
        """In seconds since the epoch, the same for all processes of the run."""
        self.manifest = Manifest(plan, folder)
        self.remark: str | None = None
        """What the user has to hear once it is open."""
        self.began = False
        """Whether this process has made the run's folder."""
        self.is_shown_again = False
        """Whether all that is asked has its verdict from before, so that nothing changes."""
        self._earlier = earlier
        self._is_joined = is_joined
        self._background = background
        self.vm_info: VMInfo | None = None
        """Which VM judges, once that is known."""
        self._tasks: dict[str, Task] = {}
        self._account = account_of(folder.path, plan.settings.run)
        self._suite: Suite | None = suite_of(plan.tasks_root)
        self._engine: Engine | BenchError = BenchError("the run has not begun")

    @property
    def note(self) -> str:
        """What is taken up, for the user."""
        if self._earlier is None:
            return "there is no run of these models to take up; a new one begins"
        return self._earlier.note

    def add_task(self, task: Task) -> None:
        """Take note of a task. Raises TaskError if it does not go with the others."""
        other = self._tasks.setdefault(task.id, task)
        if other.path != task.path:
            check_unique([other, task])
        self._suite = self._suite or task.suite
        check_one_suite(task, self._suite)

    def kept(self, item: WorkItem) -> Record | None:
        """The item's verdict from before, None if it is still to be asked."""
        return self._earlier.verdicts.get(item.key) if self._earlier else None

    def open(self, items: Sequence[WorkItem], *, writes_items: bool = True) -> None:
        """Open the VM, then the folder, and write down what is to be done.

        Raises BenchError if that cannot be; `result` raises it too from then on.
        """
        try:
            if any(model.name == REFERENCE for model in self.plan.models):
                check_references([item.task for item in items])
            if self._is_joined:
                # What others have finished: an earlier run, or a worker that died.
                self._earlier = read_resumed(self.folder.path)
            self.is_shown_again = bool(items) and all(map(self._is_known, items))
            if self.is_shown_again:
                self._make_folder()
                return
            if not self._is_joined:
                self.remark = None if self.plan.settings.ledger else mend_ledger()
            # Before the folder: a VM that cannot be started leaves no empty one behind.
            sharing = sharing_of(self.plan.settings, self.folder) if items else None
            background = self._background or BackgroundVM(self.plan.settings.vm, n_hosts())
            self._engine = engine = self._open_engine(self.folder, background, sharing)
            self.vm_info = engine.vm_info
            if sharing is not None:
                sharing.join(self.manifest.content(items, engine.vm_info, self.started), items)
            self._make_folder()
            if not self._is_joined:
                self._open_account()
            if items and (writes_items or not (self.folder.path / RUN_FILE).is_file()):
                self.manifest.begin(items, engine.vm_info, self.started)
        except (BenchError, OSError) as error:
            self.stop()
            if isinstance(error, OSError) and self._is_joined:
                error = CannotWrite(self.folder.path, error)
            elif isinstance(error, OSError):
                error = SettingsError(f"--sema-report-dir: cannot write the run folder: {error}")
            self._engine = error
            raise error

    def ask(self, items: Iterable[WorkItem]) -> None:
        """Put items under way, in this order, but for those that have a verdict."""
        if new := self.to_ask(items):
            self._opened.start(new)

    def to_ask(self, items: Iterable[WorkItem]) -> list[WorkItem]:
        """Those of the items that have no verdict from before."""
        return [item for item in items if self.kept(item) is None]

    def result(self, item: WorkItem) -> Record:
        """The record of an item, waiting for it; it is asked if it was not.

        Raises StopAsked if another process ends the run meanwhile, BenchError if it never began.
        """
        if kept := self.kept(item):
            return kept
        engine = self._opened
        while (record := engine.wait(item, _POLL_S)) is None:
            if self.folder.asks_to_stop:
                raise StopAsked
        return record

    def stop(self) -> None:
        """Cancel what is under way; what has a verdict gets its record."""
        if isinstance(self._engine, Engine):
            self._engine.close()
        if self._background is not None:  # which no engine may have used
            self._background.close()

    def confirm(self, broken: Sequence[TaskKey]) -> tuple[Confirmation, ...]:
        """What comes of these tasks, asked again in a folder of their own.

        They are further samples, as many as `--sema-confirm` says. Raises BenchError.
        """
        settings = self.plan.settings
        if not settings.confirm:
            return ()
        tasks = list(self._tasks.values()) or load_tasks(self.plan.tasks_root)
        items = [
            replace(item, sample=settings.samples + number)
            for task in tasks
            for item in self.plan.items(task)
            if item.sample == 1 and item.item.task_key in broken
            for number in range(1, settings.confirm + 1)
        ]
        folder = RunFolder(self.folder.path / "confirm", redactor=self.plan.redactor)
        folder.make()
        background = BackgroundVM(settings.vm, n_hosts())
        with closing(folder), closing(self._open_engine(folder, background)) as engine:
            engine.start(items)
            return confirmations(engine.result(item) for item in items)

    def close(self) -> None:
        """Leave the folder; it is removed if nothing was written to it."""
        self.stop()
        if self._is_joined:
            self.folder.close()
        else:
            self.folder.discard()

    def _is_known(self, item: WorkItem) -> bool:
        known = self._earlier
        return known is not None and item.key in known.verdicts and item.key in known.planned

    @property
    def _opened(self) -> Engine:
        if isinstance(self._engine, BenchError):
            raise self._engine
        return self._engine

    def _make_folder(self) -> None:
        if self._is_joined:
            return
        try:
            self.folder.make()
        except OSError as error:
            text = f"--sema-report-dir: cannot make {error.filename}: {error.strerror}"
            raise SettingsError(text) from error
        self.folder.take()
        self.folder.forget_stop()
        self.began = True
        if self.plan.settings.record is not None:
            try:
                check_writable(self.plan.settings.record)
            except OSError as error:
                raise SettingsError(f"--sema-record: cannot write there: {error}") from error

    def _open_account(self) -> None:
        """Tell the ledger of the run: its cap, and what it has from before."""
        earlier = self._earlier
        with closing(open_ledger(self.plan.settings.ledger)) as ledger:
            ledger.start_run(
                self._account,
                cap_usd=self.plan.cap_usd,
                spent_usd=earlier.spent_usd if earlier else 0.0,
                n_graded=len(earlier.verdicts) if earlier else 0,
            )

    def _open_engine(
        self, folder: RunFolder, background: BackgroundVM, sharing: Sharing | None = None
    ) -> Engine:
        return Engine(
            folder,
            background,
            concurrency=self.plan.settings.concurrency,
            options=_engine_options(self.plan, self._account, self.started),
            sharing=sharing,
        )


def _engine_options(plan: Plan, account: str, started: float) -> EngineOptions:
    settings = plan.settings
    return EngineOptions(
        run=account,
        started=started,
        shared=True,
        ledger=settings.ledger,
        patience=patience(settings),
        record=settings.record,
        replay=settings.replay,
        docs=plan.docs,
        dialect=plan.dialect,
    )


def make_run(
    plan: Plan, report_dir: Path, started: float, background: BackgroundVM | None = None
) -> Run:
    """A new run, or the one to take up. Raises SettingsError."""
    earlier = None
    if plan.settings.resume is not None:
        path, shard = plan.settings.tasks, plan.settings.shard
        tasks = {
            "suite": plan.settings.suite,
            "tasks": None if path is None else str(path),
            "shard": None if shard is None else asdict(shard),
        }
        try:
            earlier = find_resumed(plan.settings.resume, report_dir, plan.questions, tasks)
        except BenchError as error:
            raise SettingsError(str(error)) from error
    moment = datetime.fromtimestamp(started, UTC)
    new = report_dir / f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = RunFolder(
        earlier.data.path if earlier else new,
        redactor=plan.redactor,
        session=len(earlier.data.manifest.begun) + 1 if earlier else 1,
    )
    return Run(plan, folder, started=started, earlier=earlier, background=background)


def join_run(
    plan: Plan,
    path: Path,
    *,
    process: str,
    session: int,
    started: float,
    n_processes: int,
    vm_info: VMInfo | None,
) -> Run:
    """The run in a folder that another process has made, as one of several.

    With `vm_info` that process has tried the VM: here it starts when it is needed.
    """
    folder = RunFolder(path, redactor=plan.redactor, process=process, session=session)
    background = BackgroundVM(plan.settings.vm, n_hosts(n_processes), info=vm_info)
    return Run(plan, folder, started=started, is_joined=True, background=background)


def patience(settings: Settings) -> Patience:
    """How long servers are waited for; a replay is never waited for."""
    if settings.replay is not None:
        return Patience(reply_s=settings.timeout_s, first_wait_s=0.0, longest_wait_s=0.0)
    return Patience(reply_s=settings.timeout_s, total_s=3 * settings.timeout_s)
