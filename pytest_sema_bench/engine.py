"""Runs items: agent loop, grading, record; many at once on one background event loop.

Items are started ahead in the order they are given and bounded by the concurrency; whoever
needs one waits for its record. What is not the model's doing becomes a `void` record here,
so exactly one record comes out of each item that ends.
"""

import asyncio
import os
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeVar

from pytest_sema_bench.agent import AgentRun, BrokenOff, run_agent, system_prompt
from pytest_sema_bench.chat import ChatClient, LocalTransport, Patience
from pytest_sema_bench.errors import ModelError, TaskError, VMError
from pytest_sema_bench.grade import Grader, Outcome, Verdict
from pytest_sema_bench.grade.grader import GRADER_VERSION
from pytest_sema_bench.models import Model, Price
from pytest_sema_bench.record import Record, content_key
from pytest_sema_bench.reference import ReferenceModel
from pytest_sema_bench.settings import Config, Limits
from pytest_sema_bench.task import Task
from pytest_sema_bench.tools import Toolbox, make_toolbox
from pytest_sema_bench.transcript import Tokens
from pytest_sema_bench.vm import SemaVM, VMInfo, create_vm

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One task for one model in one configuration, one sample of it."""

    task: Task
    model: Model
    config: Config
    sample: int = 1

    @property
    def name(self) -> str:
        """The item's name in pytest: `palindrome[kimi-k2.6-tools]`, `…-s2` for sample 2."""
        suffix = f"-s{self.sample}" if self.sample > 1 else ""
        return f"{self.task.slug}[{self.model.name}-{self.config.name}{suffix}]"

    @property
    def id(self) -> str:
        """Unique within a run; the task's id and the item's name."""
        return f"{self.task.id}::{self.name}"

    @property
    def key(self) -> str:
        """Content hash of all that is asked, for resume and pairing."""
        return content_key(
            task=self.task.task_hash,
            prompt=self.task.full_prompt,
            system=system_prompt(self.config),
            model=self.model.id,
            provider=self.model.provider,
            config=_config_content(self.config),
            sample=self.sample,
        )


@cache
def _config_content(config: Config) -> dict[str, Any]:
    return asdict(config)


Keep = Callable[[WorkItem, Record, dict[str, Any]], Record]
"""Puts a record and its transcript on disk and gives the record with the transcript's path."""


class Engine:
    """The background event loop with the VM, the chat clients and all items under way."""

    def __init__(
        self,
        *,
        backend: str,
        concurrency: int,
        keep: Keep,
        n_hosts: int | None = None,
        patience: Patience | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._backend = backend
        self._concurrency = concurrency
        self._keep = keep
        self._n_hosts = n_hosts or min(4, os.cpu_count() or 1)
        self._patience = patience
        self._limits = limits or Limits()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="sema-bench", daemon=True
        )
        self._under_way: dict[str, Future[Record]] = {}
        self._open: _Resources | None = None

    def open(self, tasks: Sequence[Task]) -> VMInfo:
        """Start the loop and the VM. Raises VMError, before anything has been paid for."""
        self._thread.start()
        self._open = self._do(self._make_resources(tasks))
        return self._open.vm_info

    def start(self, items: Sequence[WorkItem]) -> None:
        """Put items under way, in this order. One that already is stays as it is."""
        assert self._open is not None
        for item in items:
            if item.id not in self._under_way:
                work = self._open.run(item)
                self._under_way[item.id] = asyncio.run_coroutine_threadsafe(work, self._loop)

    def is_done(self, item: WorkItem, within_s: float) -> bool:
        """Whether the item has ended before that time is over; it is started if it was not."""
        self.start([item])
        return bool(wait([self._under_way[item.id]], timeout=within_s).done)

    def result(self, item: WorkItem) -> Record:
        """The item's record, waiting for it; the item is started if it was not."""
        self.start([item])
        return self._under_way[item.id].result()

    def close(self) -> None:
        """Cancel what is under way, end the VM's processes and the loop.

        An item that has its verdict still gets its record.
        """
        if not self._thread.is_alive():
            self._loop.close()
            return
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
        vm = create_vm(self._backend, self._n_hosts)
        try:
            info = await vm.info()
        except BaseException:
            await vm.close()
            raise
        return _Resources(
            vm=vm,
            vm_info=info,
            grader=Grader(vm, self._limits),
            limits=self._limits,
            slots=asyncio.Semaphore(self._concurrency),
            n_connections=self._concurrency,
            patience=self._patience,
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
        slots: asyncio.Semaphore,
        n_connections: int,
        patience: Patience | None,
        reference: ReferenceModel,
        keep: Keep,
    ) -> None:
        self.vm_info = vm_info
        self._vm = vm
        self._grader = grader
        self._limits = limits
        self._slots = slots
        self._n_connections = n_connections
        self._patience = patience
        self._reference = reference
        self._keep = keep
        self._clients: dict[tuple[str | None, str | None], ChatClient] = {}
        self._toolboxes: dict[str, Toolbox] = {}

    async def run(self, item: WorkItem) -> Record:
        """The item's record, on disk when this returns."""
        run, verdict, void, elapsed_s = None, None, None, 0.0
        try:
            async with self._slots:
                started = time.monotonic()
                try:
                    run = await self._ask(item)
                finally:
                    elapsed_s = time.monotonic() - started
            verdict = await self._grader.grade(item.task, run.answer, truncated=run.truncated)
        except BrokenOff as broken:
            run, void = broken.run, _void(broken.__cause__)
        except Exception as error:
            void = _void(error)
        record = _record(item, run, verdict, void, elapsed_s, self.vm_info)
        transcript = run.transcript.as_json() if run else {"messages": [], "calls": []}
        if void and void.trace:
            transcript["traceback"] = void.trace
        loop = asyncio.get_running_loop()
        keeping = loop.run_in_executor(None, self._keep, item, record, transcript)
        return await asyncio.shield(keeping)

    async def close(self) -> None:
        """Close connections and the VM."""
        await asyncio.gather(self._vm.close(), *(c.close() for c in self._clients.values()))

    async def _ask(self, item: WorkItem) -> AgentRun:
        config = item.config
        if config.name not in self._toolboxes:
            self._toolboxes[config.name] = make_toolbox(config.tools, self._vm, self._limits)
        return await run_agent(
            item.task.full_prompt,
            self._client(item.model),
            model_id=item.model.id,
            config=config,
            toolbox=self._toolboxes[config.name],
        )

    def _client(self, model: Model) -> ChatClient:
        server = model.base_url, model.key_env
        if server not in self._clients:
            self._clients[server] = ChatClient(
                model.base_url or "http://reference.invalid",
                os.environ.get(model.key_env) if model.key_env else None,
                n_connections=self._n_connections,
                patience=self._patience,
                transport=None if model.base_url else LocalTransport(self._reference),
            )
        return self._clients[server]


@dataclass(frozen=True, slots=True)
class _Void:
    reason: str
    detail: str
    trace: str | None = None


def _void(error: BaseException | None) -> _Void:
    """Why there is no verdict."""
    for kind, reason in (
        (ModelError, "api error"),
        (VMError, "vm host fault"),
        (TaskError, "task error"),
    ):
        if isinstance(error, kind):
            return _Void(reason, str(error))
    trace = "".join(traceback.format_exception(error))
    return _Void("internal error", f"{type(error).__name__}: {error}", trace)


def _record(
    item: WorkItem,
    run: AgentRun | None,
    verdict: Verdict | None,
    void: _Void | None,
    elapsed_s: float,
    vm: VMInfo,
) -> Record:
    tokens = run.tokens if run else Tokens()
    failures = [failure.as_json("tool") for failure in (run.failures if run else ())]
    if verdict:
        failures += verdict.vm_errors()
    return Record(
        key=item.key,
        task=item.task.id,
        level=item.task.level,
        category=item.task.category,
        model=item.model.name,
        config=item.config.name,
        sample=item.sample,
        outcome=(verdict.outcome if verdict else Outcome.VOID).value,
        reason=verdict.reason.value if verdict else void.reason if void else "",
        detail=verdict.detail if verdict else void.detail if void else None,
        score=verdict.score if verdict else None,
        answer=run.answer if run and run.stop else None,
        cases=[case.as_json() for case in verdict.cases] if verdict else [],
        vm_errors=failures,
        tool_calls=run.tool_calls if run else {},
        rounds=run.rounds if run else 0,
        stop=run.stop.value if run and run.stop else None,
        tokens=tokens,
        cost_usd=_cost_usd(tokens, item.model.price) if run else None,
        latency_s=round(elapsed_s, 3),
        retries=run.retries if run else 0,
        repairs=run.n_repairs if run else 0,
        served_model=run.served_model if run else None,
        provider=item.model.provider,
        vm=vm.label,
        grader=GRADER_VERSION,
        task_hash=item.task.task_hash,
    )


def _cost_usd(tokens: Tokens, price: Price | None) -> float | None:
    """What the tokens cost, None when the price is unknown."""
    if price is None:
        return None
    cached_price = price.input_usd if price.cached_input_usd is None else price.cached_input_usd
    uncached = tokens.prompt - tokens.cached
    total = uncached * price.input_usd + tokens.cached * cached_price
    return round((total + tokens.completion * price.output_usd) / 1e6, 6)


def known_keys(models: Sequence[Model], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of all keys that this run uses, to be removed from whatever is written."""
    names = {model.key_env for model in models if model.key_env}
    return tuple(environment[name] for name in sorted(names) if environment.get(name))
