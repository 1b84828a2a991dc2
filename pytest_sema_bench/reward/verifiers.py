"""A task set for verifiers (its v1 interface): the tasks of a suite, or a data set's rows.

A package of one's own makes it known to verifiers under the package's name:

    from pytest_sema_bench.reward.verifiers import SemaTaskset
    __all__ = ["SemaTaskset"]

Written against verifiers 0.4.0, which is not installed with this package. An answer that no VM
could judge raises, so that verifiers counts its rollout as failed and not as worth 0.0.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.reward.process import rewards_soon
from pytest_sema_bench.reward.scale import Mode, RewardSettings
from pytest_sema_bench.reward.truth import read_truth
from pytest_sema_bench.reward.verl import NoReward
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks

try:
    import verifiers.v1 as vf
except ImportError as error:
    raise SettingsError("this task set needs verifiers: pip install verifiers") from error


class SemaData(vf.TaskData):
    """A task as verifiers sends it about."""

    ground_truth: dict[str, Any]
    reference: str | None = None
    """A right answer, for `validate`."""


class SemaTaskConfig(vf.TaskConfig):
    """How answers are rewarded."""

    mode: Mode = Mode.PASS
    vm: str = "wasm"


class SemaTask(vf.Task[SemaData, vf.State, SemaTaskConfig]):
    """One task, and what an answer to it is worth."""

    @vf.reward
    async def sema(self, trace: Any) -> float:
        """The reward of the last thing that the model said. Raises NoReward if the VM fails."""
        return await self._worth(trace.last_reply)

    async def validate(self, runtime: Any) -> bool | None:
        """Whether the reference answer is right; None without one."""
        if self.data.reference is None:
            return None
        return await self._worth(fenced(self.data.reference)) == 1.0

    async def _worth(self, answer: str) -> float:
        settings = RewardSettings(mode=self.config.mode, vm=self.config.vm)
        (reward,) = await rewards_soon([(read_truth(self.data.ground_truth), answer)], settings)
        if reward.score is None:
            raise NoReward(f"the VM failed, so there is no reward: {reward.fault}")
        return reward.score


class SemaConfig(vf.TasksetConfig):
    """Which tasks there are."""

    task: SemaTaskConfig = SemaTaskConfig()
    suite: str = "core"
    """A bundled suite."""
    rows: Path | None = None
    """JSON Lines with `messages` and `ground_truth`, in place of a suite."""


class SemaTaskset(vf.Taskset[SemaTask, SemaConfig]):
    """The tasks of a suite or of a data set, with the reward of the benchmark."""

    def load(self) -> Iterator[SemaTask]:
        """Each task, in order."""
        for data in self._rows(self.config.rows) if self.config.rows else self._tasks():
            yield SemaTask(data, self.config.task)

    def _tasks(self) -> Iterator[SemaData]:
        for task in load_tasks(suite_folder(self.config.suite)):
            yield SemaData(
                id=task.id,
                name=task.id,
                prompt=task.full_prompt,
                ground_truth={"suite": self.config.suite, "task": task.id},
                reference=task.reference,
            )

    def _rows(self, path: Path) -> Iterator[SemaData]:
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            yield SemaData(prompt=row["messages"], ground_truth=row["ground_truth"])


__all__ = ["SemaTaskset"]
