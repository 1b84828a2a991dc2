"""Grading answers made elsewhere: the reward function and the stream of JSON lines."""

import asyncio
import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.grading.scoring import AnswerGrader, LineFault, Scorer, grade_lines
from pytest_sema_bench.suite.task import load_tasks
from tests.samples.double_task import RIGHT, WRONG, write_double_task

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small task."""
    return write_double_task(tmp_path_factory.mktemp("suite") / "tasks")


@pytest.fixture(scope="module")
def scorer(tasks: Path) -> Iterator[Scorer]:
    """A scorer for that folder."""
    with Scorer(tasks) as scorer:
        yield scorer


def line(answer: object, task: str = "double", **more: object) -> str:
    """A line of answers."""
    return json.dumps({"task": task, "answer": answer, **more})


def grade_all(lines: list[str], tasks: Path) -> list[dict[str, Any] | LineFault]:
    """What `grade_lines` gives for all lines."""

    async def collect() -> list[dict[str, Any] | LineFault]:
        grader = AnswerGrader(load_tasks(tasks), backend="wasm")
        try:
            return [result async for result in grade_lines(lines, grader)]
        finally:
            await grader.close()

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("answer", "outcome", "score"),
    [
        pytest.param(RIGHT, "pass", 1.0, id="right"),
        pytest.param(WRONG, "fail", 0.3, id="runs-but-wrong"),
        pytest.param("```sema\n(define (double n\n```", "fail", 0.0, id="does-not-parse"),
        pytest.param("", "fail", 0.0, id="empty"),
    ],
)
def test_a_reward_is_the_score_of_the_answer(
    scorer: Scorer, answer: str, outcome: str, score: float
) -> None:
    """Right is 1.0, running but wrong 0.3, not running 0.0."""
    graded = scorer.grade("double", answer)
    assert (graded.outcome, graded.score) == (outcome, score)


def test_a_reward_says_what_judged_it(scorer: Scorer) -> None:
    """A grade carries the VM, the grader and the hash of the task."""
    graded = scorer.grade("double", RIGHT)
    assert graded.vm.startswith("wasm 1.36.0")
    assert graded.task_hash
    assert [case["pass"] for case in graded.cases] == [True, True]


def test_an_unknown_task_is_an_error(scorer: Scorer) -> None:
    """A typo in a task's id is not graded as wrong."""
    with pytest.raises(BenchError, match="no task 'duoble'"):
        scorer.grade("duoble", RIGHT)


def test_a_scorer_may_be_called_from_several_threads(scorer: Scorer) -> None:
    """Each thread gets the grade of its own answer."""
    outcomes: dict[int, str] = {}

    def ask(number: int) -> None:
        answer = RIGHT if number % 2 else WRONG
        outcomes[number] = scorer.grade("double", answer).outcome

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {number: "pass" if number % 2 else "fail" for number in range(8)}


def test_lines_come_out_in_the_order_they_came_in(tasks: Path) -> None:
    """Grading in parallel keeps the order, and fields of the line are carried through."""
    answers = [WRONG if number % 3 else RIGHT for number in range(30)]
    results = grade_all([line(answer, n=n) for n, answer in enumerate(answers)], tasks)
    graded = [(r["n"], r["outcome"]) for r in results if isinstance(r, dict)]
    assert graded == [(n, "fail" if n % 3 else "pass") for n in range(30)]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param("{", "not JSON", id="no-json"),
        pytest.param("[1]", "not a JSON object", id="no-object"),
        pytest.param(line(5), "both strings", id="answer-is-a-number"),
        pytest.param('{"answer": "x"}', "both strings", id="no-task"),
        pytest.param(line("x", task="nope"), "there is no task 'nope'", id="unknown-task"),
    ],
)
def test_a_malformed_line_is_reported_with_its_number(tasks: Path, bad: str, message: str) -> None:
    """The other lines are graded all the same."""
    first, fault, last = grade_all([line(RIGHT), bad, line(WRONG)], tasks)
    assert isinstance(first, dict)
    assert isinstance(last, dict)
    assert isinstance(fault, LineFault)
    assert fault.line == 2
    assert message in fault.message


def test_a_null_answer_is_no_answer(tasks: Path) -> None:
    """A model that sent no content answered wrongly; the line is not malformed."""
    (result,) = grade_all([line(None)], tasks)
    assert isinstance(result, dict)
    assert (result["outcome"], result["reason"]) == ("fail", "no answer")


def test_a_truncated_answer_is_called_truncated(tasks: Path) -> None:
    """An answer that the token limit cut off fails with a reason of its own."""
    (result,) = grade_all([line("```sema\n(define (double", truncated=True)], tasks)
    assert isinstance(result, dict)
    assert result["reason"] == "truncated"


def test_memory_does_not_grow_with_the_number_of_lines(tasks: Path) -> None:
    """Lines are read as they are needed: ten times as many take no more memory at a time."""

    async def peak(n: int) -> int:
        grader = AnswerGrader(load_tasks(tasks), backend="wasm")
        lines = (line("", padding="x" * 10_000) for _ in range(n))
        try:
            async for _ in grade_lines(lines, grader):
                tracemalloc.start()
                break
            async for _ in grade_lines(lines, grader):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await grader.close()

    few, many = asyncio.run(peak(100)), asyncio.run(peak(1000))
    assert many < few + 1_000_000
