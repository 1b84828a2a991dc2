"""How a run that asks for models begins: its settings, and the VM, which starts ahead of the rest.

What takes long to import comes after that: it is imported while the VM starts.
"""

import pytest

from pytest_sema_bench.options import OPTIONS, read_settings
from pytest_sema_bench.sema.vm.background import BackgroundVM, n_hosts
from pytest_sema_bench.settings import Settings

_DRY = (
    *("collectonly", "setuponly", "setupplan", "showfixtures", "show_fixtures_per_test"),
    *("markers", "cacheshow", "help"),
)
"""Options of pytest's with which nothing is run."""


def begin(config: pytest.Config) -> tuple[Settings, BackgroundVM | None]:
    """The settings, and the VM, where this process tries it. Raises SettingsError.

    A worker's VM is not tried: its controller has done that.
    """
    settings = settings_of(config)
    if settings.estimate or is_dry(config) or hasattr(config, "workerinput"):
        return settings, None
    background = BackgroundVM(settings.vm, n_hosts())
    config.add_cleanup(background.close)
    return settings, background


def settings_of(config: pytest.Config) -> Settings:
    """The settings that pytest's options and pyproject.toml make. Raises SettingsError."""
    given = {option.name: config.getoption(option.flag) for option in OPTIONS}
    return read_settings(given, config.rootpath)


def is_dry(config: pytest.Config) -> bool:
    """Whether pytest only looks at what there is, which must cost nothing."""
    return any(getattr(config.option, name, None) for name in _DRY)
