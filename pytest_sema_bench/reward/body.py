"""What the endpoint is sent and what it answers: JSON in, JSON out; it knows no HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.reward.answer import last_answer
from pytest_sema_bench.reward.grader import Reward, RewardGrader
from pytest_sema_bench.reward.scale import Mode
from pytest_sema_bench.reward.truth import Truth, read_truth

WANTED = (
    'expected {"task" or "ground_truth": …, "completion": text or messages}, '
    'or {"problem": {"input", "expected"}, "completion"}'
)


class BadBody(SettingsError):
    """A request's body is not what this endpoint takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A request for the reward of an answer to a task or to a data set's row."""

    truth: Truth
    answer: str
    mode: Mode | None
    """None for the endpoint's own."""

    async def reward(self, grader: RewardGrader) -> Reward:
        """What the answer earns."""
        settings = grader.settings
        settings = replace(settings, mode=self.mode) if self.mode else settings
        return await grader.reward(self.truth, self.answer, settings)

    def told(self, reward: Reward) -> dict[str, Any]:
        """The answer to the request."""
        assert reward.graded is not None
        return {
            "score": reward.score,
            "outcome": reward.graded.outcome,
            "reason": reward.graded.reason,
            "detail": reward.graded.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A request as the original experiment's grader took it."""

    question: str
    expected: str
    answer: str

    async def reward(self, grader: RewardGrader) -> Reward:
        """What the experiment pays."""
        return await grader.answer_to(self.question, self.expected, self.answer)

    def told(self, reward: Reward) -> dict[str, Any]:
        """The answer to the request: `result` is what came out, a value or an error."""
        assert reward.graded is not None
        cases = reward.graded.cases
        got = cases[0]["got"] or cases[0].get("error") if cases else None
        detail = reward.graded.detail or reward.graded.reason
        return {"score": reward.score, "detail": detail, "result": got}


def read_body(raw: bytes) -> Graded | Experiment:
    """The request in a body. Raises BadBody, TruthError or UnclearAnswer for what is none."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not JSON ({error}); {WANTED}") from error
    if not isinstance(body, Mapping):
        raise BadBody(f"the body is a {type(body).__name__}; {WANTED}")
    answer = next((body[name] for name in ("completion", "answer") if name in body), None)
    if answer is None:
        raise BadBody(f"the body has no `completion`; {WANTED}")
    if "problem" in body:
        return _experiment(body["problem"], last_answer(answer))
    content = body.get("ground_truth", {name: body.get(name) for name in ("task", "suite")})
    return Graded(truth=read_truth(content), answer=last_answer(answer), mode=_mode(body))


def _experiment(problem: object, answer: str) -> Experiment:
    if isinstance(problem, Mapping):
        question, expected = problem.get("input"), problem.get("expected")
        if isinstance(question, str) and isinstance(expected, str):
            return Experiment(question=question, expected=expected, answer=answer)
    raise BadBody(f"`problem` is {problem!r:.80}; expected its `input` and `expected`, both texts")


def _mode(body: Mapping[str, Any]) -> Mode | None:
    if body.get("mode") is None:
        return None
    try:
        return Mode(body["mode"])
    except ValueError as error:
        known = ", ".join(Mode)
        raise BadBody(f"there is no mode {body['mode']!r:.80}; there is {known}") from error
