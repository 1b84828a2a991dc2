"""What becomes of the settings: a plan, and the hooks that this process needs for it.

Each kind of process has hooks of its own, and imports them alone: one that collects only, one
that estimates, the controller, an xdist worker. They exist only in runs that ask for models.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.grading.soundness import Soundness
from pytest_sema_bench.plugin.items import TaskFile
from pytest_sema_bench.plugin.reporting import Reporting
from pytest_sema_bench.plugin.session import is_dry
from pytest_sema_bench.run.plan import Plan, make_plan, tasks_root
from pytest_sema_bench.run.run import Run, make_run
from pytest_sema_bench.sema.vm.background import BackgroundVM
from pytest_sema_bench.settings import DEFAULT_SUITE, Settings
from pytest_sema_bench.suite.folder import SUITE_FILE, is_task_file, levels_of, suite_of

_SELECTING = ("keyword", "markexpr", "deselect", "lf")
"""Options with which a user chooses a part of the tasks."""


def register_hooks(
    config: pytest.Config, settings: Settings, background: BackgroundVM | None
) -> None:
    """Register the hooks that the settings call for. Raises SettingsError for what cannot work.

    `background` is the VM, where this process has started it.
    """
    plan = plan_of(config, settings)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        # No path was given, so the suite is meant, and not what lies in the working folder.
        config.args = [str(plan.tasks_root)]
        config.args_source = pytest.Config.ArgsSource.ARGS
    for level in levels_of(plan.tasks_root):
        config.addinivalue_line("markers", f"{level.name}: {level.meaning}")
    for name, hooks in _hooks(config, plan, background):
        config.pluginmanager.register(hooks, f"sema-bench-{name}")


def plan_of(config: pytest.Config, settings: Settings) -> Plan:
    """The plan for pytest's options. Raises SettingsError."""
    settings = _with_named_suite(config, settings)
    if config.getoption("dist", "no") == "each":
        raise SettingsError(
            "--dist=each would ask every question once per worker and pay for each; "
            "to ask more than once use --sema-samples"
        )
    return make_plan(
        settings,
        config.rootpath,
        subset=_is_limited(config, tasks_root(settings)),
        asks=not (settings.estimate or is_dry(config)),
    )


def _with_named_suite(config: pytest.Config, settings: Settings) -> Settings:
    """The settings with the suite of the paths on the command line, where no option names one."""
    if config.getoption("--sema-suite") is not None or settings.tasks is not None:
        return settings
    suites = (suite_of(path) for path in _named_paths(config))
    named = next((suite.name_or_folder for suite in suites if suite), None)
    # What pyproject.toml names stands, unless it is what would be the suite anyway.
    return replace(settings, suite=named) if named and settings.suite == DEFAULT_SUITE else settings


def _is_limited(config: pytest.Config, root: Path) -> bool:
    """Whether the user chose a part of the tasks."""
    # Each option is that of a plugin that may be switched off.
    if any(getattr(config.option, name, None) for name in _SELECTING):
        return True
    named = _named_paths(config)
    return bool(named) and not any(root.is_relative_to(path) for path in named)


def _named_paths(config: pytest.Config) -> list[Path]:
    """The paths on the command line."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return []
    here = config.invocation_params.dir
    return [(here / arg.partition("::")[0]).resolve() for arg in config.args]


def _hooks(
    config: pytest.Config, plan: Plan, background: BackgroundVM | None
) -> Iterator[tuple[str, object]]:
    """The hooks of this process, each under its name."""
    if hasattr(config, "workerinput"):
        from pytest_sema_bench.plugin.worker import Share, Worker

        share = Share.told(config.workerinput)
        run = share.join(plan, config.workerinput["workerid"])
        yield "collecting", Collecting(config, run)
        yield "reporting", Reporting(run)
        yield "worker", Worker(run, share)
        return
    report_dir = (config.invocation_params.dir / plan.settings.report_dir).resolve()
    run = make_run(plan, report_dir, time.time(), background)
    yield "collecting", Collecting(config, run)
    if plan.settings.estimate or is_dry(config):
        # Nothing is asked, so there is nothing to divide among workers.
        config.option.dist, config.option.tx = "no", []
        if not is_dry(config):
            from pytest_sema_bench.plugin.estimate import Estimating

            yield "estimate", Estimating(run, report_dir)
        return
    from pytest_sema_bench.plugin.controller import Controller
    from pytest_sema_bench.plugin.github import GitHubHooks, runs_on_github
    from pytest_sema_bench.plugin.summary import Summary

    summary = Summary(config, run)
    yield "reporting", Reporting(run)
    yield "summary", summary
    if runs_on_github(os.environ):
        yield "github", GitHubHooks(summary)
    has_workers = bool(getattr(config.option, "tx", None))
    yield "controller", Controller(config, run, summary, has_workers=has_workers)
    if has_workers:
        from pytest_sema_bench.plugin.xdist import WorkerHooks

        yield "workers", WorkerHooks(config, run)


class Collecting:
    """Hooks that find the tasks."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run
        self._soundness = Soundness(run.plan.settings.vm)
        config.add_cleanup(self._soundness.close)  # after a collection that is interrupted
        self._levels = {level.name for level in levels_of(run.plan.tasks_root)}

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> TaskFile | None:
        """A collector for each task file."""
        if file_path.suffix not in (".yaml", ".yml") or not is_task_file(file_path):
            return None
        if not self._is_task(file_path):
            return None
        file: TaskFile = TaskFile.from_parent(
            parent, path=file_path, run=self._run, soundness=self._soundness
        )
        return file

    def pytest_collection_finish(self) -> None:
        """End what the tasks were tried with."""
        self._soundness.close()

    def _is_task(self, path: Path) -> bool:
        """Whether it lies in a suite, in a level's folder, or was named on the command line."""
        return (
            path.is_relative_to(self._run.plan.tasks_root)
            or path.parent.name in self._levels
            or (path.parent.parent / SUITE_FILE).is_file()
            or any(Path(arg.partition("::")[0]).resolve() == path for arg in self._config.args)
        )
