"""A model asked many small questions, each answer paid for once.

What came back is written beside the output at once, so that the same command, repeated after an
interruption, asks only what is missing. Money, pace, recordings and keys are those of runs.
"""

import asyncio
import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.limits import mend_ledger, open_ledger
from pytest_sema_bench.records.record import content_key
from pytest_sema_bench.records.transcript import message_text
from pytest_sema_bench.run.item import asked_config
from pytest_sema_bench.run.plan import Plan
from pytest_sema_bench.run.resources import EngineOptions, Resources
from pytest_sema_bench.run.run import patience
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits


class Answers:
    """The model of a plan and the VM, open until `close`; to be used on one event loop."""

    def __init__(self, plan: Plan, resources: Resources, journal: Path | None) -> None:
        (self._model,) = plan.models
        self._config = asked_config(self._model, plan.configs[0])
        self._resources = resources
        self._redactor = plan.redactor
        self._room = asyncio.Semaphore(plan.settings.concurrency)
        self._known = {} if journal is None else _read(journal)
        self._path = journal
        self._file: IO[str] | None = None

    @classmethod
    async def open(cls, plan: Plan, journal: Path) -> "Answers":
        """All that is needed to ask. Raises VMError, or SettingsError for an unusable ledger."""
        settings = plan.settings
        options = EngineOptions(
            run=f"{journal}#{time.time_ns()}",
            shared=True,
            ledger=settings.ledger,
            patience=patience(settings),
            record=settings.record,
            replay=settings.replay,
        )
        if settings.ledger is None:
            mend_ledger()
        resources = await Resources.open(
            settings.vm,
            n_hosts=os.cpu_count() or 1,
            n_connections=settings.concurrency,
            options=options,
            limits=Limits(),
            redactor=plan.redactor,
        )
        # A replay is free and must not depend on what was asked before.
        answers = cls(plan, resources, None if settings.replay else journal)
        with closing(open_ledger(settings.ledger)) as ledger:
            ledger.start_run(
                options.run, cap_usd=settings.max_cost_usd, spent_usd=answers.spent_usd
            )
        return answers

    @property
    def vm(self) -> SemaVM:
        """The VM of the plan."""
        return self._resources.vm

    @property
    def spent_usd(self) -> float:
        """What the answers cost that are known."""
        return float(sum(entry.get("cost_usd") or 0.0 for entry in self._known.values()))

    async def ask(self, name: str, system: str, question: str) -> str:
        """The text of the answer; `name` is that of its recording. Raises BenchError."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        body: dict[str, Any] = {"model": self._model.id, "messages": messages}
        body |= self._config.sampling.body()
        key = content_key(server=self._model.base_url, extra=dict(self._model.extra), body=body)
        async with self._room:
            if known := self._known.get(key):
                return str(known["text"])
            client = self._resources.client(self._model)
            try:
                reply = await client.complete(body, name)
            finally:
                client.end(name)
            price, tokens = self._model.price, reply.call.tokens
            text = message_text(reply.message)
            cost = None if price is None or tokens is None else price.cost_usd(tokens)
            self._keep(key, {"key": key, "text": text, "cost_usd": cost})
            return text

    async def close(self, *, done: bool) -> None:
        """Close all; what was kept goes once nothing is left to ask."""
        try:
            await self._resources.close()
        finally:
            await self._resources.close_ledger()
            if self._file is not None:
                self._file.close()
        if done and self._path is not None:
            self._path.unlink(missing_ok=True)

    def _keep(self, key: str, entry: dict[str, Any]) -> None:
        self._known[key] = entry
        if self._path is None:
            return
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # A torn line of a killed process must not take the next one along.
                self._file = self._path.open("a", encoding="utf-8")
                self._file.write("\n")
            self._file.write(self._redactor.clean(json.dumps(entry)) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise BenchError(f"cannot write {self._path}: {error.strerror or error}") from error


def journal_of(output: Path) -> Path:
    """Where answers are kept until the output is whole."""
    return output.with_name(f"{output.name}.answers")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The answers that a journal holds; half a line, as a killed process leaves it, is none."""
    known: dict[str, dict[str, Any]] = {}
    lines = path.read_text("utf-8", "replace").split("\n") if path.is_file() else []
    for line in filter(None, lines):
        try:
            entry = json.loads(line)
            known[entry["key"]] = {"text": str(entry["text"]), **entry}
        except (ValueError, KeyError, TypeError):
            continue
    return known
