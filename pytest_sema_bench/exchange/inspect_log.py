"""A run as a log of Inspect AI, which `inspect view` opens.

An `.eval` file is a zip archive: `_journal/start.json`, a file for each sample, `summaries.json`
and `header.json`. Source: inspect_ai 0.3.285, `inspect_ai/log/_log.py` for the fields and
`log/_recorders/eval.py` for the members. A sample of ours is an epoch there, a void item a sample
with an error and without a score, so that its rates are ours.
"""

import json
from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, cast
from zipfile import ZIP_DEFLATED, ZipFile

from pytest_sema_bench import __version__
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.outcome import RunStatus, Stop
from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import ChatMessage, Tokens, message_text
from pytest_sema_bench.records.whole_file import whole_file

SCORER = "sema"
_VERSION = 2
_STATUS = {RunStatus.FINISHED: "success", RunStatus.RUNNING: "started"}
_STOP_REASONS = {Stop.TRUNCATED: "max_tokens", Stop.REFUSED: "content_filter"}
_LISTED = ("id", "epoch", "target", "scores", "model_usage", "total_time", "working_time")
_MOST_INPUT = 200
_REASONING = ("reasoning_content", "reasoning")


def write_inspect_log(path: Path, run: RunData, setup: Setup) -> int:
    """Write what one model did in one configuration; the number of samples.

    Raises BenchError if the file cannot be written.
    """
    records = [record for record in run.records if record.setup == setup]
    head = {"version": _VERSION, "eval": _spec(run, setup, records), "plan": {}}
    try:
        with whole_file(path) as file, ZipFile(_bytes(file), "w", ZIP_DEFLATED) as archive:
            _member(archive, "_journal/start.json", head)
            summaries = []
            for record in records:
                sample = _sample(run, record)
                _member(archive, f"samples/{record.task}_epoch_{record.sample}.json", sample)
                summaries.append(_summary(sample))
            _member(archive, "summaries.json", summaries)
            _member(archive, "header.json", head | _ending(run, records))
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from error
    return len(records)


def _bytes(file: IO[str]) -> BinaryIO:
    return cast(TextIO, file).buffer


def _member(archive: ZipFile, name: str, content: object) -> None:
    # Half a surrogate pair has no place in UTF-8.
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    archive.writestr(name, text)


def _spec(run: RunData, setup: Setup, records: Sequence[Record]) -> dict[str, Any]:
    content = run.manifest.content
    suite = run.suite
    config = named_entry(content.get("configs"), setup.config)
    tasks = list(dict.fromkeys(record.task for record in records))
    sampling = {k: v for k, v in (config.get("sampling") or {}).items() if v is not None}
    first = records[0] if records else None
    return {
        "eval_id": f"{run.name}-{setup.name}",
        "run_id": run.name,
        "created": run.manifest.start or "1970-01-01T00:00:00+00:00",
        "task": suite.name if suite else "sema-bench",
        "task_id": f"{run.name}-{setup.name}",
        "task_version": suite.version if suite else 0,
        "task_args": {"config": setup.config},
        "dataset": {"name": suite.label if suite else None, "samples": len(tasks)}
        | {"sample_ids": tasks, "shuffled": False},
        "model": model_path(run, setup, first),
        "model_generate_config": sampling,
        "config": {
            "epochs": max((record.sample for record in records), default=1),
            "epochs_reducer": ["mean"],
        },
        "packages": {"pytest-sema-bench": __version__},
        "metadata": {
            "model": setup.model,
            "config": setup.config,
            "vm": first.vm if first else content.get("vm"),
            "grader": run.manifest.grader,
            "suite": suite.as_json() if suite else None,
        },
    }


def named_entry(entries: object, name: str) -> Mapping[str, Any]:
    """What run.json says of a model or configuration; empty where it says nothing."""
    found = (e for e in entries if isinstance(e, dict)) if isinstance(entries, list) else iter(())
    return next((entry for entry in found if entry.get("name") == name), {})


def model_path(run: RunData, setup: Setup, record: Record | None) -> str:
    """`provider/id`, as Inspect names models."""
    entry = named_entry(run.manifest.content.get("models"), setup.model)
    provider = entry.get("provider") or (record.provider if record else "unknown")
    return f"{provider}/{entry.get('id') or setup.model}"


def _sample(run: RunData, record: Record) -> dict[str, Any]:
    talk = _talk(run, record)
    messages = [_message(message) for message in talk]
    usage = {model_path(run, record.setup, record): _usage(record)}
    answers = [message for message in messages if message["role"] == "assistant"]
    stop = _STOP_REASONS.get(record.stop, "stop") if record.stop else "unknown"
    output = {
        "model": record.served_model or record.model,
        "choices": [{"message": answers[-1], "stop_reason": stop}] if answers else [],
        "completion": record.answer or "",
        "usage": _usage(record),
    }
    limit = {"type": "token", "limit": record.tokens.completion}
    return {
        "id": record.task,
        "epoch": record.sample,
        "input": next((message_text(m) for m in talk if m.get("role") == "user"), ""),
        "target": "every case passes",
        "messages": messages,
        "output": output,
        "scores": {SCORER: _score(record)} if record.graded else {},
        "metadata": _metadata(record),
        "model_usage": usage,
        "total_time": record.latency_s + record.waited_s,
        "working_time": record.latency_s,
        "error": None if record.graded else _error(record),
        "limit": limit if record.stop is Stop.TRUNCATED else None,
    }


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What the viewer lists before a sample is opened."""
    error, limit = sample["error"], sample["limit"]
    return {
        **{name: sample[name] for name in _LISTED},
        "input": sample["input"][:_MOST_INPUT],
        "error": error and error["message"],
        "limit": limit and limit["type"],
        "message_count": len(sample["messages"]),
        "completed": True,
    }


def _ending(run: RunData, records: Sequence[Record]) -> dict[str, Any]:
    graded = [record for record in records if record.graded]
    n, n_pass = len(graded), sum(record.passed for record in graded)
    rate = n_pass / n if n else 0.0
    error = sqrt(rate * (1 - rate) / (n - 1)) if n > 1 else 0.0
    metrics = {"accuracy": rate, "stderr": error}
    tokens = sum((record.tokens for record in records), Tokens())
    setup = records[0].setup if records else Setup("", "")
    state = run.manifest.state
    return {
        "status": "cancelled" if state is None else _STATUS.get(state, "cancelled"),
        "results": {
            "total_samples": len(records),
            "completed_samples": n,
            "scores": [
                {
                    "name": SCORER,
                    "scorer": SCORER,
                    "scored_samples": n,
                    "unscored_samples": len(records) - n,
                    "metrics": {k: {"name": k, "value": v} for k, v in metrics.items()},
                }
            ],
        },
        "stats": {
            "started_at": run.manifest.start or "",
            "completed_at": run.manifest.content.get("end") or "",
            "model_usage": {model_path(run, setup, None): _token_usage(tokens)} if records else {},
        },
    }


def _talk(run: RunData, record: Record) -> list[ChatMessage]:
    if record.transcript is None:
        return []
    try:
        messages: list[ChatMessage] = read_transcript(run.path, record.transcript)["messages"]
    except (OSError, ValueError) as error:
        raise BenchError(f"the conversation of {record.item} cannot be read: {error}") from error
    return messages


def _message(message: ChatMessage) -> dict[str, Any]:
    role, text = message.get("role", "assistant"), message_text(message)
    if role == "tool":
        return {"role": role, "content": text, "tool_call_id": str(message.get("tool_call_id"))}
    if role != "assistant":
        return {"role": "user" if role != "system" else role, "content": text}
    thought = next((message[name] for name in _REASONING if message.get(name)), None)
    parts = [{"type": "reasoning", "reasoning": str(thought)}, {"type": "text", "text": text}]
    made = {"role": role, "content": parts if thought else text, "source": "generate"}
    calls = [call for call in message.get("tool_calls") or [] if isinstance(call, dict)]
    return made | ({"tool_calls": list(map(_tool_call, calls))} if calls else {})


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments, fault = function.get("arguments"), None
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, strict=False)
        except (ValueError, RecursionError) as error:
            fault = f"{error}: {arguments[:200]}"
    return {
        "id": str(call.get("id")),
        "function": str(function.get("name")),
        "type": "function",
        "arguments": arguments if isinstance(arguments, dict) else {},
        "parse_error": fault,
    }


def _score(record: Record) -> dict[str, Any]:
    told = [record.reason.value, record.detail, *map(_case, record.cases)]
    return {
        "value": "C" if record.passed else "I",
        "answer": record.answer,
        "explanation": "\n".join(filter(None, told)),
        "metadata": {"reason": record.reason.value, "score": record.score, "cases": record.cases},
    }


def _case(case: Mapping[str, Any]) -> str | None:
    if case.get("pass"):
        return None
    return f"{case.get('call')}: {case.get('error') or case.get('got')}, not {case.get('expected')}"


def _error(record: Record) -> dict[str, str]:
    told = f"{record.reason.value}: {record.detail or 'no verdict'}"
    return {"message": told, "traceback": told, "traceback_ansi": told}


def _metadata(record: Record) -> dict[str, Any]:
    kept = ("key", "level", "category", "vm", "grader", "task_hash", "cost_usd", "rounds")
    more = ("tool_calls", "vm_errors", "stop", "provider", "served_model", "reason", "detail")
    return {name: getattr(record, name) for name in (*kept, *more)}


def _usage(record: Record) -> dict[str, Any]:
    return _token_usage(record.tokens) | {"total_cost": record.cost_usd}


def _token_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.prompt,
        "output_tokens": tokens.completion,
        "total_tokens": tokens.total,
        "input_tokens_cache_read": tokens.cached,
        "reasoning_tokens": tokens.reasoning,
    }
