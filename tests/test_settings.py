"""Options of a run: the command line over the file, and every mistake named."""

from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.settings import Settings, make_settings, read_pyproject


def write(folder: Path, table: str) -> Path:
    """A project folder whose pyproject.toml ends in this text."""
    (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\n{table}', encoding="utf-8")
    return folder


def test_nothing_given_gives_the_defaults(tmp_path: Path) -> None:
    """Only the model has no default."""
    settings = make_settings({"models": ["m"], "samples": None, "configs": []}, {}, tmp_path)
    assert settings == Settings(models=("m",))
    assert (settings.configs, settings.samples, settings.concurrency) == (("tools",), 1, 32)


FOLDERS = {"no file": None, "no table": "", "empty table": "[tool.sema-bench]\n"}


@pytest.mark.parametrize("table", FOLDERS.values(), ids=FOLDERS)
def test_a_project_without_settings_gives_none(table: str | None, tmp_path: Path) -> None:
    """A missing file, table or key is no error."""
    assert read_pyproject(tmp_path if table is None else write(tmp_path, table)) == {}


def test_the_file_speaks_as_the_command_line_does(tmp_path: Path) -> None:
    """Keys are the options' names without `--sema-`, tables of other modules are left alone."""
    write(
        tmp_path,
        '[tool.sema-bench]\nconfig = ["bare", "tools"]\nsamples = 3\nreport-dir = "out"\n'
        'timeout = 2.5\nbase-url = "http://127.0.0.1:1/v1"\n[tool.sema-bench.models.x]\nid = "y"\n',
    )
    assert read_pyproject(tmp_path) == {
        "configs": ["bare", "tools"],
        "samples": 3,
        "report_dir": "out",
        "timeout_s": 2.5,
        "base_url": "http://127.0.0.1:1/v1",
    }


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """What is given is taken, what is not is taken from the file."""
    from_file = {"configs": "bare", "samples": 3, "timeout_s": 9}
    settings = make_settings(
        {"models": ["m"], "samples": "2", "configs": None}, from_file, tmp_path
    )
    assert (settings.samples, settings.configs, settings.timeout_s) == (2, ("bare",), 9.0)


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    """A path from the command line stays as the user's shell understood it."""
    (tmp_path / "mine").mkdir()
    from_file = {"tasks": "mine", "report_dir": "out"}
    settings = make_settings({"models": ["m"], "report_dir": "here"}, from_file, tmp_path)
    assert settings.tasks == tmp_path / "mine"
    assert settings.report_dir == Path("here")


def test_names_come_as_lists_and_repeated_options(tmp_path: Path) -> None:
    """Commas and repetition mean the same, and blanks around names do not count."""
    settings = make_settings({"models": ["a, b", "c"], "configs": ["x,y"]}, {}, tmp_path)
    assert (settings.models, settings.configs) == (("a", "b", "c"), ("x", "y"))


BAD_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "empty name": ({"models": ["a,,b"]}, "--sema-model: empty name in 'a,,b'"),
    "name twice": ({"models": ["a,b", "a"]}, "--sema-model: 'a' is given more than once"),
    "configuration twice": ({"configs": ["x,x"]}, "--sema-config: 'x' is given more than once"),
    "no samples": ({"samples": "0"}, "--sema-samples: '0' is not a whole number of 1 or more"),
    "half a sample": ({"samples": "1.5"}, "--sema-samples: '1.5' is not a whole number"),
    "samples in words": ({"samples": "two"}, "--sema-samples: 'two' is not a whole number"),
    "negative": ({"concurrency": "-1"}, "--sema-concurrency: '-1' is not a whole number"),
    "no time": ({"timeout_s": "0"}, "--sema-timeout: '0' is not a number of seconds above 0"),
    "endless time": ({"timeout_s": "inf"}, "--sema-timeout: 'inf' is not a number of seconds"),
    "no number": ({"timeout_s": "nan"}, "--sema-timeout: 'nan' is not a number of seconds"),
    "no such tasks": ({"tasks": "/nowhere"}, "--sema-tasks: there is no file or folder /nowhere"),
    "no URL": ({"base_url": "localhost"}, "--sema-base-url: 'localhost' is no URL; expected "),
    "key without server": (
        {"api_key_env": "KEY"},
        "--sema-api-key-env goes with --sema-base-url, which is missing",
    ),
}


@pytest.mark.parametrize(("given", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_is_named_with_what_was_expected(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """The message begins with the option and quotes what was given."""
    with pytest.raises(SettingsError) as caught:
        make_settings({"models": ["m"], **given}, {}, tmp_path)
    assert str(caught.value).startswith(message)


BAD_FILES = {
    "not TOML": ("[tool.sema-bench\n", "cannot be read as TOML: "),
    "unknown key": (
        "[tool.sema-bench]\nsample = 3\n",
        "has an unknown key 'sample'; known keys are ",
    ),
    "a model": ('[tool.sema-bench]\nmodel = "m"\n', "has an unknown key 'model'; known keys are "),
    "text for a number": (
        '[tool.sema-bench]\nsamples = "3"\n',
        "samples is '3', expected a whole ",
    ),
    "truth for a number": (
        "[tool.sema-bench]\nsamples = true\n",
        "samples is True, expected a who",
    ),
    "number for text": ("[tool.sema-bench]\nvm = 3\n", "vm is 3, expected text"),
    "list of numbers": (
        "[tool.sema-bench]\nconfig = [1]\n",
        "config is [1], expected text or a list of texts",
    ),
    "no table": ("[tool]\nsema-bench = 3\n", "tool.sema-bench is 3, expected a table"),
    "known section as text": ('[tool.sema-bench]\nmodels = "m"\n', "has an unknown key 'models'"),
}


@pytest.mark.parametrize(("table", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_with_key_and_value(table: str, message: str, tmp_path: Path) -> None:
    """The message has the file's path, the key, what was found and what was expected."""
    with pytest.raises(SettingsError) as caught:
        read_pyproject(write(tmp_path, table))
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}: ")
    assert message in str(caught.value)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are a settings error, not a traceback."""
    (tmp_path / "pyproject.toml").write_bytes(b'name = "caf\xe9"\n')
    with pytest.raises(SettingsError, match=r"pyproject\.toml: cannot be read as TOML"):
        read_pyproject(tmp_path)


def test_a_tool_entry_that_is_no_table_is_somebody_elses(tmp_path: Path) -> None:
    """A file without a `[tool]` table has no settings of ours."""
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")
    assert read_pyproject(tmp_path) == {}


def test_the_unknown_key_message_lists_what_can_be_set(tmp_path: Path) -> None:
    """Whoever mistypes a key can read the right one, spelt as the file wants it."""
    with pytest.raises(SettingsError) as caught:
        read_pyproject(write(tmp_path, "[tool.sema-bench]\nx = 1\n"))
    known = str(caught.value).partition("known keys are ")[2].split(", ")
    assert known == sorted(known)
    assert {"config", "samples", "report-dir", "base-url", "timeout"} <= set(known)
    assert not {"configs", "timeout-s", "models"} & set(known)
