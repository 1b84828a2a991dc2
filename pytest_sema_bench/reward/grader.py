"""Grades answers against ground truths, on one event loop; the room's doors all come here."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path

from pytest_sema_bench.errors import TaskError, VMError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.extraction.asked import AskedCode
from pytest_sema_bench.grading.graded import Graded
from pytest_sema_bench.grading.once import Once
from pytest_sema_bench.grading.scoring import AnswerGrader
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.reward.scale import Mode, RewardSettings, points
from pytest_sema_bench.reward.truth import ProgramTruth, TaskTruth, Truth, TruthError
from pytest_sema_bench.sema.vm import ErrorClass
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder
from pytest_sema_bench.suite.task import GradeKind, Task, load_tasks

_log = logging.getLogger(__name__)
_TRIES = 4
"""How often a VM may be lost over one answer; each of them tries two hosts."""
_PAUSE_S = 0.25
"""Longer before each try: what ends hosts may need its time."""
_MAX_KEPT, _MAX_KEPT_CHARS = 8192, 16_384
"""How many grades are remembered, and of how long an answer at most."""
_NOTHING = fenced("(define nothing-was-asked 1)")
"""An answer that does not answer anything."""
_RUNS = 0.3
_STATE_THE_VALUE = "the question holds code that gives the value, so it has to be stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What an answer earns."""

    score: float | None
    """In [0, 1]; None if no VM could say."""
    graded: Graded | None
    fault: str | None = None
    """What kept the VM from a verdict."""


class RewardGrader:
    """Grades and remembers: the same answer to the same question is graded once."""

    def __init__(self, settings: RewardSettings) -> None:
        self.settings = settings
        self._answers = AnswerGrader(
            backend=settings.vm, limits=settings.limits, n_hosts=settings.n_hosts
        )
        self._kept: Once[tuple[str, bytes], Graded] = Once(_MAX_KEPT)

    async def reward(self, truth: Truth, answer: str, settings: RewardSettings) -> Reward:
        """What an answer earns. Raises TruthError if nothing can be graded against that."""
        task = self._task_of(truth)
        try:
            if isinstance(truth, ProgramTruth) and truth.program:
                await self._check_depends(task)
            # Where only right or wrong is paid, the first case that fails has decided.
            graded = await self._grade(task, answer, stop=settings.mode == Mode.PASS)
        except VMError as error:
            _log.warning("no reward, for the VM failed: %s", error)
            return Reward(score=None, graded=None, fault=str(error))
        return Reward(score=points(task, graded, answer, settings), graded=graded)

    async def rewards(
        self, jobs: Iterable[tuple[Truth, str]], settings: RewardSettings
    ) -> list[Reward]:
        """The rewards of many answers, graded side by side, in order."""
        work = [asyncio.ensure_future(self.reward(*job, settings)) for job in jobs]
        try:
            return await asyncio.gather(*work)
        finally:
            # One that raises ends the call; the others need not go on.
            for task in work:
                task.cancel()

    async def answer_to(self, question: str, expected: str, completion: str) -> Reward:
        """What the original experiment pays for a completion: 1.0, 0.3 or 0.0.

        1.0 for the expected value, stated or computed by code of the answer's own; 0.3 for code
        that runs and does not give it. Where the question itself holds code that gives it (`What
        does (+ 1 2) evaluate to?`), code in the answer may be that code, and earns no more than
        0.3: there the value has to be stated.
        """
        truth = ProgramTruth(value=expected)
        as_value = replace(truth.as_task(GradeKind.VALUE), prompt=question)
        as_code = truth.as_task()
        try:
            stated = await self._grade(as_value, completion)
            graded = stated
            if stated.outcome is not Outcome.PASS:
                graded = await self._grade(as_code, completion)
                if graded.reason is Reason.NO_ANSWER:
                    graded = stated
                elif graded.outcome is Outcome.PASS and await self._gives_away(as_code, question):
                    graded = replace(
                        graded, outcome=Outcome.FAIL, score=_RUNS, detail=_STATE_THE_VALUE
                    )
        except VMError as error:
            return Reward(score=None, graded=None, fault=str(error))
        return Reward(score=graded.score, graded=graded)

    def load_suites(self) -> None:
        """Read the suites now and not with the first answer. Raises TaskError."""
        assert self._suites

    async def vm_label(self) -> str:
        """Which VM grades. Raises VMError if it cannot be started."""
        return await self._answers.vm_label()

    async def close(self) -> None:
        """End the VM's processes."""
        await self._answers.close()

    async def _gives_away(self, task: Task, question: str) -> bool:
        """Whether code that the question shows is a right answer."""
        shown = [question, *map(fenced, AskedCode.read(question).expressions)]
        grades = [await self._grade(task, message) for message in shown]
        return any(graded.outcome is Outcome.PASS for graded in grades)

    async def _check_depends(self, task: Task) -> None:
        """Raises TruthError if the program gives the value whatever the answer is."""
        graded = await self._grade(task, _NOTHING)
        if graded.outcome is Outcome.PASS:
            raise TruthError(
                f"ground truth: the program gives {graded.cases[0]['expected']} without any answer,"
                " so it tells nothing about one; it has to call what the answer is to define, by "
                "a name that the VM does not have"
            )

    async def _grade(self, task: Task, answer: str, *, stop: bool = False) -> Graded:
        """The grade; of an answer that is being or was graded that one. Raises VMError."""
        digest = blake2b(answer.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        key = f"{stop} {task.task_hash} {task.prompt}", digest
        work = partial(self._grade_anew, task, answer, stop)
        is_short = len(answer) <= _MAX_KEPT_CHARS
        return await self._kept.get(key, work, lambda g: is_short and not _is_of_time(g))

    async def _grade_anew(self, task: Task, answer: str, stop: bool) -> Graded:
        why = ""
        for n in range(_TRIES):
            await asyncio.sleep(n * _PAUSE_S)
            try:
                graded = await self._answers.grade_task(task, answer, stop_at_failure=stop)
            except TaskError as error:
                raise TruthError(f"nothing can be graded against this: {error}") from error
            except VMError as error:
                why = str(error)
                continue
            if graded.outcome is not Outcome.VOID:
                return graded
            why = graded.detail or ""
        raise VMError(why)

    def _task_of(self, truth: Truth) -> Task:
        return self._find(truth) if isinstance(truth, TaskTruth) else truth.as_task()

    def _find(self, truth: TaskTruth) -> Task:
        suites = self._suites
        if truth.suite is not None:
            if truth.suite not in suites:
                known = ", ".join(suites)
                raise TruthError(f"there is no suite {truth.suite!r}; known are {known}")
            suites = {truth.suite: suites[truth.suite]}
        for tasks in suites.values():
            if truth.task in tasks:
                return tasks[truth.task]
        raise TruthError(f"there is no task {truth.task!r} in {', '.join(suites)}")

    @cached_property
    def _suites(self) -> dict[str, dict[str, Task]]:
        """The tasks of each suite that may be named, by the suite's name."""
        suites = {}
        for name in (*bundled_suites(), *self.settings.suites):
            tasks = load_tasks(suite_folder(name) if name in bundled_suites() else Path(name))
            known_as = tasks[0].suite.name if tasks[0].suite else name
            suites[known_as] = {task.id: task for task in tasks}
        return suites


def _is_of_time(graded: Graded) -> bool:
    """Whether the clock had a say: on a less busy machine it could have come out otherwise."""
    return any(error["class"] == ErrorClass.TIME.value for error in graded.vm_errors)
