"""Measures how far the grader agrees with labels made by hand.

    python benchmarks/extraction/measure.py ANSWERS.jsonl TASKS_DIR

Each line of ANSWERS holds `task`, `answer`, `label` (right, wrong or undecidable) and, if the
label can be disputed, `borderline: true`. TASKS_DIR holds a task file for each task named.
Neither belongs to the project: give the folders where they are.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.suite.task import Task, load_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One answer with its label."""

    task: str
    answer: str
    label: str
    truncated: bool
    borderline: bool
    reason: str

    @classmethod
    def read(cls, line: str) -> "Labelled":
        """The answer on one line of the file. Raises KeyError if a field is missing."""
        data: dict[str, Any] = json.loads(line)
        return cls(
            task=data["task"],
            answer=data["answer"],
            label=data["label"],
            truncated=bool(data.get("truncated", False)),
            borderline=bool(data.get("borderline", False)),
            reason=data.get("reason") or "",
        )

    @property
    def is_decided(self) -> bool:
        """Whether the label says right or wrong and nobody would dispute it."""
        return self.label in ("right", "wrong") and not self.borderline


async def grade_all(
    tasks: dict[str, Task], answers: Sequence[Labelled], n_hosts: int
) -> list[Verdict]:
    """One verdict per answer, in order."""
    vm = create_vm("wasm", n_hosts=n_hosts)
    grader = Grader(vm)
    try:
        return await asyncio.gather(
            *(grader.grade(tasks[a.task], a.answer, truncated=a.truncated) for a in answers)
        )
    finally:
        await vm.close()


def report(answers: Sequence[Labelled], verdicts: Sequence[Verdict]) -> int:
    """Prints agreement and every disagreement; the number of disagreements."""
    decided = [(a, v) for a, v in zip(answers, verdicts, strict=True) if a.is_decided]
    n_right = sum(answer.label == "right" for answer, _ in decided)
    false_passes = [p for p in decided if p[1].outcome is Outcome.PASS and p[0].label == "wrong"]
    false_fails = [p for p in decided if p[1].outcome is Outcome.FAIL and p[0].label == "right"]
    n_wrong_labels = len(decided) - n_right
    n_off = len(false_passes) + len(false_fails)
    rate = (len(decided) - n_off) / len(decided) if decided else 0.0
    print(f"lines {len(answers)}, decided {len(decided)}: {n_right} right, {n_wrong_labels} wrong")
    print(f"agreement {len(decided) - n_off}/{len(decided)} = {rate:.1%}")
    for title, pairs in (("false passes", false_passes), ("false fails", false_fails)):
        print(f"{title} {len(pairs)}")
        for answer, verdict in pairs:
            print(f"  {answer.task}: label {answer.label} ({answer.reason}); {_why(verdict)}")
    return n_off


def _why(verdict: Verdict) -> str:
    case = verdict.failing_case
    shown = f"{verdict.outcome.value} ({verdict.reason.value}), {verdict.rule}"
    if case is None:
        return shown
    got = case.got if case.error is None else case.error.splitlines()[0]
    return f"{shown}; {case.call} gave {got}, expected {case.expected}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if grader and labels agree on every decided line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("answers", type=Path, help="JSON lines with answers and labels")
    parser.add_argument("tasks", type=Path, help="folder with the task files")
    parser.add_argument("--hosts", type=int, default=2, help="VM processes at a time")
    options = parser.parse_args(arguments)
    tasks = {task.id: task for task in load_tasks(options.tasks)}
    lines = options.answers.read_text("utf-8").splitlines()
    answers = [Labelled.read(line) for line in lines if line.strip()]
    if missing := sorted({answer.task for answer in answers} - set(tasks)):
        parser.error(f"no task file for {', '.join(missing)} in {options.tasks}")
    verdicts = asyncio.run(grade_all(tasks, answers, options.hosts))
    return 1 if report(answers, verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
