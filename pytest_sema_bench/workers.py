"""What the bench adds to pytest-xdist; imported only where xdist is.

Items are divided among the workers at once, item i to worker i modulo N, so that a worker
knows its share ahead and keeps it under way. A worker that replaces a dead one starts what it
is given when it is asked for it.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from pytest_sema_bench.store import RunFolder


class WorkerHooks:
    """Hooks that exist only with xdist."""

    def __init__(self, config: pytest.Config, folder: RunFolder) -> None:
        self._config = config
        self._folder = folder
        self._n_configured = 0

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker the run folder and which share of the items is its own."""
        n_shares = node.workerinput["workercount"]
        planned = _divides_at_once(node.config) and self._n_configured < n_shares
        node.workerinput["sema_bench"] = {
            "run": str(self._folder.path),
            "index": self._n_configured,
            "share": self._n_configured if planned else None,
            "n_shares": n_shares,
        }
        self._n_configured += 1

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

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Shares instead of xdist's chunks, where the user did not choose a distribution."""
        return ShareScheduling(config, log) if _divides_at_once(config) else None


class ShareScheduling(LoadScheduling):
    """Gives each worker its whole share at the start; a replacement takes over a dead one's."""

    collection: list[str] | None
    maxschedchunk: int | None

    def schedule(self) -> None:
        """See LoadScheduling.schedule."""
        if self.collection is not None or not self._check_nodes_have_same_collection():
            super().schedule()
            return
        names: list[str] = next(iter(self.node2collection.values()))
        self.collection = names
        self.maxschedchunk = self.maxschedchunk or len(names)
        shares = {node: node.workerinput["sema_bench"]["share"] for node in self.nodes}
        # A worker that died before this has a replacement without a share of its own.
        free = iter(sorted(set(range(self.numnodes)) - set(shares.values())))
        for node, share in shares.items():
            first = next(free) if share is None else share
            indices = list(range(first, len(names), self.numnodes))
            self.node2pending[node].extend(indices)
            if indices:
                node.send_runtest_some(indices)
            node.shutdown()


def _divides_at_once(config: pytest.Config) -> bool:
    return bool(config.getoption("dist", "no") == "load")
