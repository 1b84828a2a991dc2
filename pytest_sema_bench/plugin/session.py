"""How a run that asks for models begins: its settings, and the VM, which starts ahead of the rest.

What takes long to import comes after that: it is imported while the VM starts.
"""

from typing import Any

import pytest

from pytest_sema_bench.options import OPTIONS, read_settings
from pytest_sema_bench.sema.vm import is_at_hand
from pytest_sema_bench.sema.vm.background import BackgroundVM, n_hosts
from pytest_sema_bench.settings import Settings

_DRY = (
    *("collectonly", "setuponly", "setupplan", "showfixtures", "show_fixtures_per_test"),
    *("markers", "cacheshow", "help"),
)
"""Options of pytest's with which nothing is run."""


def begin(config: pytest.Config) -> tuple[Settings, BackgroundVM | None]:
    """The settings, and the VM, where it can start ahead. Raises SettingsError.

    A worker's does not: its controller has tried it.
    """
    settings = read_settings(given_options(config), config.rootpath)
    if settings.estimate or is_dry(config) or hasattr(config, "workerinput"):
        return settings, None
    if not is_at_hand(settings.vm):
        return settings, None  # nobody waits for a download to hear of a mistyped name
    background = BackgroundVM(settings.vm, n_hosts())
    config.add_cleanup(background.close)
    return settings, background


def given_options(config: pytest.Config) -> dict[str, Any]:
    """What the command line gives for each of our options, by name."""
    return {option.name: config.getoption(option.flag) for option in OPTIONS}


def is_dry(config: pytest.Config) -> bool:
    """Whether pytest only looks at what there is, which must cost nothing."""
    return any(getattr(config.option, name, None) for name in _DRY)
