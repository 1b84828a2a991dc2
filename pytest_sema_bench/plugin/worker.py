"""An xdist worker: runs its share of the items of a run that the controller has made."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pytest_sema_bench.errors import BenchError, SettingsError
from pytest_sema_bench.plugin.items import TaskItem, items_to_run
from pytest_sema_bench.plugin.signals import left_to_the_controller
from pytest_sema_bench.run.plan import Plan
from pytest_sema_bench.run.run import Run, join_run
from pytest_sema_bench.sema.vm import VMInfo

T = TypeVar("T")
_KEY = "sema_bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What the controller tells a worker: the run, and which items it will be sent."""

    run: str
    """The run's folder."""
    started: float
    session: int
    index: int
    """How many workers were made before this one."""
    number: int | None
    """This worker gets every `n_shares`-th item from this one on; None if that is not known."""
    n_shares: int
    vm: VMInfo | None
    """Which VM judges, as the controller found it; None if it has not looked."""
    items: tuple[int, ...] = ()
    """The items that a replacement takes over from dead workers."""

    def tell(self, workerinput: dict[str, Any]) -> None:
        """Put it among what xdist sends to the worker."""
        workerinput[_KEY] = json.dumps(asdict(self))

    @classmethod
    def told(cls, workerinput: dict[str, Any]) -> "Share":
        """What the controller has put there. Raises SettingsError if it knows of no run."""
        if _KEY not in workerinput:
            raise SettingsError("the worker was started by a controller without sema-bench")
        told = json.loads(workerinput[_KEY])
        vm = told["vm"] and VMInfo(**told["vm"])
        return cls(**{**told, "vm": vm, "items": tuple(told["items"])})

    def of(self, items: Sequence[T]) -> list[T]:
        """The items that the worker will be sent; none where that cannot be known ahead."""
        if self.number is not None:
            return list(items[self.number :: self.n_shares])
        return [items[index] for index in self.items if index < len(items)]

    def join(self, plan: Plan, process: str) -> Run:
        """The run, as the worker called `process` carries it out."""
        return join_run(
            plan,
            Path(self.run),
            process=process,
            session=self.session,
            started=self.started,
            n_processes=self.n_shares,
            vm_info=self.vm,
        )


class Worker:
    """Hooks of a worker."""

    def __init__(self, run: Run, share: Share) -> None:
        self._run = run
        self._share = share
        self._while_open = ExitStack()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Let the controller decide what a signal to the whole group means."""
        self._while_open.enter_context(left_to_the_controller())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Open the VM and put this worker's share of the items under way."""
        items = items_to_run(session)
        if not items:
            return
        try:
            # The first worker may have died before this; what is written is the same for all.
            self._run.open(items, writes_items=self._share.index == 0)
        except BenchError:
            # A worker that ends by itself is an internal error of xdist: its items say why.
            return
        share = self._share.of(session.items)
        self._run.ask(item.work for item in share if isinstance(item, TaskItem))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Cancel what is under way."""
        self._run.close()
        self._while_open.close()
