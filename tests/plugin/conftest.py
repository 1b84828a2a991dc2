"""Fixtures for the tests that run pytest with the plugin in a prepared project."""

from pathlib import Path

import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE, cache_folder
from tests.plugin.bench_dir import KEY, KEY_NAME, BenchDir

_INHERITED = (
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_TESTRUNUID",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD",
    "PYTHONDONTWRITEBYTECODE",
    "FIREWORKS_API_KEY",
)
"""What the outer run or the user may have set and the inner runs must not see.

Without compiled files each of some hundred inner runs would compile the plugin anew.
"""


@pytest.fixture(scope="session")
def vm_cache() -> Path:
    """Where the VM is installed; asked for before pytester moves HOME to an empty folder."""
    return cache_folder()


@pytest.fixture
def bench_dir(
    vm_cache: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> BenchDir:
    """A project with four small tasks and the installed VM."""
    monkeypatch.setenv(CACHE_VARIABLE, str(vm_cache))
    monkeypatch.setenv(KEY_NAME, KEY)
    monkeypatch.setenv("COLUMNS", "160")
    # It takes a quarter of a second to import, and no inner run has a property test.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    for name in _INHERITED:
        monkeypatch.delenv(name, raising=False)
    return BenchDir(pytester)


@pytest.fixture(params=[("-p", "no:xdist"), ("-n0",), ("-n2",)], ids=["no-xdist", "n0", "n2"])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The arguments for a run without xdist, with it but in one process, and with two workers."""
    arguments: tuple[str, ...] = request.param
    return arguments
