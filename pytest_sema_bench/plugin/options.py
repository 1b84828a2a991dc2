"""From pytest's options to a plan: settings, models, configurations, all checked.

Whatever is wrong is said here, before anything is collected or paid for.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.agent.tools import check_tool_names
from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.catalog.registry import load_registry
from pytest_sema_bench.chat.adapt import Adaptations
from pytest_sema_bench.docsearch.choose import check_settings
from pytest_sema_bench.docsearch.settings import DocsBackend, DocsSettings, read_docs_settings
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.policy import Judge
from pytest_sema_bench.run.manifest import Plan
from pytest_sema_bench.sema.vm import read_choice
from pytest_sema_bench.settings import (
    Settings,
    make_settings,
    read_pyproject,
    read_pyproject_tables,
)
from pytest_sema_bench.suite.folder import suite_folder

_OPTIONS = (
    ("models", "sema_model"),
    ("configs", "sema_config"),
    ("samples", "sema_samples"),
    ("concurrency", "sema_concurrency"),
    ("vm", "sema_vm"),
    ("suite", "sema_suite"),
    ("tasks", "sema_tasks"),
    ("report_dir", "sema_report_dir"),
    ("base_url", "sema_base_url"),
    ("api_key_env", "sema_api_key_env"),
    ("timeout_s", "sema_timeout"),
    ("max_cost_usd", "sema_max_cost"),
    ("record", "sema_record"),
    ("replay", "sema_replay"),
    ("resume", "sema_resume"),
    ("estimate", "sema_estimate"),
    ("docs", "sema_docs"),
    ("baseline", "sema_baseline"),
    ("gate", "sema_gate"),
    ("must_pass", "sema_must_pass"),
    ("fail_under", "sema_fail_under"),
    ("confirm", "sema_confirm"),
)


_SELECTING = ("keyword", "markexpr", "deselect", "lf")


def read_plan(config: pytest.Config) -> Plan:
    """The plan for pytest's options. Raises SettingsError."""
    given = {name: config.getoption(option) for name, option in _OPTIONS}
    settings = make_settings(given, read_pyproject(config.rootpath), config.rootpath)
    _check_options(config, settings)
    registry = load_registry(config.rootpath)
    models = tuple(
        registry.model(name, settings.base_url, settings.api_key_env) for name in settings.models
    )
    docs = _docs(config.rootpath, settings)
    answers = ":".join(filter(None, (docs.backend.value, docs.model)))
    configs = tuple(replace(c, docs=answers) for c in registry.configs_named(settings.configs))
    plan = Plan(
        settings=settings,
        models=models,
        configs=configs,
        root=config.rootpath,
        docs=docs,
        judge=Judge.of(
            settings,
            tasks_root(settings),
            subset=_is_limited(config, tasks_root(settings)),
            alone=len(models) * len(configs) == 1,
        ),
    )
    _check_names(plan)
    if settings.max_cost_usd is not None and settings.replay is None:
        _check_prices(models)
    if not (config.option.collectonly or settings.estimate or settings.replay):
        for model in models:
            model.check_key(os.environ)
    return plan


def _docs(root: Path, settings: Settings) -> DocsSettings:
    table = read_pyproject_tables(root).get("docs", {})
    docs = read_docs_settings(table, settings.docs, root)
    if settings.replay is not None and docs.backend is DocsBackend.OPENAI:
        raise SettingsError(
            f"--sema-replay uses no network, and docs_search is answered by {docs.backend.value} "
            "here: replay with --sema-docs=lexical or local, and record so too"
        )
    check_settings(docs, os.environ)
    return docs


def tasks_root(settings: Settings) -> Path:
    """The folder or file of tasks. Raises SettingsError for a suite that there is not."""
    return (settings.tasks or suite_folder(settings.suite)).resolve()


def _is_limited(config: pytest.Config, root: Path) -> bool:
    """Whether the user chose a part of the tasks."""
    # Each option is that of a plugin that may be switched off.
    if any(getattr(config.option, name, None) for name in _SELECTING):
        return True
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return False
    here = config.invocation_params.dir
    named = [(here / arg.partition("::")[0]).resolve() for arg in config.args]
    return not any(root.is_relative_to(path) for path in named)


def _check_options(config: pytest.Config, settings: Settings) -> None:
    read_choice(settings.vm)  # raises SettingsError for a backend or build there is not
    if config.getoption("dist", "no") == "each":
        raise SettingsError(
            "--dist=each would ask every question once per worker and pay for each; "
            "to ask more than once use --sema-samples"
        )


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


def _check_prices(models: Sequence[Model]) -> None:
    for model in models:
        if model.price is None:
            raise SettingsError(
                f"--sema-max-cost: the price of {model.name} is unknown, so nothing can keep it "
                "within the cap. Give the model an entry with a price in sema-models.yaml:\n"
                f"models:\n  {model.name}:\n    provider: …\n    id: {model.id}\n"
                "    price: {input: 0.50, output: 2.00}   # USD per million tokens; 0 if it is free"
            )
