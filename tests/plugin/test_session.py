"""From pytest's options to a plan, or to an error that says what to write."""

import gc
from pathlib import Path

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.options import read_settings
from pytest_sema_bench.plugin.hooks import plan_of
from pytest_sema_bench.plugin.session import given_options
from pytest_sema_bench.run.plan import Plan
from tests.plugin.bench_dir import REFERENCE, BenchDir

KEY_NAME, KEY = "SOME_KEY", "sk-0123456789"
_MODELS = f"""\
providers:
  local: {{base_url: "http://127.0.0.1:1/v1", key_env: {KEY_NAME}}}
models:
  priced: {{provider: local, id: a, price: {{input: 1, output: 2}}}}
  again: {{provider: local, id: a}}
  unpriced: {{provider: local, id: b}}
  odd: {{provider: local, id: c, adapt: [no-such-thing]}}
configs:
  clumsy: {{tools: [hammer]}}
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a registry of its own."""
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n[tool.sema-bench]\nsamples = 3\n")
    (pytester.path / "sema-models.yaml").write_text(_MODELS)
    monkeypatch.setenv(KEY_NAME, KEY)
    return pytester


def plan(project: pytest.Pytester, *args: str) -> Plan:
    """The plan for these arguments."""
    config = project.parseconfig(*args)
    return plan_of(config, read_settings(given_options(config), config.rootpath))


def test_a_plan_holds_all_that_was_asked_for(project: pytest.Pytester) -> None:
    """The command line over pyproject.toml over what is usual."""
    made = plan(
        project,
        "--sema-model=priced,unpriced",
        "--sema-config=bare",
        "--sema-concurrency=7",
        "--sema-record=tape",
        "--sema-resume",
    )
    assert [model.id for model in made.models] == ["a", "b"]
    assert [config.name for config in made.configs] == ["bare"]
    settings = made.settings
    assert (settings.samples, settings.concurrency, settings.timeout_s) == (3, 7, 300.0)
    assert (settings.record, settings.resume) == (Path("tape"), "newest")
    assert list(made.questions) == ["priced-bare", "unpriced-bare"]


ERRORS = {
    "unknown model": (("--sema-model=nobody",), "nobody"),
    "unknown configuration": (
        ("--sema-model=reference", "--sema-config=loud"),
        "unknown configuration 'loud'",
    ),
    "unknown tool": (("--sema-model=reference", "--sema-config=clumsy"), "unknown tool 'hammer'"),
    "unknown adaptation": (("--sema-model=odd",), "no-such-thing"),
    "unknown backend": (("--sema-model=reference", "--sema-vm=jvm"), "unknown backend 'jvm'"),
    "twice the same question": (("--sema-model=priced,again",), "ask the same twice"),
    "every worker everything": (
        ("--sema-model=reference", "--dist=each", "--tx=popen"),
        "pay for each",
    ),
    "no price": (
        ("--sema-model=priced,unpriced", "--sema-max-cost=1"),
        r"the price of unpriced is unknown.*(?s:.*)price: \{input: ",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_work_is_said_at_once(project: pytest.Pytester, name: str) -> None:
    """Before anything is collected or paid for."""
    args, message = ERRORS[name]
    with pytest.raises(SettingsError, match=message):
        plan(project, *args)


KEYS = {
    "missing": ("", f"set the environment variable {KEY_NAME}"),
    "with a line end": (KEY + "\n", "was it copied whole?"),
    "with a blank before it": (" " + KEY, "was it copied whole?"),
    "with a letter that no header takes": (KEY + "é", "was it copied whole?"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_cannot_be_sent_is_refused(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The message names the variable and never the key."""
    key, message = KEYS[name]
    monkeypatch.setenv(KEY_NAME, key)
    with pytest.raises(SettingsError, match=message) as error:
        plan(project, "--sema-model=priced")
    assert KEY_NAME in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("option", ["--sema-estimate", "--collect-only", "--sema-replay=tape"])
def test_where_nobody_is_asked_no_key_is_needed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """A fork without keys can replay, estimate and collect."""
    monkeypatch.delenv(KEY_NAME)
    project.mkdir("tape")
    assert plan(project, "--sema-model=priced", option).models[0].key_env == KEY_NAME


@pytest.mark.parametrize("is_on", [True, False])
def test_garbage_is_looked_for_afterwards_as_before(bench_dir: BenchDir, is_on: bool) -> None:
    """A run leaves the process that it ran in as it found it."""
    was_on = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        assert bench_dir.collect(REFERENCE)
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if was_on else gc.disable)()
