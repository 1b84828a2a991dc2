"""The reward function for verl.

    custom_reward_function.path=…/pytest_sema_bench/reward/verl.py
    custom_reward_function.name=compute_score

verl decodes a whole rollout into `solution_str`, what tools returned with it, and strips special
tokens; `answer.said_last` takes the model's last turn out of it. verl has no value for "could not
be judged", so that is raised.
"""

from typing import Any

from pytest_sema_bench.errors import VMError
from pytest_sema_bench.reward.answer import said_last
from pytest_sema_bench.reward.process import rewards
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.truth import read_truth


class NoReward(VMError):
    """The VM failed, so that nothing can be said of an answer; 0.0 would be a lie."""


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    **settings: Any,
) -> float:
    """The reward of a rollout, in [0, 1].

    `settings` are fields of RewardSettings, from verl's `reward_kwargs`; others are left alone.
    Raises NoReward if the VM fails, UnclearAnswer if tool output cannot be told from the answer,
    TruthError for a ground truth that is none.
    """
    n_turns = (extra_info or {}).get("num_turns")
    answer = said_last(solution_str, None if n_turns is None else int(n_turns))
    known = RewardSettings.__dataclass_fields__.keys() & settings.keys()
    chosen = RewardSettings(**{name: _hashable(settings[name]) for name in known})
    (reward,) = rewards([(read_truth(ground_truth), answer)], chosen)
    if reward.score is None:
        raise NoReward(f"the VM failed, so there is no reward: {reward.fault}")
    return reward.score


def _hashable(value: Any) -> Any:
    """The value, of a configuration's list the tuple that settings hold."""
    is_list = hasattr(value, "__iter__") and not isinstance(value, str)
    return tuple(value) if is_list else value
