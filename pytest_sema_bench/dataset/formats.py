"""Rows as the records that trainers read, one function a format.

What a record may hold is said in `formats.schema.json`, one definition a format with the place
where its tool says so; what a schema cannot say of a conversation is in `check_record`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_sema_bench.dataset.normal import known_names
from pytest_sema_bench.dataset.row import Row, Source, line_file
from pytest_sema_bench.errors import FileError, SettingsError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.records.transcript import ChatMessage, message_text
from pytest_sema_bench.reward.truth import read_truth
from pytest_sema_bench.sema.names import heads_used
from pytest_sema_bench.sema.reader import ReadError, read_forms

Record = dict[str, Any]
_KEPT = ("role", "content", "tool_calls", "tool_call_id", "name", "weight")
"""What is taken over of a message; servers add much that no trainer knows."""
_MAX_VALUE = 200
"""Characters of a value that a request can still name."""
_MAX_NAMES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A way to write rows."""

    name: str
    purpose: str
    suffix: str
    records: Callable[[Row, str | None], list[Record]]
    """The records of a row; the text is a system message for what is no trace.
    Raises Unfit for a row that cannot be written so."""


class Unfit(Exception):
    """A row that a format has no place for; the text says why."""


def asked(row: Row) -> str:
    """What is asked for: the row's prompt, or what its program gives and which names it calls.

    To ask what a program evaluates to would teach to evaluate; this asks for the program.
    """
    if row.prompt is not None:
        return row.prompt
    if row.error is not None:
        raise Unfit("it ends in an error and no prompt asks for that")
    value = None if row.value is None or row.value.startswith("<") else row.value
    if value is None and not row.output:
        raise Unfit("it has no prompt, and gives neither a value nor output to ask for")
    told = [f"evaluates to `{value}`"] if value else []
    told += ["prints " + ", ".join(f"`{line}`" for line in row.output)] if row.output else []
    wanted = " and ".join(told)
    if len(wanted) > _MAX_VALUE:
        raise Unfit("it has no prompt, and what it gives is too long to ask for")
    try:
        called = heads_used(read_forms(row.code)) & known_names()
    except ReadError as error:
        raise Unfit(f"it cannot be read: {error}") from error
    names = sorted(called)[:_MAX_NAMES]
    by = f" It calls {', '.join(f'`{name}`' for name in names)}." if names else ""
    return f"Write a Sema program that {wanted}.{by}"


def ground_truth(row: Row) -> Record:
    """What an answer to the row is graded against, as the room `reward` reads it."""
    if row.source is Source.TASKS:
        return {"task": row.family}
    if row.error is not None or (row.value is None and not row.output):
        raise Unfit("it gives neither a value nor output to grade an answer by")
    truth: Record = {"value": row.value or "nil", "output": list(row.output)}
    try:
        read_truth(truth)
    except SettingsError as error:
        raise Unfit(f"its value cannot be graded by: {error}") from error
    return truth


def conversation(row: Row, system: str | None) -> list[ChatMessage]:
    """The row as a chat: its own messages, or request and answer."""
    if row.messages:
        return [_plain(message) for message in row.messages]
    return [
        *_request(row, system),
        {"role": "assistant", "content": fenced(row.code.strip())},
    ]


def check_record(path: Path, number: int, record: Any, form: Format) -> None:
    """Raises FileError, with the line, for a record that the format's tool would not take."""
    if not form.suffix:
        return
    schema = Path(str(files("pytest_sema_bench.dataset"))) / "formats.schema.json"
    line_file(path, number, record).check(schema, form.name)
    if why := _fault(record):
        raise FileError(path, number, why)


def _fault(record: Record) -> str | None:
    """What is wrong with a record's conversation, beyond what the schema says; None if nothing."""
    input_ = record.get("input", record)
    prompt = input_.get("messages") or input_.get("prompt")
    if not isinstance(prompt, list):
        return None
    answers = [
        record.get(key) for key in ("completion", "chosen", "rejected", "preferred_output")
    ] + [record.get("non_preferred_output")]
    for answer in filter(None, answers):
        if why := _order(prompt) or _order([*prompt, *answer]):
            return why
        if answer[-1]["role"] != "assistant":
            return f"ends with a message of {answer[-1]['role']}; expected the assistant's"
    if any(answers) or "ground_truth" in record or "reward_model" in record:
        return _order(prompt)
    weights = [m.get("weight", 1) for m in prompt if m["role"] == "assistant"]
    if not any(weights):
        return "no message of the assistant has a weight other than 0, so nothing is learnt"
    return _order(prompt)


def _order(messages: Sequence[ChatMessage]) -> str | None:
    """What is wrong with the order of messages."""
    open_calls: set[str] = set()
    for number, message in enumerate(messages, start=1):
        role = message["role"]
        if role == "system" and number > 1:
            return f"message {number} is the system's; it must come first"
        if role == "tool":
            call = message.get("tool_call_id")
            if call not in open_calls:
                return f"message {number} answers the tool call {call!r}, which nobody made"
            open_calls.discard(call)
        elif open_calls:
            return f"message {number} comes before the tool call {min(open_calls)!r} is answered"
        else:
            open_calls = {call["id"] for call in message.get("tool_calls") or ()}
        if role == "assistant" and not (message.get("content") or message.get("tool_calls")):
            return f"message {number} of the assistant is empty"
    return None if any(m["role"] == "user" for m in messages) else "no message of a user"


def _openai(row: Row, system: str | None) -> list[Record]:
    return [{"messages": conversation(row, system), **_tools(row)}]


def _trl(row: Row, system: str | None) -> list[Record]:
    """One record for each message of the assistant that is to be learnt."""
    messages = conversation(row, system)
    return [
        {
            "prompt": _without_weight(messages[:index], as_objects=True),
            "completion": _without_weight([message], as_objects=True),
            **_tools(row),
        }
        for index, message in enumerate(messages)
        if message["role"] == "assistant" and message.get("weight", 1)
    ]


def _trl_text(row: Row, system: str | None) -> list[Record]:
    if row.messages:
        raise Unfit("it is a conversation, which plain text has no place for")
    request = "\n\n".join(filter(None, [system, asked(row)]))
    return [{"prompt": f"{request}\n\n", "completion": fenced(row.code.strip())}]


def _rft(row: Row, system: str | None) -> list[Record]:
    return [{"messages": _request(row, system), "ground_truth": ground_truth(row)}]


def _grpo(row: Row, system: str | None) -> list[Record]:
    # As text: a table gives each object the keys of all others, and lists of one kind only.
    truth = json.dumps(ground_truth(row), ensure_ascii=False)
    return [{"prompt": _request(row, system), "ground_truth": truth}]


def _dpo(row: Row, system: str | None) -> list[Record]:
    prompt, chosen, rejected = _pair(row, as_objects=True)
    return [{"prompt": prompt, "chosen": chosen, "rejected": rejected, **_tools(row)}]


def _fireworks_dpo(row: Row, system: str | None) -> list[Record]:
    prompt, chosen, rejected = _pair(row, as_objects=False)
    told = {"messages": prompt, **_tools(row)}
    return [{"input": told, "preferred_output": chosen, "non_preferred_output": rejected}]


def _verl(row: Row, system: str | None) -> list[Record]:
    truth = json.dumps(ground_truth(row), ensure_ascii=False)
    return [
        {
            "data_source": f"sema-bench/{row.source.value}",
            "prompt": _request(row, system),
            "ability": "code",
            "reward_model": {"style": "rule", "ground_truth": truth},
            "extra_info": {"id": row.id, "family": row.family},
        }
    ]


def _harbor(row: Row, system: str | None) -> list[Record]:
    truth = ground_truth(row)
    if "task" in truth:
        raise Unfit("it is graded by a task's cases, which a task folder does not hold")
    return [{"id": row.id, "instruction": asked(row), "truth": truth, "solution": row.code}]


FORMATS = {
    name: Format(name=name, purpose=purpose, suffix=suffix, records=records)
    for name, purpose, suffix, records in (
        ("openai", "chat messages, with tools; also for Fireworks", ".jsonl", _openai),
        ("trl", "TRL: prompt and completion as messages, with tools", ".jsonl", _trl),
        ("trl-text", "TRL: prompt and completion as text", ".jsonl", _trl_text),
        ("trl-grpo", "TRL: prompt and ground truth, for a reward", ".jsonl", _grpo),
        ("fireworks-rft", "messages and ground truth, for a reward", ".jsonl", _rft),
        ("dpo", "TRL: prompt, chosen, rejected", ".jsonl", _dpo),
        ("fireworks-dpo", "input, preferred and other output", ".jsonl", _fireworks_dpo),
        ("verl", "verl: parquet files with a ground truth", ".parquet", _verl),
        ("harbor", "Harbor: a task folder for each row", "", _harbor),
    )
}


def _request(row: Row, system: str | None) -> list[ChatMessage]:
    if row.messages:
        told = [_plain(m) for m in row.messages if m["role"] in ("system", "developer", "user")]
        last = next(i for i, m in enumerate(told) if m["role"] == "user")
        return told[: last + 1]
    start = [{"role": "system", "content": system}] if system else []
    return [*start, {"role": "user", "content": asked(row)}]


def _pair(row: Row, *, as_objects: bool) -> Iterator[list[ChatMessage]]:
    """Prompt, preferred and other answer."""
    if not row.dispreferred or not row.messages:
        raise Unfit("it is no pair of answers; `dataset traces --pairs` makes those")
    messages = [_plain(message) for message in row.messages]
    for part in (messages[:-1], messages[-1:], [_plain(m) for m in row.dispreferred]):
        yield _without_weight(part, as_objects=as_objects)


def _tools(row: Row) -> Record:
    return {"tools": list(row.tools)} if row.tools else {}


def _plain(message: ChatMessage) -> ChatMessage:
    """The message with what trainers know of it, its content as text."""
    kept = {key: message[key] for key in _KEPT if message.get(key) is not None}
    role = "system" if message["role"] == "developer" else message["role"]
    kept |= {"role": role, "content": message_text(message)}
    if "tool_calls" in kept:
        try:
            kept["tool_calls"] = [
                {"id": call["id"], "type": "function", "function": dict(call["function"])}
                for call in kept["tool_calls"]
            ]
        except (KeyError, TypeError) as error:
            raise Unfit("a tool call in it has no id or no function") from error
    return kept


def _without_weight(messages: Sequence[ChatMessage], *, as_objects: bool) -> list[ChatMessage]:
    """The messages as TRL takes them; `as_objects`: arguments as such, answers with their tool."""
    made, tools = [], dict[str, str]()
    for message in messages:
        kept = {key: value for key, value in message.items() if key != "weight"}
        if as_objects and "tool_calls" in kept:
            tools |= {call["id"]: call["function"]["name"] for call in kept["tool_calls"]}
            kept["tool_calls"] = [
                {**call, "function": {**call["function"], "arguments": _arguments(call)}}
                for call in kept["tool_calls"]
            ]
        if as_objects and kept.get("tool_call_id") in tools:
            kept["name"] = tools[kept["tool_call_id"]]
        made.append(kept)
    return made


def _arguments(call: Record) -> Any:
    try:
        found = json.loads(call["function"]["arguments"])
    except ValueError as error:
        raise Unfit(f"the arguments of a tool call are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unfit("the arguments of a tool call are no object")
    return found
