"""A log of Inspect AI as a run of ours: its answers graded again, its conversations kept.

Whatever scored there has no say: the last answer of each sample goes to our grader and the VM.
"""

import asyncio
import importlib.util
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.grading.grader import GRADER_VERSION
from pytest_sema_bench.grading.scoring import AnswerGrader
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, RunStatus, Stop, Void
from pytest_sema_bench.records.record import Record, content_key
from pytest_sema_bench.records.transcript import ChatMessage, Tokens, message_text
from pytest_sema_bench.suite.task import Task

_CONFIG = "inspect"
"""The configuration's name where the log does not say one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a log."""

    records: tuple[Record, ...]
    unknown: tuple[str, ...]
    """The names of samples that are no tasks of the suite."""


async def import_log(path: Path, tasks: Sequence[Task], folder: Path, backend: str) -> Imported:
    """The run that was made of a log, in a new folder.

    Raises BenchError if the log cannot be read, none of its samples is a task, or the folder is
    there already.
    """
    if folder.exists():
        raise BenchError(f"{folder} is there already; name another folder with -o")
    log = _read(path)
    by_id = {task.id: task for task in tasks}
    samples = list(log.get("samples") or [])
    known = [sample for sample in samples if str(sample["id"]) in by_id]
    if not known:
        names = ", ".join(sorted({str(sample["id"]) for sample in samples})[:3]) or "no samples"
        raise BenchError(f"{path}: no sample is named after a task of the suite; found {names}")
    grader = AnswerGrader(tasks, backend=backend)
    try:
        label = await grader.vm_label()
        ended = await asyncio.gather(
            *(
                _ended(sample, by_id[str(sample["id"])], log["eval"], grader, label)
                for sample in known
            )
        )
    finally:
        await grader.close()
    return Imported(
        records=tuple(_write(folder, ended, log["eval"], label)),
        unknown=tuple(sorted({str(s["id"]) for s in samples} - set(by_id))),
    )


def _read(path: Path) -> dict[str, Any]:
    """The log as plain data, by the package that wrote it: its archives use its own compression."""
    if importlib.util.find_spec("inspect_ai") is None:
        raise BenchError('import needs inspect_ai: pip install "pytest-sema-bench[inspect]"')
    if not path.is_file():
        raise BenchError(f"there is no log {path}")
    from inspect_ai.log import read_eval_log

    try:
        # Large texts of a sample stand apart in the file.
        log = read_eval_log(str(path), resolve_attachments=True)
        content: dict[str, Any] = log.model_dump(mode="json", exclude_none=True)
    except Exception as error:
        raise BenchError(f"{path}: not a log of Inspect AI: {error}") from error
    return content


async def _ended(
    sample: Mapping[str, Any], task: Task, spec: Mapping[str, Any], grader: AnswerGrader, vm: str
) -> Ended:
    messages = [_message(message) for message in sample.get("messages") or []]
    record = _record(sample, task, spec, messages, vm)
    if record.answer is not None:
        truncated = record.stop is Stop.TRUNCATED
        graded = await grader.grade_task(task, record.answer, truncated=truncated)
        record = replace(record, **graded.in_record(()))
    return record, {"messages": messages, "calls": []}


def _record(
    sample: Mapping[str, Any],
    task: Task,
    spec: Mapping[str, Any],
    messages: Sequence[ChatMessage],
    vm: str,
) -> Record:
    """The record without a verdict: void until its answer is graded, or for good without one."""
    said = spec.get("metadata") or {}
    error, limit = sample.get("error"), sample.get("limit") or {}
    answers = [message for message in messages if message["role"] == "assistant"]
    calls = [call for message in answers for call in message.get("tool_calls") or []]
    usage = list((sample.get("model_usage") or {}).values())
    tokens = sum(map(_tokens, usage), Tokens())
    costs = [each.get("total_cost") for each in usage]
    names = [str(call["function"]["name"]) for call in calls]
    provider, _, model = str(spec["model"]).partition("/")
    config = str(said.get("config") or _CONFIG)
    failed = error is not None or not answers
    detail = str(error["message"]) if error is not None else "the log holds no answer"
    key = (sample.get("metadata") or {}).get("key")
    asked = {"log": spec.get("eval_id") or spec["created"], "task": task.task_hash}
    return Record(
        key=str(key) if key else content_key(**asked, sample=sample.get("epoch")),
        task=task.id,
        suite=task.suite.id if task.suite else None,
        level=task.level,
        category=task.category,
        model=str(said.get("model") or model or spec["model"]),
        config=config,
        sample=int(sample.get("epoch") or 1),
        outcome=Outcome.VOID,
        reason=Void.API,
        detail=detail if failed else None,
        score=None,
        answer=None if failed else message_text(answers[-1]),
        tool_calls={name: names.count(name) for name in sorted(set(names))},
        rounds=sum(bool(message.get("tool_calls")) for message in answers),
        stop=None if failed else Stop.TRUNCATED if limit.get("type") == "token" else Stop.ANSWERED,
        tokens=tokens,
        cost_usd=None if None in costs or not costs else sum(costs),
        latency_s=round(float(sample.get("working_time") or 0.0), 3),
        provider=provider,
        vm=vm,
        grader=GRADER_VERSION,
        task_hash=task.task_hash,
    )


def _message(message: Mapping[str, Any]) -> ChatMessage:
    """A message of Inspect's as one of the chat API."""
    made: ChatMessage = {"role": message["role"], "content": message_text(dict(message))}
    if message.get("tool_call_id"):
        made["tool_call_id"] = message["tool_call_id"]
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {
                    "name": call["function"],
                    "arguments": json.dumps(call.get("arguments") or {}),
                },
            }
            for call in calls
        ]
    return made


def _tokens(usage: Mapping[str, Any]) -> Tokens:
    return Tokens(
        prompt=int(usage.get("input_tokens") or 0),
        cached=int(usage.get("input_tokens_cache_read") or 0),
        completion=int(usage.get("output_tokens") or 0),
        reasoning=int(usage.get("reasoning_tokens") or 0),
    )


def _write(folder: Path, ended: Iterable[Ended], spec: Mapping[str, Any], vm: str) -> list[Record]:
    made = RunFolder(folder)
    made.make()
    made.take()
    try:
        records = made.keep(list(ended))
        made.write_items(PlannedItem.of(record) for record in records)
        made.write_run(
            {
                "run": folder.name,
                "state": RunStatus.FINISHED,
                "start": spec["created"],
                "end": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
                "settings": {"tasks": None, "suite": records[0].suite and records[0].suite.name},
                "imported": {"eval_id": spec.get("eval_id"), "task": spec.get("task")},
                "vm": vm,
                "grader": GRADER_VERSION,
                "n_missing": 0,
                "n_void": sum(not record.graded for record in records),
            }
        )
    finally:
        made.close()
    return records
