"""What all items of a process share, and what is done for one of them: ask, then conclude.

What is not the model's doing becomes a `void` record here, so exactly one record comes out of
each item that ends. All of it belongs to the engine's event loop.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from traceback import format_exception
from typing import Any

from pytest_sema_bench.agent.loop import AgentRun, run_agent
from pytest_sema_bench.agent.mcp_tools import mcp_toolbox
from pytest_sema_bench.agent.reference import ReferenceModel
from pytest_sema_bench.agent.tools import Toolbox, ToolResult, make_toolbox
from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.chat import (
    ChatClient,
    Limiter,
    LocalWire,
    Patience,
    RecordingWire,
    ReplayWire,
    Unlimited,
    Wire,
)
from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.settings import DocsSettings
from pytest_sema_bench.errors import VMError
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.limits import Ledger, Limiters, SqliteLedger, open_ledger
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.outcome import Took, make_record, void_verdict
from pytest_sema_bench.sema.vm import SemaVM, VMInfo, create_vm
from pytest_sema_bench.settings import Config, DatabaseUrl, Limits
from pytest_sema_bench.suite.task import GradeKind, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How servers are asked."""

    run: str = "a run of its own"
    """Under this name the processes of a run share its budget and progress."""
    started: float = field(default_factory=time.time)
    """When the run began, in seconds since the epoch: refusals before that do not concern it."""
    shared: bool = False
    """Whether limits are those of the whole machine, or of this engine alone."""
    ledger: DatabaseUrl | None = None
    """The database where limits are those of several machines."""
    patience: Patience | None = None
    record: Path | None = None
    """Folder to write every exchange to."""
    replay: Path | None = None
    """Folder with recorded exchanges to answer from, without any network."""
    docs: DocsSettings | None = None
    """How the documentation is searched; None for lexically."""
    dialect: Dialect | None = None
    """What models write; None for plain Sema."""


class Resources:
    """The VM, the clients and the tools. Must be used and closed on one event loop."""

    def __init__(
        self,
        *,
        vm: SemaVM,
        vm_info: VMInfo,
        limits: Limits,
        n_connections: int,
        options: EngineOptions,
        redactor: Redactor,
    ) -> None:
        """With a VM that has started, or will. Raises SettingsError for an unusable ledger."""
        ledger: Ledger = open_ledger(options.ledger) if options.shared else SqliteLedger(":memory:")
        self.vm_info = vm_info
        self.vm = vm
        self._grader = Grader(vm, limits.for_verdicts, dialect=options.dialect)
        # No verdict hangs on it: what is slow is not tried again for minutes, each of many times.
        self._hasty_grader = self._grader.within(limits)
        self._limits = limits
        self._n_connections = n_connections
        self._options = options
        self._redactor = redactor
        self._ledger = ledger
        self._search = make_search(options.docs, vm=vm, dialect=options.dialect)
        self._limiters = Limiters(ledger, run=options.run, started=options.started)
        self._reference = ReferenceModel()
        self._clients: dict[tuple[str, str | None], ChatClient] = {}
        self._toolboxes: dict[str, Toolbox] = {}

    @classmethod
    async def open(
        cls,
        backend: str,
        *,
        n_hosts: int,
        n_connections: int,
        options: EngineOptions,
        limits: Limits,
        redactor: Redactor,
    ) -> "Resources":
        """All of it, with a VM that is started first. Raises VMError if that cannot be."""
        vm = create_vm(backend, n_hosts)
        try:
            return cls(
                vm=vm,
                vm_info=await vm.info(),
                limits=limits,
                n_connections=n_connections,
                options=options,
                redactor=redactor,
            )
        except BaseException:
            await vm.close()
            raise

    async def ask(self, item: WorkItem) -> tuple[AgentRun, Took]:
        """What came of the item's conversation, whatever it met, and the time that it took."""
        started, waited_s = time.monotonic(), 0.0
        if item.model.base_url is None:
            self._reference.learn(item.shown)
        try:
            client = self.client(item.model)
            try:
                run = await self._converse(item, client)
            finally:
                waited_s = client.end(item.item.file)
        except Exception as error:
            run = AgentRun(broken_off_by=error)
        return run, Took(time.monotonic() - started - waited_s, waited_s)

    async def conclude(
        self, item: WorkItem, run: AgentRun, took: Took
    ) -> tuple[Record, dict[str, Any]]:
        """The item's record and its transcript."""
        error = run.broken_off_by
        right: Sequence[bool | None] = ()
        if error is None:
            try:
                verdict = await self._grader.grade(item.task, run.answer, truncated=run.truncated)
                if verdict.outcome is Outcome.FAIL:
                    right = [await self._would_pass(item.task, tried) for tried in run.tries]
            except Exception as fault:
                error = fault
        transcript = run.transcript.as_json()
        if error is not None:
            verdict = void_verdict(error)
            if verdict.reason is Void.INTERNAL:
                transcript["traceback"] = "".join(format_exception(error))
        record = make_record(item, run, verdict, took=took, vm=self.vm_info, right=right)
        return record, transcript

    async def _would_pass(self, task: Task, tried: ToolResult) -> bool | None:
        """Whether what a tool call evaluated would have been a right answer.

        None where the VM's host fails or time stops it: the verdict needs nothing of this.
        """
        if tried.failure is not None:
            return False
        told = tried.value if task.kind is GradeKind.VALUE else tried.program
        answer = as_answer(task.kind, str(told))
        try:
            verdict = await self._hasty_grader.grade(task, answer, stop_at_failure=True)
        except VMError:
            return None
        return None if verdict.reason is Reason.TIME else verdict.outcome is Outcome.PASS

    def count(self, records: Sequence[Record]) -> None:
        """Let the ledger know of items that have ended."""
        n_graded = sum(record.graded for record in records)
        self._ledger.count(
            self._options.run,
            n_graded=n_graded,
            n_void=len(records) - n_graded,
            n_retries=sum(record.retries for record in records),
        )

    async def close(self) -> None:
        """Close connections and the VM."""
        self._ledger.stop_waiting()
        clients = (client.close() for client in self._clients.values())
        await asyncio.gather(self.vm.close(), self._search.close(), *clients)

    async def close_ledger(self) -> None:
        """Close the ledger, once no item is left that could need it."""
        await self._limiters.close()
        self._ledger.close()

    async def _converse(self, item: WorkItem, client: ChatClient) -> AgentRun:
        config = item.asked
        async with self._toolbox(config) as toolbox:
            return await run_agent(
                item.shown.full_prompt,
                client,
                model_id=item.model.id,
                config=config,
                toolbox=toolbox,
                sema=self.vm_info.version,
                dialect=item.dialect,
                conversation=item.item.file,
                text_tool_calls=item.model.text_tool_calls,
                tell=lambda note: self._note(item.model, note),
            )

    def _toolbox(self, config: Config) -> AbstractAsyncContextManager[Toolbox]:
        """The tools of a conversation: a server of its own, or what all of them share."""
        if config.mcp is not None:
            return mcp_toolbox(config.mcp)
        if config.name not in self._toolboxes:
            self._toolboxes[config.name] = make_toolbox(
                config.tools,
                self.vm,
                self._limits,
                self._search,
                hints=config.hints,
                dialect=self._options.dialect,
            )
        return nullcontext(self._toolboxes[config.name])

    def _note(self, model: Model, note: str) -> None:
        self._ledger.note(self._options.run, f"{model.name}: {note}")

    def client(self, model: Model) -> ChatClient:
        """What asks this model, one for all that is asked of it."""
        place = model.name, model.base_url
        if place not in self._clients:
            options = self._options
            offline = model.base_url is None or options.replay is not None
            named = None if offline else model.key_env
            key = os.environ.get(named) if named else None
            limiter: Limiter = Unlimited() if offline else self._limiters.limiter(model, key)
            self._clients[place] = ChatClient(
                self._wire(model, key),
                limiter=limiter,
                adapt=model.adapt,
                # What one conversation teaches must not decide what another one sends.
                apart=options.record is not None or options.replay is not None,
                extra=model.extra,
                redactor=self._redactor,
                patience=options.patience,
            )
        return self._clients[place]

    def _wire(self, model: Model, key: str | None) -> Wire:
        """What carries the requests: the network, a recording, or the reference model itself."""
        options = self._options
        if model.base_url is None:
            return LocalWire(self._reference)
        # What it is made of takes long to import, and not every process asks a server.
        from pytest_sema_bench.chat.transport import HttpWire

        if options.replay is not None:
            return ReplayWire(options.replay, HttpWire(model.base_url, None).path)
        wire = HttpWire(model.base_url, key, n_connections=self._n_connections)
        if options.record is None:
            return wire
        return RecordingWire(wire, options.record, self._redactor)
