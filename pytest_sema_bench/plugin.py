"""The pytest plugin's door: options, and a session object only for runs that ask for it.

Every pytest run of every project that has the package installed imports this module, so it
imports nothing heavy; without `--sema-model` it declares its options and does nothing else.
"""

import pytest

SESSION = "sema-bench-session"
"""Name under which the session object is registered with pytest."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare all `--sema-…` options."""
    group = parser.getgroup("sema-bench", "measure how well language models write Sema")
    group.addoption(
        "--sema-model",
        action="append",
        default=[],
        metavar="NAMES",
        help="models to ask, comma separated, repeatable; `reference` is offline and free",
    )
    group.addoption(
        "--sema-config",
        action="append",
        default=[],
        metavar="NAMES",
        help="how to ask: `tools` (default), `bare`, or names from sema-models.yaml",
    )
    for name, metavar, text in (
        ("samples", "K", "ask each question K times (default 1)"),
        ("concurrency", "N", "conversations under way at once, per process (default 8)"),
        ("vm", "BACKEND", "how to reach the Sema VM: `wasm` (default)"),
        ("tasks", "PATH", "folder or file with tasks (default: the bundled suite)"),
        ("report-dir", "DIR", "where run folders go (default: reports)"),
        ("base-url", "URL", "any server that speaks OpenAI chat completions"),
        ("api-key-env", "NAME", "environment variable with the key for --sema-base-url"),
        ("timeout", "SECONDS", "longest time for one reply of a model (default 300)"),
    ):
        group.addoption(f"--sema-{name}", metavar=metavar, default=None, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the session object if models are asked for. Bad settings are usage errors."""
    if not config.getoption("sema_model"):
        return
    from pytest_sema_bench.errors import SettingsError
    from pytest_sema_bench.session import BenchSession

    try:
        session = BenchSession.from_config(config)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(session, SESSION)
