"""Rows from conversations of runs: how a right answer was come by, and pairs of right and wrong.

Whether an answer is right is asked of the grader again, on the VM at hand.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_sema_bench.agent.tools import check_tool_names, make_toolbox
from pytest_sema_bench.dataset.benchmark import is_benchmark, refuse
from pytest_sema_bench.dataset.prove import LIMITS, Draft, Sifting
from pytest_sema_bench.dataset.references import licence_of_task
from pytest_sema_bench.dataset.row import BENCHMARK, Row, Source
from pytest_sema_bench.dataset.talk import Unusable, opening, weighted
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.grading.regrade import tasks_of
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.records.reader import RunData, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import ChatMessage
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import GradeKind, Task, load_tasks

_NO_ANSWER = (Reason.NO_ANSWER, Reason.TRUNCATED, Reason.TIME)
"""Failures that teach nothing about code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A graded item of a run with its conversation."""

    record: Record
    task: Task
    place: str
    messages: Sequence[object]
    verdict: Verdict

    @property
    def code(self) -> str:
        """What the grader took for the answer."""
        return "\n".join(self.verdict.extracted)


class Tracer:
    """Makes rows of runs."""

    def __init__(self, vm: SemaVM, sifting: Sifting, licence: str | None) -> None:
        self._vm = vm
        self._sifting = sifting
        self._licence = licence
        self._grader = Grader(vm)

    async def trace(self, runs: Sequence[Path], *, benchmark: bool, repaired: bool) -> None:
        """A row for each right answer. Raises BenchError for what is no run, or not allowed."""
        for answer in await self._answers(runs, benchmark=benchmark):
            record, place = answer.record, answer.place
            if answer.verdict.outcome is not Outcome.PASS:
                self._sifting.drop(f"the answer is wrong ({answer.verdict.reason})", place)
                continue
            try:
                messages = weighted(answer.messages)
                tools = self._tools(record.offered)
            except Unusable as why:
                self._sifting.drop(str(why), place)
                continue
            seen = any(error.get("where") == "tool" for error in record.vm_errors)
            if repaired and not (seen and any(m.get("weight") == 0 for m in messages)):
                self._sifting.drop("no VM error was seen and mended", place)
                continue
            self._sifting.kept.append(await self._row(answer, messages, tools=tools))

    async def pair(self, runs: Sequence[Path], *, benchmark: bool) -> None:
        """A row for each right answer that a wrong one to the same question stands beside."""
        asked: dict[str, tuple[list[_Answer], list[_Answer]]] = {}
        for answer in await self._answers(runs, benchmark=benchmark):
            if answer.verdict.reason in _NO_ANSWER:
                continue
            try:
                question = f"{answer.task.id} {opening(answer.messages)}"
            except Unusable:
                continue
            right, wrong = asked.setdefault(question, ([], []))
            same = right if answer.verdict.outcome is Outcome.PASS else wrong
            if answer.code not in [other.code for other in same]:
                same.append(answer)
        for right, wrong in asked.values():
            for index, answer in enumerate(right):
                if index >= len(wrong):
                    why = "there is no (further) wrong answer to the same question"
                    self._sifting.drop(why, answer.place)
                    continue
                messages = (*opening(answer.messages), _said(answer))
                worse = (_said(wrong[index]),)
                self._sifting.kept.append(await self._row(answer, messages, worse=worse))

    def _records(
        self, runs: Sequence[Path], *, benchmark: bool
    ) -> Iterator[tuple[Record, RunData, Task | None]]:
        """All records of the runs with their tasks, once it is known that all may be used."""
        read = [read_run(path) for path in runs]
        for run in read:
            if not benchmark and (n := len({r.task for r in run.records if is_benchmark(r)})):
                raise refuse(run.path, n)
        for run in read:
            tasks: Mapping[str, Task] = {task.id: task for task in load_tasks(tasks_of(run))}
            for task in tasks.values():
                if not benchmark and is_benchmark(task):
                    raise refuse(run.path, len(tasks))
            # Not in the order in which they ended: rows must not depend on the clock.
            for record in sorted(run.records, key=lambda record: record.item):
                yield record, run, tasks.get(record.task)

    async def _answers(self, runs: Sequence[Path], *, benchmark: bool) -> list[_Answer]:
        """All items that can be graded anew; why others cannot is in the account."""
        items = list(self._records(runs, benchmark=benchmark))
        answers = []
        for found in await asyncio.gather(*(self._answer(*item) for item in items)):
            if isinstance(found, _Answer):
                answers.append(found)
            else:
                self._sifting.drop(*found)
        return answers

    async def _answer(
        self, record: Record, run: RunData, task: Task | None
    ) -> _Answer | tuple[str, str]:
        """The item graded anew, or why that cannot be, and which it is."""
        place = f"{run.name} {record.item}"
        if why := _unfit(record, task):
            return why, place
        assert task is not None
        try:
            talk = read_transcript(run.path, record.transcript or "")
        except (OSError, ValueError):
            return "its conversation cannot be read", place
        verdict = await self._grader.grade(task, record.answer or "")
        messages = talk["messages"]
        return _Answer(record=record, task=task, place=place, messages=messages, verdict=verdict)

    def _tools(self, offered: Sequence[str]) -> tuple[dict[str, object], ...]:
        try:
            check_tool_names(offered)
        except SettingsError:
            why = "it was offered tools of an MCP server, which the run does not describe"
            raise Unusable(why) from None
        return tuple(make_toolbox(tuple(offered), self._vm, Limits()).schemas)

    async def _row(
        self,
        answer: _Answer,
        messages: tuple[ChatMessage, ...],
        *,
        tools: tuple[dict[str, object], ...] = (),
        worse: tuple[ChatMessage, ...] = (),
    ) -> Row:
        record, task = answer.record, answer.task
        tags = [f"model={record.model}", f"config={record.config}"]
        if any(message.get("weight") == 0 for message in messages):
            tags.append("repaired")
        if is_benchmark(task) or is_benchmark(record):
            tags.append(BENCHMARK)
        # What the code does by itself: some tasks define names for it, and then it lacks them.
        (done,) = await self._vm.evaluate([answer.code], LIMITS)
        draft = Draft(
            place=answer.place,
            source=Source.TRACES,
            licence=licence_of_task(task, self._licence),
            family=task.id,
            prompt=str(messages[1]["content"]),
            code=answer.code,
            tags=tuple(tags),
        )
        row = draft.row(done, (await self._vm.info()).version)
        return replace(row, messages=messages, tools=tools, dispreferred=worse)


def _unfit(record: Record, task: Task | None) -> str | None:
    """Why an item is not looked at, None if it is."""
    if not record.graded:
        return f"it is void ({record.reason})"
    if record.dialect is not None:
        return "it was asked in a dialect of Sema"
    if task is None or task.task_hash != record.task_hash:
        return "its task has changed since or is gone"
    if task.kind is GradeKind.VALUE:
        return "the answer is a value and no code"
    return None


def _said(answer: _Answer) -> ChatMessage:
    return {"role": "assistant", "content": answer.record.answer or "", "weight": 1}
