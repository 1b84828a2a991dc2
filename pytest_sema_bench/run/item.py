"""One thing to ask: a task for one model in one configuration, one sample of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pytest_sema_bench.agent.loop import system_prompt
from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.grading.in_dialect import task_in
from pytest_sema_bench.records.identity import ItemKey, Setup
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.record import content_key
from pytest_sema_bench.settings import DEFAULT_MAX_TOKENS, Config, Sampling
from pytest_sema_bench.suite.task import Task


@dataclass(frozen=True, kw_only=True)  # without slots, for the key is kept once it is known
class WorkItem:
    """One task for one model in one configuration, one sample of it."""

    task: Task
    model: Model
    config: Config
    sample: int = 1
    dialect: Dialect | None = None
    """None for plain Sema."""

    @property
    def shown(self) -> Task:
        """The task as the model is asked it."""
        return task_in(self.task, self.dialect)

    @property
    def name(self) -> str:
        """The item's name in pytest: `palindrome[kimi-k2.6-tools]`, `…-s2` for sample 2."""
        suffix = f"-s{self.sample}" if self.sample > 1 else ""
        return f"{self.task.slug}[{self.item.setup.name}{suffix}]"

    @cached_property
    def item(self) -> ItemKey:
        """What names it in records."""
        return ItemKey(self.task.id, Setup(self.model.name, self.config.name), self.sample)

    @property
    def planned(self) -> PlannedItem:
        """Its entry in items.json."""
        return PlannedItem(
            item=self.item,
            suite=self.task.suite.id if self.task.suite else None,
            level=self.task.level,
            key=self.key,
            task_hash=self.task.task_hash,
        )

    @cached_property
    def asked(self) -> Config:
        """The configuration with all sampling parameters that are sent."""
        return asked_config(self.model, self.config)

    @cached_property
    def key(self) -> str:
        """Content hash of all that is asked, for resume and pairing."""
        return content_key(
            task=self.task.task_hash,
            prompt=self.shown.full_prompt,
            sample=self.sample,
            **ask_content(self.model, self.asked, self.dialect),
        )


def asked_config(model: Model, config: Config) -> Config:
    """The configuration with all sampling parameters that this model is sent."""
    sampling = config.sampling.over(model.sampling)
    return replace(config, sampling=sampling.over(Sampling(max_tokens=DEFAULT_MAX_TOKENS)))


def ask_content(model: Model, config: Config, dialect: Dialect | None = None) -> dict[str, Any]:
    """What is the same for all tasks that a model is asked in a configuration as sent."""
    sampling = {name: getattr(config.sampling, name) for name in Sampling.__dataclass_fields__}
    return {
        "system": system_prompt(config, dialect=dialect),
        "model": model.id,
        "provider": model.provider,
        "extra": dict(model.extra),
        "config": [config.name, list(config.tools), config.max_rounds],
        "mcp": config.mcp and [*config.mcp.command, *(config.mcp.include or ())],
        # Only what its tools make use of: a verdict outlives settings that had no part in it.
        "docs": config.docs if "docs_search" in config.tools else None,
        "hints": config.hints and "eval_code" in config.tools,
        "sampling": sampling,
        "text_tool_calls": model.text_tool_calls,
        # Not in the hash of what is asked in plain Sema, which is as old as the runs are.
        **({"dialect": dialect.label} if dialect else {}),
    }
