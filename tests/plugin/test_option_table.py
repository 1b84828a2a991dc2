"""The table of options: the command line over the file, every mistake named, everything told."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.options import OPTIONS, read_settings
from pytest_sema_bench.settings import NEWEST, Settings

README = Path(__file__).parents[2] / "README.md"
BY_NAME = {option.name: option for option in OPTIONS}


def write(folder: Path, table: str) -> Path:
    """A project folder whose pyproject.toml ends in this text."""
    (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\n{table}', encoding="utf-8")
    return folder


def read(folder: Path, **given: Any) -> Settings:
    """The settings of a project, asked for the model `m` with these options."""
    return read_settings({"model": ["m"]} | {k.replace("_", "-"): given[k] for k in given}, folder)


def test_every_setting_has_one_option() -> None:
    """A row and a field are all that an option takes, and neither is there alone."""
    assert sorted(option.target for option in OPTIONS) == sorted(f.name for f in fields(Settings))


def test_the_readme_names_every_option_with_what_it_takes() -> None:
    """Whoever adds an option says in the README what it does."""
    rows = [
        line for line in README.read_text("utf-8").splitlines() if line.startswith("| `--sema-")
    ]
    shown = re.findall(r"`(--sema-[^`]+)`", " ".join(row.split(" | ")[0] for row in rows))
    assert sorted(text.replace("\\", "") for text in shown) == sorted(
        option.flag
        + (
            f"[={option.metavar}]"
            if option.bare
            else f" {option.metavar}"
            if option.metavar
            else ""
        )
        for option in OPTIONS
    )


def test_the_help_tells_the_defaults_that_hold() -> None:
    """What `pytest --help` calls the default is what Settings have."""
    told = {o.target: re.search(r"\(default:? (\S+)\)", o.help) for o in OPTIONS}
    defaults = {name: found[1] for name, found in told.items() if found}
    settings = Settings(models=())
    assert set(defaults) >= {"samples", "concurrency", "timeout_s", "report_dir"}
    assert defaults == {name: f"{getattr(settings, name)}".removesuffix(".0") for name in defaults}


def test_nothing_given_gives_the_defaults(tmp_path: Path) -> None:
    """Only the model has no default."""
    settings = read(tmp_path, samples=None, config=[], estimate=False)
    assert settings == Settings(models=("m",))
    assert (settings.configs, settings.samples, settings.concurrency) == (("tools",), 1, 32)


FOLDERS = {"no table": "", "empty table": "[tool.sema-bench]\n"}


@pytest.mark.parametrize("table", FOLDERS.values(), ids=FOLDERS)
def test_a_project_without_settings_gives_none(table: str, tmp_path: Path) -> None:
    """A missing table or key is no error."""
    assert read(write(tmp_path, table)) == Settings(models=("m",))


def test_the_file_speaks_as_the_command_line_does(tmp_path: Path) -> None:
    """Keys are the options' names without `--sema-`, tables of other modules are left alone."""
    write(
        tmp_path,
        '[tool.sema-bench]\nconfig = ["bare", "tools"]\nsamples = 3\nreport-dir = "out"\n'
        'timeout = 2.5\nbase-url = "http://127.0.0.1:1/v1"\n[tool.sema-bench.models.x]\nid = "y"\n',
    )
    assert read(tmp_path) == Settings(
        models=("m",),
        configs=("bare", "tools"),
        samples=3,
        report_dir=tmp_path / "out",
        timeout_s=2.5,
        base_url="http://127.0.0.1:1/v1",
    )


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """What is given is taken, what is not is taken from the file."""
    write(tmp_path, '[tool.sema-bench]\nconfig = "bare"\nsamples = 3\ntimeout = 9\n')
    settings = read(tmp_path, samples="2", config=None)
    assert (settings.samples, settings.configs, settings.timeout_s) == (2, ("bare",), 9.0)


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    """A path from the command line stays as the user's shell understood it."""
    (tmp_path / "mine").mkdir()
    write(tmp_path, '[tool.sema-bench]\ntasks = "mine"\nreport-dir = "out"\n')
    settings = read(tmp_path, report_dir="here")
    assert settings.tasks == tmp_path / "mine"
    assert settings.report_dir == Path("here")


def test_names_come_as_lists_and_repeated_options(tmp_path: Path) -> None:
    """Commas and repetition mean the same, and blanks around names do not count."""
    settings = read(tmp_path, model=["a, b", "c"], config=["x,y"])
    assert (settings.models, settings.configs) == (("a", "b", "c"), ("x", "y"))


def test_resume_without_a_name_means_the_newest_run() -> None:
    """The row and the room that finds the run speak of the same."""
    assert BY_NAME["resume"].bare == NEWEST


NUMBERS = {
    "samples": ("1", "1000", "a whole number from 1 to 1,000"),
    "concurrency": ("1", "1000", "a whole number from 1 to 1,000"),
    "max-rounds": ("1", "100", "a whole number from 1 to 100"),
    "confirm": ("1", "100", "a whole number from 1 to 100"),
    "timeout": ("0.001", "86400", "a number of seconds above 0 and up to 86,400"),
    "max-cost": ("0.001", "1e6", "a number of US dollars above 0 and up to 1,000,000"),
    "fail-under": ("0", "100", "a percentage from 0 to 100"),
}
NO_NUMBERS = (
    "-1",
    "99999999999999999999",
    "9" * 5000,
    "two",
    "nan",
    "inf",
    "1e400",
    "",
    " ",
    "0x1",
)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_range(name: str, tmp_path: Path) -> None:
    """Both ends of it are taken, and what lies outside, or is no number, is named at once."""
    lowest, highest, wanted = NUMBERS[name]
    for text in (lowest, highest):
        assert getattr(read(tmp_path, **{name: text}), BY_NAME[name].target) == float(text)
    zero = () if float(lowest) == 0 else ("0",)
    half = ("1.5",) if "whole" in wanted else ()
    for text in (*NO_NUMBERS, *zero, *half):
        with pytest.raises(SettingsError) as caught:
            read(tmp_path, **{name: text})
        assert str(caught.value) == f"--sema-{name}: found {text!r}, expected {wanted}"


def test_no_number_is_left_without_a_range() -> None:
    """A new option that takes a number is tested above."""
    assert {o.name for o in OPTIONS if int in o.kind.types} == set(NUMBERS)


@pytest.mark.parametrize(
    "name", [o.name for o in OPTIONS if o.kind.types == (str,)], ids=lambda name: f"--sema-{name}"
)
def test_an_empty_text_is_no_value(name: str, tmp_path: Path) -> None:
    """`--sema-tasks=` is a variable that somebody forgot to set, never the folder called ''."""
    for text in ("", "  "):
        with pytest.raises(SettingsError, match=f"^--sema-{name}: found '{text}', expected "):
            read(tmp_path, **{name: text})


BAD_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "empty name": ({"model": ["a,,b"]}, "--sema-model: empty name in 'a,,b'"),
    "name twice": ({"model": ["a,b", "a"]}, "--sema-model: 'a' is given more than once"),
    "configuration twice": ({"config": ["x,x"]}, "--sema-config: 'x' is given more than once"),
    "no such tasks": ({"tasks": "/nowhere"}, "--sema-tasks: there is no file or folder /nowhere"),
    "no URL": ({"base_url": "localhost"}, "--sema-base-url: 'localhost' is no base URL: "),
    "neither on nor off": ({"gate": "maybe"}, "--sema-gate: found 'maybe', expected 'on' or 'off'"),
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
        read(tmp_path, **given)
    assert str(caught.value).startswith(message)


BAD_FILES = {
    "not TOML": ("[tool.sema-bench\n", "3: not TOML: "),
    "unknown key": (
        "[tool.sema-bench]\nsample = 3\n",
        "4: tool.sema-bench: unknown key 'sample'; did you mean 'samples'? known keys are ",
    ),
    "a model": ('[tool.sema-bench]\nmodel = "m"\n', "4: tool.sema-bench: unknown key 'model'; "),
    "text for a number": (
        '[tool.sema-bench]\nsamples = "3"\n',
        "4: tool.sema-bench.samples: found '3', expected a whole number from 1 to 1,000",
    ),
    "truth for a number": ("[tool.sema-bench]\nsamples = true\n", "found True, expected a whole"),
    "half a number": ("[tool.sema-bench]\nsamples = 1.5\n", "found 1.5, expected a whole number"),
    "too large": ("[tool.sema-bench]\nsamples = 99999\n", "found 99999, expected a whole number"),
    "number for text": ("[tool.sema-bench]\nvm = 3\n", "vm: found 3, expected a text that says"),
    "empty path": ('[tool.sema-bench]\ntasks = ""\n', "found '', expected the path of a file or"),
    "no path": ('[tool.sema-bench]\ntasks = "\\u0000"\n', "found '\\x00', expected the path"),
    "empty name": ('[tool.sema-bench]\nconfig = "a,,b"\n', "config: empty name in 'a,,b'"),
    "list of numbers": ("[tool.sema-bench]\nconfig = [1]\n", "config: found [1], expected a name"),
    "no table": ("[tool]\nsema-bench = 3\n", "4: tool.sema-bench: found 3, expected a table"),
}


@pytest.mark.parametrize(("table", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_with_key_and_value(table: str, message: str, tmp_path: Path) -> None:
    """The message has the file's path, the line, the key, what was found, what was expected."""
    with pytest.raises(SettingsError) as caught:
        read(write(tmp_path, table))
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}:")
    assert message in str(caught.value)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are a settings error, not a traceback."""
    (tmp_path / "pyproject.toml").write_bytes(b'name = "caf\xe9"\n')
    with pytest.raises(SettingsError, match=r"pyproject\.toml:1: cannot be read"):
        read(tmp_path)


def test_the_unknown_key_message_lists_what_can_be_set(tmp_path: Path) -> None:
    """Whoever mistypes a key can read the right one, spelt as the file wants it."""
    with pytest.raises(SettingsError) as caught:
        read(write(tmp_path, "[tool.sema-bench]\nx = 1\n"))
    known = str(caught.value).partition("known keys are ")[2].split(", ")
    assert known == sorted(known)
    assert set(BY_NAME) - set(known) == {
        "model",
        "docs",
        "resume",
        "estimate",
        "baseline-new",
        "shard",
        "run",
    }
