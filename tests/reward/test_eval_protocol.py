"""The evaluator with eval-protocol itself, where it is installed (`pip install eval-protocol`)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.reward.eval_protocol import evaluate
from pytest_sema_bench.reward.scale import Mode, RewardSettings
from pytest_sema_bench.sema.vm.install import EXECUTED
from tests.samples.double_task import RIGHT, WRONG

models: Any = pytest.importorskip("eval_protocol.models")
pytestmark = pytest.mark.vm

TRUTH = {"task": "double"}


def row(*messages: tuple[str, str], truth: object = TRUTH) -> Any:
    """A row as eval-protocol hands it over after a rollout."""
    made = [models.Message(role=role, content=content) for role, content in messages]
    return models.EvaluationRow(messages=made, ground_truth=truth)


def test_the_last_answer_is_scored(rewards: RewardSettings) -> None:
    """With the reason; what a tool returned is no answer."""
    right = evaluate(row(("user", "?"), ("assistant", RIGHT)), rewards).evaluation_result
    assert (right.score, right.is_score_valid, right.reason) == (1.0, True, "right")
    tool = row(
        ("assistant", "See."), ("tool", RIGHT), ("assistant", "So."), truth=json.dumps(TRUTH)
    )
    found = evaluate(tool, rewards).evaluation_result
    assert (found.score, found.is_score_valid, found.reason) == (0.0, True, "no answer")
    scale = replace(rewards, mode=Mode.SCALE)
    assert evaluate(row(("assistant", WRONG)), scale).evaluation_result.score == 0.3


def test_a_vm_that_fails_gives_a_score_that_is_not_valid(
    rewards: RewardSettings, tmp_path: Path
) -> None:
    """So that nothing is learnt from it."""
    for name in EXECUTED:
        (tmp_path / name).write_text("no VM")
    settings = replace(rewards, vm=f"wasm:{tmp_path}")
    result = evaluate(row(("assistant", RIGHT)), settings).evaluation_result
    assert result.is_score_valid is False
    assert "the VM failed" in result.reason
