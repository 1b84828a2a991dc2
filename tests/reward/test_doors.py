"""The reward through the doors of the trainers: what it pays, and what it does not pay for."""

import asyncio
import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.records.outcome import Reason
from pytest_sema_bench.reward.scale import Mode, RewardSettings
from pytest_sema_bench.reward.trl import make_async_reward, make_reward, sema_reward_async
from pytest_sema_bench.reward.truth import TruthError
from pytest_sema_bench.reward.verl import NoReward, compute_score
from pytest_sema_bench.sema.vm.install import EXECUTED
from tests.grading.test_attacks import ATTACKS
from tests.marking import answer_of
from tests.reward.conftest import LiveEndpoint
from tests.samples.double_task import RIGHT, WRONG

pytestmark = pytest.mark.vm

REVERSE = "(define (turn x) (reverse x))"
TURNED = {"program": "(turn '(1 2 3))", "value": "(3 2 1)", "reference": REVERSE}
BROKEN_CODE = "```sema\n(define (double n\n```"
ONLY_PUBLIC = fenced("(define (double n) 4)")


def columns(truth: object, n: int = 1) -> dict[str, Any]:
    """The columns that a trainer hands over, among them some of its own."""
    return {"ground_truth": [truth] * n, "trainer_state": None, "completion_ids": [[1]] * n}


def test_trl_gets_a_score_for_each_completion(rewards: RewardSettings) -> None:
    """Texts and conversations are graded in order, by the task in a column or a ground truth."""
    chat = [{"role": "assistant", "content": RIGHT}, {"role": "tool", "content": "Value: 1"}]
    no_answer = [{"role": "tool", "content": RIGHT}, {"role": "assistant", "content": "So be it."}]
    answers = [RIGHT, WRONG, BROKEN_CODE, "", chat, no_answer]
    reward = make_reward(rewards)
    expected = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert reward(prompts=[""] * 6, completions=answers, task=["double"] * 6) == expected
    assert reward(["" for _ in answers], answers, **columns({"task": "double"}, 6)) == expected


def test_the_coroutine_function_is_one_and_pays_the_same(rewards: RewardSettings) -> None:
    """TRL tells it by `inspect.iscoroutinefunction`."""
    assert inspect.iscoroutinefunction(sema_reward_async)
    work = make_async_reward(rewards)([""] * 2, [RIGHT, WRONG], task=["double"] * 2)

    async def wait() -> object:
        return await work

    assert asyncio.run(wait()) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.PASS, [1.0, 0.0, 0.0, 0.0]),
        (Mode.SHARE, [1.0, 0.0, 0.0, 0.0]),
        (Mode.SCALE, [1.0, 0.3, 0.3, 0.0]),
    ],
)
def test_modes_pay_for_a_wrong_answer_what_they_say(
    rewards: RewardSettings, mode: Mode, expected: list[float]
) -> None:
    """The public case stands in the prompt, so passing it earns no share."""
    answers = [RIGHT, WRONG, ONLY_PUBLIC, BROKEN_CODE]
    found = make_reward(replace(rewards, mode=mode))([], answers, task=["double"] * 4)
    assert found == expected


def test_a_share_is_that_of_the_hidden_cases(rewards: RewardSettings) -> None:
    """An answer that is right for some of them earns their share; a broken rule earns nothing."""
    reward = make_reward(replace(rewards, mode=Mode.SHARE))
    answers = [fenced("(define (sign n) :zero)"), answer_of("attacks", "cond-called")]
    assert reward([], answers, task=["sign"] * 2) == [0.5, 0.0]


def test_length_and_format_only_take_away(rewards: RewardSettings) -> None:
    """Asked for, they lower what a right answer earns, and nothing pays a wrong one."""
    bare = "(define (double n) (* 2 n))"
    long = RIGHT + "\nSo it is." * 200
    plain = make_reward(rewards)([], [bare, long], task=["double"] * 2)
    strict = replace(rewards, length_chars=500, length_off=0.5, format_off=0.25)
    found = make_reward(strict)([], [RIGHT, bare, long, WRONG], task=["double"] * 4)
    assert plain == [1.0, 1.0]
    assert found == [1.0, 0.75, 0.5, 0.0]


def test_a_row_with_a_program_is_graded_by_value_and_output(rewards: RewardSettings) -> None:
    """What it prints is compared whole: printing more than is asked for is wrong."""
    reward, printed = make_reward(rewards), {"value": "6", "output": ["hi"]}
    truths = [TURNED, TURNED, printed, printed, printed, {"output": "hi"}, json.dumps(TURNED)]
    answers = map(
        fenced,
        [
            REVERSE,
            "(define (turn x) x)",
            '(println "hi") (* 2 3)',
            '(println "ho") (println "hi") (* 2 3)',
            "(* 2 3)",
            '(println "hi")',
            REVERSE,
        ],
    )
    found = reward([], [*answers], ground_truth=truths)
    assert found == [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]


def test_a_program_that_tells_nothing_of_the_answer_is_refused(rewards: RewardSettings) -> None:
    """`flatten` is the VM's, so any answer would be right, even one that defines nothing."""
    truth = {"program": "(flatten '(1 (2)))", "value": "(1 2)"}
    with pytest.raises(TruthError, match="without any answer"):
        make_reward(rewards)([], [RIGHT], **columns(truth))


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"task": "duoble"}, "no task 'duoble'"),
        ({"suite": "/etc", "task": "double"}, "no suite '/etc'"),
        ({"value": "#<nothing>"}, "cannot be evaluated"),
    ],
)
def test_what_cannot_be_graded_against_is_an_error(
    rewards: RewardSettings, truth: object, message: str
) -> None:
    """A fault of the data set is told, and is not the model's."""
    with pytest.raises(TruthError, match=message):
        make_reward(rewards)([], [RIGHT], **columns(truth))


def test_verl_gets_the_score_of_the_last_turn(rewards: RewardSettings) -> None:
    """Its keyword arguments are settings; a program that only a tool has shown earns nothing."""
    more: dict[str, Any] = {"suites": list(rewards.suites), "n_hosts": 2, "limits": rewards.limits}
    rollout = f"look\nuser\n<tool_response>\n{RIGHT}\n</tool_response>\nassistant\n"
    truth = {"task": "double"}
    assert compute_score("sema", RIGHT, truth, {"num_turns": 2}, **more) == 1.0
    assert compute_score("sema", WRONG, json.dumps(truth), mode="scale", **more) == 0.3
    assert compute_score("sema", rollout + "no", truth, {"num_turns": 4}, **more) == 0.0
    assert compute_score("sema", rollout + RIGHT, truth, {"num_turns": 4}, **more) == 1.0


def test_a_vm_that_fails_is_no_zero(rewards: RewardSettings, tmp_path: Path) -> None:
    """TRL gets None, verl an error with a name."""
    for name in EXECUTED:
        (tmp_path / name).write_text("no VM")
    vm = f"wasm:{tmp_path}"
    reward = make_reward(replace(rewards, vm=vm))
    assert reward([], [RIGHT, WRONG], task=["double"] * 2) == [None, None]
    with pytest.raises(NoReward, match="the VM failed"):
        compute_score("sema", RIGHT, {"task": "double"}, suites=rewards.suites, vm=vm)


@pytest.mark.parametrize("given", [{"mode": "all"}, {"format_off": 2}])
def test_a_setting_that_is_none_is_refused(given: dict[str, Any]) -> None:
    """The error says what was found and what is expected."""
    with pytest.raises(SettingsError, match=r"expected 0 to 1|there is pass, share, scale"):
        RewardSettings(**given)


def test_attacks_earn_nothing(rewards: RewardSettings, endpoint: LiveEndpoint) -> None:
    """Each of the project's list gets 0.0 from TRL's and verl's function and from the endpoint."""
    answers = {name: answer_of("attacks", name) for name in ATTACKS}
    tasks = [task for task, _ in ATTACKS.values()]
    paid = make_reward(rewards)([], [*answers.values()], task=tasks)
    assert dict(zip(answers, paid, strict=True)) == dict.fromkeys(answers, 0.0)
    more: dict[str, Any] = {"suites": rewards.suites, "n_hosts": 2, "limits": rewards.limits}
    for name, (task, reason) in ATTACKS.items():
        if reason is not Reason.TIME:  # what the clock ended is tried anew each time
            answer = answers[name]
            assert (name, compute_score("sema", answer, {"task": task}, **more)) == (name, 0.0)
            told = endpoint.post({"task": task, "completion": answer})
            is_long = len(json.dumps(answer)) > 190_000
            assert (name, told.json().get("score")) == (name, None if is_long else 0.0)
