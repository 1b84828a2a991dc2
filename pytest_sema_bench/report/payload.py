"""What the report carries along for its scripts: an index of all items, and each conversation.

Conversations are compressed one by one, so that a page opens without unpacking any. System
prompts and questions, which many share, are kept once.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.outcome import Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import OTHER
from pytest_sema_bench.report.runs import ReportItem

_SHARED_ROLES = frozenset({"system", "user", "developer"})
_NAME_CHARS = 80
_BATCH = 64
_N_THREADS = 2


def item_index(entries: Iterable[ReportItem]) -> list[dict[str, Any]]:
    """What lists and filters need of each item; its place is the number of its conversation."""
    return [_line(entry) for entry in entries]


def pack(data: object) -> str:
    """The data as JSON, compressed by zlib, in base64: letters that mean nothing to HTML."""
    return _squeeze(json.dumps(data, separators=(",", ":")))


def conversations(entries: Iterable[ReportItem], shared: dict[str, int]) -> Iterator[str]:
    """Each item's record and conversation, packed; "" for an item without a record.

    What many conversations hold is put into `shared`, each text under its number.
    """
    texts = (_content(entry, shared) for entry in entries)
    # Threads will do, as zlib lets go of Python's lock while it compresses.
    with ThreadPoolExecutor(_N_THREADS) as threads:
        under_way: Iterator[str] = iter(())
        # The next batch is read while the threads compress the one before.
        while batch := list(islice(texts, _BATCH)):
            ahead = threads.map(_squeeze, batch)
            yield from under_way
            under_way = ahead
        yield from under_way


def _line(entry: ReportItem) -> dict[str, Any]:
    record = entry.record
    line: dict[str, Any] = {
        "task": entry.item.task,
        "level": entry.planned.level or OTHER,
        "model": entry.model,
        "label": entry.item.label,
        "outcome": record.outcome if record else "missing",
        "reason": record.reason if record else Void.MISSING,
    }
    if record is None:
        return line
    return line | {
        "category": record.category,
        "errors": sorted({str(error.get("class")) for error in record.vm_errors}),
        "names": sorted({str(e["name"])[:_NAME_CHARS] for e in record.vm_errors if e.get("name")}),
        "tokens": record.tokens.total,
        "cost": record.cost_usd,
        "seconds": record.latency_s,
    }


def _content(entry: ReportItem, shared: dict[str, int]) -> str:
    if entry.record is None:
        return ""
    talk = _read_transcript(entry.folder, entry.record)
    talk["messages"] = [_without_shared(message, shared) for message in talk["messages"]]
    text = json.dumps(talk, separators=(",", ":"))
    return f'{text[:-1]},"record":{entry.record.to_json()}}}'


def _read_transcript(folder: Path, record: Record) -> dict[str, Any]:
    """What is shown of a conversation; where it cannot be read, a note that says so."""
    missing: dict[str, Any] = {"messages": [], "calls": []}
    if record.transcript is None:
        return {**missing, "note": "The record names no transcript."}
    try:
        talk = read_transcript(folder, record.transcript)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return {**missing, "note": f"The transcript {record.transcript} cannot be read: {why}"}
    return {name: talk[name] for name in ("messages", "calls", "traceback") if name in talk}


def _without_shared(message: object, shared: dict[str, int]) -> object:
    """The message, with a number in place of a content that others have too."""
    if not isinstance(message, dict) or message.get("role") not in _SHARED_ROLES:
        return message
    content = message.get("content")
    if not isinstance(content, str):
        return message
    return {**message, "content": None, "shared": shared.setdefault(content, len(shared))}


def _squeeze(text: str) -> str:
    return b64encode(zlib.compress(text.encode())).decode("ascii") if text else ""
