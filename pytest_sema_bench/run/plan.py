"""What a run is asked to do: settings, models and configurations, all checked.

Whatever is wrong is said here, before anything is collected or paid for.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pytest_sema_bench.agent.tools import check_tool_names
from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.catalog.registry import load_registry
from pytest_sema_bench.chat.adapt import Adaptations
from pytest_sema_bench.chat.certificates import certificates
from pytest_sema_bench.chat.proxy import proxy_of
from pytest_sema_bench.dialect import Dialect, read_dialect
from pytest_sema_bench.dialect.dialect import OPTION as DIALECT_OPTION
from pytest_sema_bench.docsearch.choose import check_settings
from pytest_sema_bench.docsearch.sema_docs import SERVER
from pytest_sema_bench.docsearch.settings import (
    DocsBackend,
    DocsSettings,
    read_docs_settings,
)
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.policy import Judge
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.run.asked import asked_parts
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.resume import question_hashes
from pytest_sema_bench.sema.mcp_client import check_server
from pytest_sema_bench.sema.vm import read_choice
from pytest_sema_bench.settings import Config, Settings
from pytest_sema_bench.suite.folder import find_task_files, suite_folder
from pytest_sema_bench.suite.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is asked to do."""

    settings: Settings
    models: tuple[Model, ...]
    configs: tuple[Config, ...]
    root: Path
    """The project's root folder."""
    docs: DocsSettings = field(default_factory=DocsSettings)
    dialect: Dialect | None = None
    """None for plain Sema."""
    judge: Judge | None = None
    """None if the run is not judged."""
    redactor: Redactor = field(default_factory=Redactor)
    """Knows the keys in use, which are removed from whatever is written."""

    @property
    def questions(self) -> dict[str, str]:
        """By `model-config`, a hash of all that is the same for every task."""
        pairs = ((m, c) for m in self.models for c in self.configs)
        return question_hashes(pairs, self.dialect)

    @property
    def asked(self) -> dict[str, dict[str, str]]:
        """By `model-config`, what a comparison can be about."""
        return asked_parts((m, c) for m in self.models for c in self.configs)

    @property
    def cap_usd(self) -> float | None:
        """What this run may cost: of a shard, its share."""
        cap_usd, shard = self.settings.max_cost_usd, self.settings.shard
        return cap_usd / shard.n_shards if cap_usd and shard else cap_usd

    @property
    def tasks_root(self) -> Path:
        """The folder or file of tasks."""
        return tasks_root(self.settings)

    def items(self, task: Task) -> Iterator[WorkItem]:
        """The task for each model, configuration and sample."""
        for model in self.models:
            for config in self.configs:
                for sample in range(1, self.settings.samples + 1):
                    work = WorkItem(
                        task=task, model=model, config=config, sample=sample, dialect=self.dialect
                    )
                    if self.settings.shard is None or self.settings.shard.holds(str(work.item)):
                        yield work


def make_plan(
    settings: Settings,
    root: Path,
    *,
    subset: bool = False,
    asks: bool = True,
    environment: Mapping[str, str] = os.environ,
) -> Plan:
    """The plan for these settings. Raises SettingsError for what cannot work.

    `subset` says that the run is limited on purpose, `asks` that models will be asked, so that
    their keys must be there.
    """
    read_choice(settings.vm)  # raises SettingsError for a backend or build there is not
    if settings.run is not None:
        _check_shared(settings)
    dialect = read_dialect(settings.dialect)
    registry = load_registry(root)
    models = tuple(
        registry.model(name, settings.base_url, settings.api_key_env) for name in settings.models
    )
    if settings.shard is not None:
        models = tuple(_divided(model, settings.shard.n_shards) for model in models)
    docs = _docs(root, settings, environment)
    answers = ":".join(filter(None, (docs.backend.value, docs.model)))
    configs = tuple(
        replace(c, docs=answers, max_rounds=settings.max_rounds or c.max_rounds)
        for c in registry.configs_named(settings.configs)
    )
    alone = len(models) * len(configs) == 1
    subset = subset or settings.shard is not None
    judge = Judge.of(settings, tasks_root(settings), subset=subset, alone=alone)
    keys = known_keys(models, environment, docs.key_env, "PGPASSWORD")
    passwords = settings.ledger.passwords if settings.ledger else ()
    plan = Plan(
        settings=settings,
        models=models,
        configs=configs,
        root=root,
        docs=docs,
        dialect=dialect,
        judge=judge,
        redactor=Redactor((*keys, *passwords)),
    )
    _check_names(plan)
    _check_speaks(plan)
    if settings.replay is None:
        for model in models:
            if model.base_url is not None:
                # Raise SettingsError for what cannot be used.
                proxy_of(model.base_url)
                certificates(model.base_url)
    if settings.max_cost_usd is not None and settings.replay is None:
        _check_prices(models)
    if asks:
        servers = [config.mcp for config in configs if config.mcp]
        if docs.backend is DocsBackend.SEMA:
            servers.append(SERVER)
        for server in dict.fromkeys(servers):
            asyncio.run(check_server(server))
    if asks and settings.replay is None:
        for model in models:
            model.check_key(environment)
    return plan


def tasks_root(settings: Settings) -> Path:
    """The folder or file of tasks. Raises SettingsError where there are none."""
    root = (settings.tasks or suite_folder(settings.suite)).resolve()
    if settings.tasks is not None and not find_task_files(root):
        raise SettingsError(f"--sema-tasks: no task files (*.yaml) in {settings.tasks}")
    if root.is_file() and root.suffix not in (".yaml", ".yml"):
        raise SettingsError(f"--sema-tasks: {settings.tasks} is no task file (*.yaml)")
    return root


def _docs(root: Path, settings: Settings, environment: Mapping[str, str]) -> DocsSettings:
    docs = read_docs_settings(root, settings.docs)
    if settings.replay is not None and docs.backend is DocsBackend.OPENAI:
        raise SettingsError(
            f"--sema-replay uses no network, and docs_search is answered by {docs.backend.value} "
            "here: replay with --sema-docs=lexical or local, and record so too"
        )
    check_settings(docs, environment)
    return docs


def _divided(model: Model, n_shards: int) -> Model:
    """The model with the pace of one shard."""
    try:
        return replace(model, limits=model.limits.divided(n_shards))
    except ValueError:
        raise SettingsError(
            f"--sema-shard: {model.name} takes {model.limits.concurrency} calls at once, which is "
            f"fewer than {n_shards} shards: use as many shards or fewer"
        ) from None


def _check_names(plan: Plan) -> None:
    for config in plan.configs:
        check_tool_names(config.tools)
    seen: dict[str, str] = {}
    for name, question in plan.questions.items():
        if question in seen:
            raise SettingsError(f"--sema-model: {seen[question]} and {name} ask the same twice")
        seen[question] = name
    for model in plan.models:
        Adaptations(model.adapt)  # raises SettingsError for a name there is no adaptation for


def _check_shared(settings: Settings) -> None:
    if settings.ledger is None:
        raise SettingsError("--sema-run goes with --sema-ledger, which is missing")
    for name, why in (
        ("shard", "what is free goes to whoever asks for it"),
        ("resume", "the run of that name is taken up by itself"),
        ("confirm", "every machine would ask again; judge what `sema-bench collect` makes"),
    ):
        if getattr(settings, name):
            raise SettingsError(f"--sema-run and --sema-{name} do not go together: {why}")


def _check_speaks(plan: Plan) -> None:
    """Raises SettingsError if a server of others would speak plain Sema to the model."""
    if plan.dialect is None:
        return
    for config in plan.configs:
        if config.mcp is not None:
            raise SettingsError(
                f"{DIALECT_OPTION}: the tools of {config.name} are those of an MCP server, which "
                "speaks plain Sema; leave out the dialect, or take a configuration with our tools"
            )
    if plan.docs.backend is DocsBackend.SEMA:
        raise SettingsError(
            f"{DIALECT_OPTION}: --sema-docs=sema searches the documentation of plain Sema; leave "
            "out the dialect, or search with lexical, local or openai"
        )


def _check_prices(models: Sequence[Model]) -> None:
    for model in models:
        if model.price is None:
            raise SettingsError(
                f"--sema-max-cost: the price of {model.name} is unknown, so nothing can keep it "
                "within the cap. Give the model an entry with a price in sema-models.yaml:\n"
                f"models:\n  {model.name}:\n    provider: …\n    id: {model.id}\n"
                "    price: {input: 0.50, output: 2.00}   # USD per million tokens; 0 if it is free"
            )


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
