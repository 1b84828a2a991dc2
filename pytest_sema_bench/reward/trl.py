"""Reward functions for TRL's trainers.

    from pytest_sema_bench.reward.trl import sema_reward

    GRPOTrainer(..., reward_funcs=sema_reward)

An answer that no VM could judge gets None, which TRL leaves out. `make_reward` has settings.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pytest_sema_bench.reward.answer import last_answer
from pytest_sema_bench.reward.process import Jobs, rewards, rewards_soon
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.truth import row_truth

Scores = list[float | None]
RewardFunction = Callable[..., Scores]
AsyncRewardFunction = Callable[..., Awaitable[Scores]]


def make_reward(settings: RewardSettings | None = None) -> RewardFunction:
    """A reward function with such settings, to be handed to a trainer."""
    chosen = settings or RewardSettings()

    def sema_reward(prompts: Any, completions: Sequence[Any], **columns: Any) -> Scores:
        """The reward of each completion, None where the VM failed.

        A completion is a text or a list of messages, of which the last of the assistant is
        graded. `columns` are those of the data set. Raises TruthError for a row that has no
        ground truth.
        """
        return [reward.score for reward in rewards(_jobs(completions, columns), chosen)]

    return sema_reward


def make_async_reward(settings: RewardSettings | None = None) -> AsyncRewardFunction:
    """As `make_reward`, a coroutine function, as TRL recognises one."""
    chosen = settings or RewardSettings()

    async def sema_reward(prompts: Any, completions: Sequence[Any], **columns: Any) -> Scores:
        """As the blocking form."""
        found = await rewards_soon(_jobs(completions, columns), chosen)
        return [reward.score for reward in found]

    return sema_reward


sema_reward = make_reward()
sema_reward_async = make_async_reward()


def _jobs(completions: Sequence[Any], columns: dict[str, Any]) -> Jobs:
    return [(row_truth(columns, i), last_answer(text)) for i, text in enumerate(completions)]
