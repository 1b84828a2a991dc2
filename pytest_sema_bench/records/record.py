"""One line of `records.jsonl`: an item and how it ended. The format is DESIGN section 4."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.identity import ItemKey, Setup
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop, Void, read_reason
from pytest_sema_bench.records.suite import SuiteId, level_name
from pytest_sema_bench.records.transcript import Tokens

SCHEMA = 2
"""Raised whenever a field changes its meaning."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, as a model's JSON can hold it: no encoding takes it, but an escape does."""

_PARSE = "parse"
"""The class of the errors of a source that is no Sema."""
_ALIKE = ("task", "model", "config", "provider", "served_model", "vm", "dialect", "task_hash")
"""What many records say in the same words, kept in memory once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How one task went with one model, configuration and sample."""

    schema: int = SCHEMA
    key: str
    """Content hash of all that was asked: equal keys are the same question."""
    suite: SuiteId | None = None
    """None for a task of no suite, and for records from before there were suites."""
    task: str
    level: str | None
    category: str | None
    model: str
    config: str
    sample: int
    """1 for the first."""
    outcome: Outcome
    reason: Reason | Void
    detail: str | None = None
    score: float | None
    """1.0 right, 0.3 runs but wrong, 0.0 does not run; None for void."""
    answer: str | None
    """The final message; None if there was none."""
    cases: list[dict[str, Any]] = field(default_factory=list)
    """Per case `call`, `expected`, `got`, `pass`, and `error` where there was one."""
    vm_errors: list[dict[str, Any]] = field(default_factory=list)
    """The VM errors that the model's code met: `where` (tool or grade), `class`, `name`."""
    tries: list[dict[str, Any]] | None = None
    """The programs that tool calls evaluated, in order: `class` and `name` of the error, null
    without one; `right` says of a failed item whether that program would have passed. None in
    records that do not say."""
    foreign: list[dict[str, Any]] = field(default_factory=list)
    """Unbound names of other languages: `name`, the languages it comes `from`, and whether a later
    program `found` what Sema has instead."""
    offered: list[str] = field(default_factory=list)
    """The tools that the model was offered; older records do not say."""
    tool_calls: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    stop: Stop | None = None
    """None if the conversation was broken off."""
    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: float | None = None
    """None when the price or a call's usage is unknown."""
    latency_s: float = 0.0
    """Wall time of the conversation, without what it waited."""
    waited_s: float = 0.0
    """How long it waited for leave to ask: this machine's other calls went before."""
    retries: int = 0
    repairs: int = 0
    """Tool calls that did not fit their schema and were understood all the same."""
    misfits: int = 0
    """Tool calls that did not fit their schema and were answered with an error."""
    docs: dict[str, Any] = field(default_factory=dict)
    """Of searches of the documentation: how many `searches`, `empty` ones and `fallbacks`; the
    names `used` in the answer that they had shown, each with the best place it had."""
    adaptations: list[str] = field(default_factory=list)
    """What was changed in requests because the server refuses them otherwise."""
    served_model: str | None = None
    provider: str
    upstream: str | None = None
    """Who really answered, where a router says so."""
    vm: str | None
    dialect: str | None = None
    """What the answer is written in, as `Dialect.label`; None for plain Sema."""
    grader: int
    task_hash: str
    transcript: str | None = None
    """Where the conversation is, relative to the run folder: see `conversations`."""

    @property
    def setup(self) -> Setup:
        """Who was asked, and how."""
        return Setup(self.model, self.config)

    @property
    def item(self) -> ItemKey:
        """The item that this is about."""
        return ItemKey(self.task, self.setup, self.sample)

    @property
    def graded(self) -> bool:
        """Whether there is a verdict; what has none says nothing about the model."""
        return self.outcome is not Outcome.VOID

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.outcome is Outcome.PASS

    @property
    def repaired(self) -> bool | None:
        """Whether an item that met an error in a tool call was right; None if it met none."""
        met = any(error["where"] == "tool" for error in self.vm_errors)
        return self.passed if met and self.graded else None

    @property
    def first_parses(self) -> bool | None:
        """Whether the first program parses, tried or answered; None without any."""
        if self.tries:
            return bool(self.tries[0]["class"] != _PARSE)
        if self.tries is None or not self.cases:
            return None
        return not any(error["class"] == _PARSE for error in self.vm_errors)

    def to_json(self) -> str:
        """One line without the line end, in characters that UTF-8 can write."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        content["tokens"] = self.tokens.as_json()
        content["suite"] = self.suite and self.suite.as_json()
        line = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)

    @classmethod
    def from_json(cls, line: str) -> "Record":
        """The record of a line. Raises BenchError if it is none or of a newer schema."""
        try:
            data = json.loads(line)
            schema = data["schema"]
            if schema > SCHEMA:
                raise BenchError(
                    f"the record has schema {schema}, this version reads up to {SCHEMA}"
                )
            known = cls.__dataclass_fields__
            data["schema"], data["level"] = SCHEMA, level_name(data["level"])
            data["suite"] = SuiteId.from_json(data.get("suite"))
            data["tokens"] = Tokens(**data["tokens"])
            data["outcome"] = Outcome(data["outcome"])
            data["reason"] = read_reason(data["outcome"], data["reason"])
            if data.get("stop") is not None:
                data["stop"] = Stop(data["stop"])
            for name in _ALIKE:
                if isinstance(data.get(name), str):
                    data[name] = sys.intern(data[name])
            return cls(**{k: v for k, v in data.items() if k in known})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BenchError(f"not a record: {error}") from error


def by_setup(records: Iterable[Record]) -> dict[Setup, list[Record]]:
    """The records of each model and configuration, in order of appearance."""
    groups: dict[Setup, list[Record]] = {}
    for record in records:
        groups.setdefault(record.setup, []).append(record)
    return groups


def content_key(**parts: object) -> str:
    """A hash of everything that was asked, stable over versions of Python and of dict order."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
