"""The evaluator for eval-protocol, which Fireworks runs for reinforcement fine-tuning.

    from eval_protocol.models import EvaluationRow
    from eval_protocol.pytest import SingleTurnRolloutProcessor, evaluation_test
    from pytest_sema_bench.reward.eval_protocol import evaluate

    @evaluation_test(input_dataset=["rft.jsonl"], rollout_processor=SingleTurnRolloutProcessor(), …)
    def test_sema(row: EvaluationRow) -> EvaluationRow:
        return evaluate(row)

Written against eval-protocol 0.3.33, which is not installed with this package.
"""

from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.reward.answer import last_answer
from pytest_sema_bench.reward.process import rewards
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.truth import read_truth


def evaluate(row: Any, settings: RewardSettings | None = None) -> Any:
    """The EvaluationRow with its result; the score of what no VM could judge is not valid.

    Raises TruthError if the row's ground truth is none, SettingsError without eval-protocol.
    """
    try:
        from eval_protocol.models import EvaluateResult
    except ImportError as error:
        raise SettingsError(
            "this evaluator needs eval-protocol: pip install eval-protocol"
        ) from error
    messages = [message.model_dump(exclude_none=True) for message in row.messages]
    truth = read_truth(row.ground_truth)
    (reward,) = rewards([(truth, last_answer(messages))], settings or RewardSettings())
    if reward.graded is None or reward.score is None:
        row.evaluation_result = EvaluateResult(
            score=0.0, is_score_valid=False, reason=f"the VM failed: {reward.fault}"
        )
        return row
    detail = f": {reward.graded.detail}" if reward.graded.detail else ""
    row.evaluation_result = EvaluateResult(
        score=reward.score, reason=f"{reward.graded.reason.value}{detail}"
    )
    return row
