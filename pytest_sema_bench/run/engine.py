"""Runs items: agent loop, grading, record; many at once on one background event loop.

Items are put under way in the order they are given, as many at once as the concurrency allows;
whoever needs one waits for its record. What is not the model's doing becomes a `void` record here,
so exactly one record comes out of each item that ends.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pytest_sema_bench.agent.loop import AgentRun, run_agent
from pytest_sema_bench.agent.reference import ReferenceModel
from pytest_sema_bench.agent.tools import Toolbox, make_toolbox
from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.chat import (
    ChatClient,
    HttpWire,
    Limiter,
    LocalTransport,
    Patience,
    RecordingWire,
    ReplayWire,
    Unlimited,
    Wire,
)
from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.settings import DocsSettings
from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.limits import Ledger, Limiters, open_ledger
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.outcome import NoVerdict, make_record
from pytest_sema_bench.sema.vm import SemaVM, VMInfo, create_vm
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task

T = TypeVar("T")

Keep = Callable[[Record, dict[str, Any]], Record]
"""Puts a record and its transcript on disk and gives the record with the transcript's path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms servers are asked."""

    run: str = "a run of its own"
    """Under this name the processes of a run share its budget and progress."""
    started: float = field(default_factory=time.time)
    """When the run began, in seconds since the epoch: refusals before that do not concern it."""
    shared: bool = False
    """Whether limits are those of the whole machine, or of this engine alone."""
    patience: Patience | None = None
    record: Path | None = None
    """Folder to write every exchange to."""
    replay: Path | None = None
    """Folder with recorded exchanges to answer from, without any network."""
    docs: DocsSettings | None = None
    """How the documentation is searched; None for lexically."""
    keys: tuple[str, ...] = ()
    """The keys in use, to be removed from whatever is kept."""


class Engine:
    """The background event loop with the VM, the chat clients and all items under way."""

    def __init__(
        self,
        *,
        backend: str,
        concurrency: int,
        keep: Keep,
        n_hosts: int | None = None,
        terms: Terms | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._backend = backend
        self._concurrency = concurrency
        self._keep = keep
        self._n_hosts = n_hosts or min(4, os.cpu_count() or 1)
        self._terms = terms or Terms()
        self._limits = limits or Limits()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="sema-bench", daemon=True
        )
        self._moved = threading.Condition()
        """Guards the three places that an item passes through."""
        self._waiting: dict[str, WorkItem] = {}
        self._under_way: dict[str, Future[Record]] = {}
        self._ended: dict[str, Record] = {}
        self._n_asking = 0
        """On the loop alone: items that hold a place."""
        self._open: _Resources | None = None

    def open(self, tasks: Sequence[Task]) -> VMInfo:
        """Start the loop and the VM. Raises VMError, before anything has been paid for."""
        self._thread.start()
        self._open = self._do(self._make_resources(tasks))
        return self._open.vm_info

    def start(self, items: Sequence[WorkItem]) -> None:
        """Put items under way, in this order. One that already is stays as it is."""
        assert self._open is not None
        with self._moved:
            for item in items:
                if item.id not in self._under_way and item.id not in self._ended:
                    self._waiting.setdefault(item.id, item)
        self._loop.call_soon_threadsafe(self._fill)

    def is_done(self, item: WorkItem, within_s: float) -> bool:
        """Whether the item has ended before that time is over; it is started if it was not."""
        deadline = time.monotonic() + within_s
        future = self._future(item, within_s)
        if future is None:
            return item.id in self._ended
        return bool(wait([future], max(0.0, deadline - time.monotonic())).done)

    def result(self, item: WorkItem) -> Record:
        """The item's record, waiting for it; the item is started if it was not."""
        if future := self._future(item, None):
            record = future.result()
            with self._moved:
                self._ended[item.id] = record
                # A future is several times as large as what else there is of an item.
                del self._under_way[item.id]
        return self._ended[item.id]

    def _future(self, item: WorkItem, within_s: float | None) -> Future[Record] | None:
        """The item once it is under way; None if it has ended, or that is not so in time."""
        if item.id not in self._under_way and item.id not in self._ended:
            self.start([item])
        with self._moved:
            self._moved.wait_for(lambda: item.id not in self._waiting, within_s)
            return self._under_way.get(item.id)

    def _fill(self) -> None:
        """Give free places to those that wait. Runs on the loop."""
        assert self._open is not None
        with self._moved:
            while self._waiting and self._n_asking < self._concurrency:
                name = next(iter(self._waiting))
                work = self._open.run(self._waiting.pop(name), self._leave)
                self._under_way[name] = asyncio.run_coroutine_threadsafe(work, self._loop)
                self._n_asking += 1
            self._moved.notify_all()

    def _leave(self) -> None:
        """Take back the place of an item that asks no more. Runs on the loop."""
        self._n_asking -= 1
        self._fill()

    def close(self) -> None:
        """Cancel what is under way, end the VM's processes and the loop.

        An item that has its verdict still gets its record.
        """
        if not self._thread.is_alive():
            self._loop.close()
            return
        with self._moved:
            self._waiting.clear()
            for future in self._under_way.values():
                future.cancel()
        try:
            self._do(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _make_resources(self, tasks: Sequence[Task]) -> "_Resources":
        ledger = open_ledger() if self._terms.shared else Ledger(":memory:")
        vm = create_vm(self._backend, self._n_hosts)
        try:
            info = await vm.info()
        except BaseException:
            ledger.close()
            await vm.close()
            raise
        return _Resources(
            vm=vm,
            vm_info=info,
            grader=Grader(vm, self._limits),
            limits=self._limits,
            n_connections=self._concurrency,
            terms=self._terms,
            ledger=ledger,
            reference=ReferenceModel(tasks),
            keep=self._keep,
        )

    async def _end(self) -> None:
        """Items are cancelled by now; what else there is ends by itself once the VM is closed.

        It is not cancelled: among it are asyncio's own tasks, and a process whose start is
        cut short there would be waited for in vain.
        """
        others = asyncio.all_tasks()
        if self._open is not None:
            await self._open.close()
        others |= asyncio.all_tasks()
        await asyncio.gather(*others - {asyncio.current_task()}, return_exceptions=True)
        if self._open is not None:
            self._open.close_ledger()
        await self._loop.shutdown_default_executor()


class _Resources:
    """What items share, all of it belonging to the background loop."""

    def __init__(
        self,
        *,
        vm: SemaVM,
        vm_info: VMInfo,
        grader: Grader,
        limits: Limits,
        n_connections: int,
        terms: Terms,
        ledger: Ledger,
        reference: ReferenceModel,
        keep: Keep,
    ) -> None:
        self.vm_info = vm_info
        self._vm = vm
        self._grader = grader
        self._limits = limits
        self._n_connections = n_connections
        self._terms = terms
        self._redactor = Redactor(terms.keys)
        self._ledger = ledger
        self._search = make_search(terms.docs)
        self._limiters = Limiters(ledger, run=terms.run, started=terms.started)
        self._reference = reference
        self._keep = keep
        self._clients: dict[tuple[str, str | None], ChatClient] = {}
        self._toolboxes: dict[str, Toolbox] = {}

    async def run(self, item: WorkItem, leave: Callable[[], None]) -> Record:
        """The item's record, on disk when this returns; `leave` is called when it asks no more."""
        run: AgentRun | None = None
        end: Verdict | NoVerdict
        elapsed_s = 0.0
        try:
            started = time.monotonic()
            try:
                run = await self._ask(item)
            finally:
                elapsed_s = time.monotonic() - started
                leave()
            if run.broken_off_by is None:
                end = await self._grader.grade(item.task, run.answer, truncated=run.truncated)
            else:
                end = NoVerdict.because(run.broken_off_by)
        except Exception as error:
            end = NoVerdict.because(error)
        record = make_record(item, run, end, latency_s=elapsed_s, vm=self.vm_info)
        transcript = run.transcript.as_json() if run else {"messages": [], "calls": []}
        if isinstance(end, NoVerdict) and end.trace:
            transcript["traceback"] = end.trace
        return await asyncio.shield(self._put_away(self._redacted(record), transcript))

    async def _put_away(self, record: Record, transcript: dict[str, Any]) -> Record:
        loop = asyncio.get_running_loop()
        record = await loop.run_in_executor(None, self._keep, record, transcript)
        self._ledger.count(self._terms.run, graded=record.graded, n_retries=record.retries)
        return record

    def _redacted(self, record: Record) -> Record:
        """The record without any key, for it is shown as well as written."""
        line = record.to_json()
        cleaned = self._redactor.clean(line)
        return record if cleaned == line else Record.from_json(cleaned)

    async def close(self) -> None:
        """Close connections and the VM."""
        clients = (client.close() for client in self._clients.values())
        await asyncio.gather(self._vm.close(), self._search.close(), *clients)

    def close_ledger(self) -> None:
        """Close the ledger, once no item is left that could need it."""
        self._ledger.close()

    async def _ask(self, item: WorkItem) -> AgentRun:
        config = item.asked
        if config.name not in self._toolboxes:
            self._toolboxes[config.name] = make_toolbox(
                config.tools, self._vm, self._limits, self._search
            )
        client = self._client(item.model)
        try:
            return await run_agent(
                item.task.full_prompt,
                client,
                model_id=item.model.id,
                config=config,
                toolbox=self._toolboxes[config.name],
                conversation=item.item.file,
                text_tool_calls=item.model.text_tool_calls,
            )
        finally:
            client.end(item.item.file)

    def _client(self, model: Model) -> ChatClient:
        place = model.name, model.base_url
        if place not in self._clients:
            terms = self._terms
            offline = model.base_url is None or terms.replay is not None
            named = None if offline else model.key_env
            key = os.environ.get(named) if named else None
            limiter: Limiter = Unlimited() if offline else self._limiters.limiter(model, key)
            self._clients[place] = ChatClient(
                self._wire(model, key),
                limiter=limiter,
                adapt=model.adapt,
                # What one conversation teaches must not decide what another one sends.
                apart=terms.record is not None or terms.replay is not None,
                extra=model.extra,
                redactor=self._redactor,
                patience=terms.patience,
            )
        return self._clients[place]

    def _wire(self, model: Model, key: str | None) -> Wire:
        """What carries the requests: the network, a recording, or the reference model itself."""
        terms = self._terms
        if model.base_url is None:
            answers = LocalTransport(self._reference)
            return HttpWire("http://reference.invalid", None, transport=answers)
        if terms.replay is not None:
            return ReplayWire(terms.replay, HttpWire(model.base_url, None).path)
        wire = HttpWire(model.base_url, key, n_connections=self._n_connections)
        if terms.record is None:
            return wire
        return RecordingWire(wire, terms.record, self._redactor)


def known_keys(
    models: Sequence[Model], environment: Mapping[str, str], *others: str | None
) -> tuple[str, ...]:
    """The values of all keys that this run uses, to be removed from whatever is written.

    `others` are further variables that hold a key, or None.
    """
    names = {name for name in (*(model.key_env for model in models), *others) if name}
    in_urls = [secret for model in models for secret in _secrets_in(model.base_url or "")]
    return (*(environment[name] for name in sorted(names) if environment.get(name)), *in_urls)


def _secrets_in(url: str) -> list[str]:
    """The password of a URL and the values of its query."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    return [*([parts.password] if parts.password else []), *values]
