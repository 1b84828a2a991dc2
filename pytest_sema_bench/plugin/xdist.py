"""What the bench adds to pytest-xdist; imported only where xdist is.

Items are divided among the workers at once, item i to worker i modulo N, so that a worker
knows its share ahead and keeps it under way. What a dead worker leaves goes to its replacement,
which is told in time to keep it under way too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from pytest_sema_bench.plugin.reporting import BENCH_ITEM
from pytest_sema_bench.plugin.worker import Share
from pytest_sema_bench.run.run import Run


class WorkerHooks:
    """Hooks that exist only with xdist."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run
        self._folder = run.folder
        self._n_configured = 0
        self._scheduler: ShareScheduling | None = None
        self._free_shares: list[int] = []
        """Of workers that died before they were given their items."""

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker the run folder and which share of the items is its own."""
        n_shares = node.workerinput["workercount"]
        number: int | None = None
        items: tuple[int, ...] = ()
        if _divides_at_once(node.config):
            if self._n_configured < n_shares:
                number = self._n_configured
            elif self._free_shares:
                number = self._free_shares.pop()
            elif self._scheduler is not None:
                items = tuple(self._scheduler.claim(node))
        Share(
            run=str(self._folder.path),
            started=self._run.started,
            session=self._folder.session,
            index=self._n_configured,
            number=number,
            n_shares=n_shares,
            vm=self._run.vm_info,
            items=items,
        ).tell(node.workerinput)
        self._n_configured += 1

    def pytest_testnodedown(self, node: WorkerController, error: object) -> None:
        """Keep what a dead worker was to do for its replacement, which comes after this."""
        if error is None or self._scheduler is None:
            return
        self._scheduler.release(node)
        number = Share.told(node.workerinput).number
        if self._scheduler.collection is None and number is not None:
            self._free_shares.append(number)

    @property
    def _controller(self) -> Any:
        """The part of xdist that talks to the workers; None in a process that has no workers."""
        return self._config.pluginmanager.getplugin("dsession")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """End the run at a collection error, as without xdist, which itself would go on."""
        go_on = self._config.option.continue_on_collection_errors
        if report.failed and not go_on and self._controller is not None:
            self._controller.shouldstop = "error during collection"

    def pytest_runtest_logfinish(self) -> None:
        """Pass on that `-x` or `--maxfail` ends the run: the workers have their shares already."""
        if self._controller is not None and self._controller.shouldstop:
            self._folder.ask_to_stop()

    def pytest_keyboard_interrupt(self) -> None:
        """Pass on that the run is interrupted, which may have reached this process alone."""
        if self._controller is not None:
            self._folder.ask_to_stop()

    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """What a worker that died was busy with is an error, as all that is not the model's doing.

        Its item has no record, so the table calls it missing.
        """
        if Path(crashitem.partition("::")[0]).suffix in (".yaml", ".yml"):
            report.when = "setup"
            setattr(report, BENCH_ITEM, None)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Shares instead of xdist's chunks, where the user did not choose a distribution."""
        if _divides_at_once(config):
            self._scheduler = ShareScheduling(config, log)
        return self._scheduler


class ShareScheduling(LoadScheduling):
    """Gives each worker its whole share at the start; a replacement takes over a dead one's."""

    collection: list[str] | None
    node2collection: dict[WorkerController, list[str]]
    maxschedchunk: int | None
    pending: list[int]

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._claims: dict[WorkerController, list[int]] = {}

    def claim(self, node: WorkerController) -> list[int]:
        """The items that dead workers left, to be sent to this one once it is ready."""
        taken = {index for claim in self._claims.values() for index in claim}
        self._claims[node] = [index for index in self.pending if index not in taken]
        return self._claims[node]

    def release(self, node: WorkerController) -> None:
        """Take back what a worker has claimed that died before it was sent it."""
        self._claims.pop(node, None)

    def remove_node(self, node: WorkerController) -> str | None:
        """See LoadScheduling.remove_node.

        Before the items are divided, what a dead worker had collected is forgotten: the others
        wait for its replacement, which has its share.
        """
        if self.collection is None:
            self.node2collection.pop(node, None)
        crashed: str | None = super().remove_node(node)
        return crashed

    def schedule(self) -> None:
        """See LoadScheduling.schedule."""
        if self.collection is not None:
            for node in set(self.nodes) & set(self._claims):
                claim = self._claims.pop(node)
                self.pending = [index for index in self.pending if index not in claim]
                self._send(node, claim)
            return
        if not self._check_nodes_have_same_collection():
            super().schedule()
            return
        names: list[str] = next(iter(self.node2collection.values()))
        self.collection = names
        self.maxschedchunk = self.maxschedchunk or len(names)
        for node in self.nodes:
            self._send(node, Share.told(node.workerinput).of(range(len(names))))

    def _send(self, node: WorkerController, indices: Sequence[int]) -> None:
        self.node2pending[node].extend(indices)
        if indices:
            node.send_runtest_some(list(indices))
        # Nothing more will come: a worker that waits for more holds its last item back.
        node.shutdown()


def _divides_at_once(config: pytest.Config) -> bool:
    return bool(config.getoption("dist", "no") == "load")
