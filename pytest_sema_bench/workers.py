"""What the bench adds to pytest-xdist; imported only where xdist is.

Items are divided among the workers at once, item i to worker i modulo N, so that a worker
knows its share ahead and keeps it under way. A worker that replaces a dead one starts what it
is given when it is asked for it.
"""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController


class WorkerHooks:
    """Hooks that exist only with xdist."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._n_configured = 0

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker the run folder and which share of the items is its own."""
        n_shares = node.workerinput["workercount"]
        planned = _divides_at_once(node.config) and self._n_configured < n_shares
        node.workerinput["sema_bench"] = {
            "run": str(self._run),
            "index": self._n_configured,
            "share": self._n_configured if planned else None,
            "n_shares": n_shares,
        }
        self._n_configured += 1

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Shares instead of xdist's chunks, where the user did not choose a distribution."""
        return ShareScheduling(config, log) if _divides_at_once(config) else None


class ShareScheduling(LoadScheduling):
    """Gives each worker its whole share at the start; a dead worker's rest goes to the others."""

    collection: list[str] | None

    def schedule(self) -> None:
        """See LoadScheduling.schedule."""
        if self.collection is not None or not self._check_nodes_have_same_collection():
            super().schedule()
            return
        names: list[str] = next(iter(self.node2collection.values()))
        self.collection = names
        for node in self.nodes:
            share = node.workerinput["sema_bench"]
            indices = list(range(share["share"], len(names), share["n_shares"]))
            self.node2pending[node].extend(indices)
            if indices:
                node.send_runtest_some(indices)
            node.shutdown()


def _divides_at_once(config: pytest.Config) -> bool:
    return bool(config.getoption("dist", "no") == "load")
