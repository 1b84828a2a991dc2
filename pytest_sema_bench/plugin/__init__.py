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
        ("concurrency", "N", "conversations under way at once, per process (default 32)"),
        ("vm", "VM", "the VM that judges: wasm (default), wasm:FOLDER, native, native:BINARY"),
        ("suite", "NAME", "a bundled suite, `core` (default) or `frontier`, or a suite's folder"),
        ("tasks", "PATH", "folder or file with tasks, in place of a suite"),
        ("report-dir", "DIR", "where run folders go (default: reports)"),
        ("base-url", "URL", "any server that speaks OpenAI chat completions"),
        ("api-key-env", "NAME", "environment variable with the key for --sema-base-url"),
        ("timeout", "SECONDS", "longest time for one reply of a model (default 300)"),
        (
            "max-cost",
            "USD",
            "end the run before it can cost more than this, resumed parts included",
        ),
        ("record", "DIR", "write every exchange with a server to files in this folder"),
        ("replay", "DIR", "answer from recorded exchanges, without key or network"),
        ("docs", "BACKEND", "who answers docs_search: lexical (default), local, openai"),
        ("baseline", "FILE", "judge the run by this baseline: the gate sets the exit status"),
        ("gate", "on|off", "off: compare and say so, but leave pytest its exit status"),
        ("must-pass", "EXPR", "tasks that must pass, such as 'L1 or palindrome'"),
        ("fail-under", "PCT", "floor of the pass rate in percent"),
        ("confirm", "K", "run newly broken tasks K more times before they count"),
    ):
        group.addoption(f"--sema-{name}", metavar=metavar, default=None, help=text)
    group.addoption(
        "--sema-resume",
        nargs="?",
        const="newest",
        default=None,
        metavar="RUN",
        help="take up the newest unfinished run of the same models, or the named one: verdicts "
        "are kept, what is void or missing is asked again",
    )
    group.addoption(
        "--sema-estimate",
        action="store_true",
        help="say what the run would cost and ask nobody",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the session object if models are asked for. Bad settings are usage errors."""
    if not config.getoption("sema_model"):
        return
    from pytest_sema_bench.errors import SettingsError
    from pytest_sema_bench.plugin.session import BenchSession

    try:
        session = BenchSession.from_config(config)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(session, SESSION)
