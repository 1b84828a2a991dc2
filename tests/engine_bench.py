"""An engine with a run folder, a model on a scripted server, and ways to look at what it did."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytest_sema_bench.catalog.models import Model, Price
from pytest_sema_bench.chat import Patience
from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.reader import read_records
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.run.engine import Engine
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.resources import EngineOptions
from pytest_sema_bench.sema.vm.background import BackgroundVM
from pytest_sema_bench.settings import Config
from pytest_sema_bench.suite.task import Task
from tests.stored import content

KEY_NAME, KEY = "SEMA_BENCH_TEST_KEY", 'sk-"very"\\secret-4711'
"""A key that looks different once it is written as JSON."""
TOOLS = Config(name="tools", tools=("eval_code",))
PATIENT = Patience(attempts=3, first_wait_s=0.001)
IMPATIENT = Patience(reply_s=0.3, total_s=2.0, attempts=2, first_wait_s=0.001)
_LONGEST_WAIT_S = 60.0


class HinderedFolder(RunFolder):
    """A run folder on a disk that is slow or full, as `before_keeping` has it."""

    def __init__(self, path: Path, before_keeping: Callable[[], None]) -> None:
        super().__init__(path, redactor=Redactor([KEY]))
        self._before_keeping = before_keeping

    def _keep(self, ended: Sequence[Ended]) -> list[Record]:
        self._before_keeping()
        return super()._keep(ended)


class EngineBench:
    """The engine and its folder; `ask` runs one item to its end."""

    def __init__(
        self,
        path: Path,
        *,
        patience: Patience = PATIENT,
        concurrency: int = 4,
        before_keeping: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = HinderedFolder(path, before_keeping)
        self.folder.make()
        self.engine = Engine(
            self.folder,
            BackgroundVM("wasm", n_hosts=2),
            concurrency=concurrency,
            options=EngineOptions(patience=patience),
        )
        self.vm = self.engine.vm_info
        self._n_asked = 0

    def item(self, task: Task, url: str, price: Price | None = None) -> WorkItem:
        """A new sample of the task for the model behind `url`."""
        self._n_asked += 1
        model = Model(
            name="m", id="vendor/m", provider="p", base_url=url, key_env=KEY_NAME, price=price
        )
        return WorkItem(task=task, model=model, config=TOOLS, sample=self._n_asked)

    def ask(self, task: Task, url: str, price: Price | None = None) -> Record:
        """The record of a new sample."""
        return self.engine.result(self.item(task, url, price))

    def records_of(self, item: WorkItem) -> list[Record]:
        """The item's records on disk."""
        return [r for r in self.records if (r.task, r.sample) == (item.task.id, item.sample)]

    @property
    def records(self) -> tuple[Record, ...]:
        """All records on disk."""
        return read_records(self.folder.path)

    def written(self) -> str:
        """Everything in the run folder."""
        files = [path for path in self.folder.path.rglob("*") if path.is_file()]
        return b"\n".join(map(content, files)).decode()

    def transcript(self, record: Record) -> dict[str, Any]:
        """A record's conversation."""
        return read_transcript(self.folder.path, str(record.transcript))

    def close(self) -> None:
        """Close the engine, then the folder, as a session does."""
        self.engine.close()
        self.folder.close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds, which another thread brings about."""
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)
