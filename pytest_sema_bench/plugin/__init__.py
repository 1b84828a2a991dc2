"""The pytest plugin's door: options, and a session object only for runs that ask for it.

Every pytest run of every project that has the package installed imports this module, so it
imports nothing heavy; without `--sema-model` it declares its options and does nothing else.
"""

import gc

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.options import OPTIONS, blamed


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare all `--sema-…` options."""
    group = parser.getgroup("sema-bench", "measure how well language models write Sema")
    for option in OPTIONS:
        group.addoption(option.flag, **option.declaration)


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks of the bench if models are asked for. Bad settings are usage errors."""
    if not config.getoption("--sema-model"):
        if config.getoption("--sema-estimate"):
            raise pytest.UsageError("--sema-estimate: say of what, with --sema-model")
        return
    # What is imported and collected stays: to look for garbage in it took a tenth of the start.
    if gc.isenabled():
        gc.disable()
        config.add_cleanup(gc.enable)
    from pytest_sema_bench.plugin.session import begin, given_options

    try:
        settings, background = begin(config)
        # What takes long to import: the VM starts meanwhile.
        from pytest_sema_bench.plugin.hooks import register_hooks

        register_hooks(config, settings, background)
    except SettingsError as error:
        raise pytest.UsageError(blamed(error, given_options(config), config.rootpath)) from None
