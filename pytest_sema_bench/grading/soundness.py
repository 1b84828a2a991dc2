"""Whether tasks can be graded at all: what they expect and give is tried before anything is paid.

What holds is remembered in the cache folder by task hash and VM: the next run tries nothing.
"""

import hashlib

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.errors import VMError
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.grading.prepare import check_evaluates
from pytest_sema_bench.sema.vm import vm_identity
from pytest_sema_bench.sema.vm.background import BackgroundVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task

CACHE_FILE = "sound-tasks-1.txt"
_MAX_BYTES = 1_000_000
"""When the file has grown to this it begins anew."""


class Soundness:
    """Tries tasks on one VM, one after the other; the VM is started when a task is unknown."""

    def __init__(self, vm_name: str) -> None:
        self._vm_name = vm_name
        self._known: set[str] | None = None
        self._background: BackgroundVM | None = None
        self._is_out_of_reach = False

    def check(self, task: Task) -> None:
        """Raise TaskError if the task cannot be evaluated; say nothing where there is no VM.

        A VM that cannot be started is told when the run begins, with the ways out.
        """
        if self._known is None:
            self._known = _read()
        key = _key(task, self._vm_name)
        if key in self._known or self._is_out_of_reach:
            return
        try:
            self._evaluate(task)
        except VMError:
            self._is_out_of_reach = True
            return
        self._known.add(key)
        _remember(key)

    def close(self) -> None:
        """End the VM, if one was started; it can be called more than once."""
        if self._background is not None:
            self._background.close()

    def _evaluate(self, task: Task) -> None:
        if self._background is None:
            self._background = BackgroundVM(self._vm_name, 1)
        vm = self._background.vm
        self._background.thread.submit(check_evaluates(task, vm, Limits())).result()


def _key(task: Task, vm_name: str) -> str:
    parts = (task.task_hash, vm_identity(vm_name), str(GRADER_VERSION))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _read() -> set[str]:
    try:
        return set((cache_folder() / CACHE_FILE).read_text("utf-8").split())
    except (OSError, UnicodeDecodeError):
        return set()


def _remember(key: str) -> None:
    """Add a key; other processes may do so at the same time. Without a cache it is tried again."""
    path = cache_folder() / CACHE_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_full = path.is_file() and path.stat().st_size > _MAX_BYTES
        with path.open("w" if is_full else "a", encoding="utf-8") as file:
            file.write(f"{key}\n")
    except OSError:
        pass
