"""The console script as a whole."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pytest_sema_bench import cli
from pytest_sema_bench.cli import COMMANDS, main
from tests.conftest import Capture
from tests.samples.outcomes import records_of, tasks_of, write_run


def test_each_command_has_its_module(capsys: Capture) -> None:
    """Every command that is listed can say how it is used."""
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"usage: sema-bench {name}" in capsys.readouterr().out


def test_each_module_is_listed() -> None:
    """No command module is left out of the list."""
    names = sorted(path.stem for path in Path(cli.__file__).parent.glob("[a-z]*.py"))
    modules = {name: import_module(f"{cli.__name__}.{name}") for name in names}
    with_commands = {name for name, module in modules.items() if hasattr(module, "add_commands")}
    assert {module for module, _ in COMMANDS.values()} == with_commands


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_no_command(argument: str) -> None:
    """What the script only lists costs it nothing."""
    code = (
        "import sys; from pytest_sema_bench.cli import main\n"
        f"try: main([{argument!r}])\n"
        "except SystemExit: pass\n"
        "known = [n for n in sys.modules if n.startswith('pytest_sema_bench.')]\n"
        "assert sorted(known) == ['pytest_sema_bench.cli', 'pytest_sema_bench.errors'], known\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_an_unknown_command_is_told(capsys: Capture) -> None:
    """A typo ends with status 2 and the commands there are."""
    with pytest.raises(SystemExit) as ended:
        main(["taks"])
    assert ended.value.code == 2
    assert "'tasks'" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: Capture) -> None:
    """A folder named as the output, or a file as its folder, ends with status 3 and its name."""
    run, file = tmp_path / "run", tmp_path / "file"
    write_run(run, records_of(tasks_of("pf")))
    file.touch()
    for output in (run, file / "below"):
        for command in (["export", "--format", "csv"], ["baseline", "save"]):
            assert main([*command, str(run), "-o", str(output)]) == 3
            assert str(output if output == run else file) in capsys.readouterr().err


WRONG = {
    "no number": (["dataset", "fuzz", ".", "-n", "many"], "found 'many', expected a whole number"),
    "no seed": (["dataset", "fuzz", ".", "--seed", "-1"], "found '-1', expected a whole number"),
    "no whole number": (["docs", "search", "x", "--top", "two"], "found 'two', expected a whole"),
    "below none": (["tasks", "check", "--max-mutants", "-1"], "found '-1', expected a whole"),
    "no difference": (["compare", "a", "b", "--across", ""], "--across: found '', expected some"),
    "no format": (
        ["export", "run", "-o", "r.csv"],
        "r.csv is named after a table: add --format csv",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_command_line_says_what_was_found(name: str, capsys: Capture) -> None:
    """Status 2, and words about what the user wrote, not about our code."""
    argv, said = WRONG[name]
    try:
        status = main(argv)
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status == 2
    assert said in capsys.readouterr().err


READING = (
    *("tasks check", "docs check", "grade", "grade - --tasks", "regrade", "transcript", "watch"),
    *("merge -o x", "export -o x.eval", "report", "history", "dataset extract", "dataset fuzz"),
    *("dataset traces", "dataset describe --model m -o x", "dataset check"),
    "dataset build --format openai -o x",
)


@pytest.mark.parametrize("command", READING)
def test_a_path_that_is_not_there_is_told(
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    tmp_path: Path,
) -> None:
    """Its name and status 3, whatever was to be read there."""
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "gone", *(["item"] if command == "transcript" else [])]) == 3
    assert "gone" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_told_with_the_usage_of_its_command(
    capsys: Capture,
) -> None:
    """Not with that of all commands."""
    with pytest.raises(SystemExit, match="2"):
        main(["docs", "search", "x", "--nonsense"])
    told = capsys.readouterr().err
    assert told.startswith("usage: sema-bench docs search ")
    assert "unrecognized arguments: --nonsense" in told


def test_an_output_that_cannot_be_written_is_told_before_anything_is_made(
    tmp_path: Path, capsys: Capture
) -> None:
    """Here the source would be the first to be found wanting."""
    file = tmp_path / "file"
    file.touch()
    for output, named in ((tmp_path, tmp_path), (file / "below", file)):
        assert main(["dataset", "fuzz", str(tmp_path), "-o", str(output)]) == 3
        assert str(named) in capsys.readouterr().err


def test_a_place_without_tasks_or_run_is_told(tmp_path: Path, capsys: Capture) -> None:
    """Nothing is graded against no tasks, nor a folder watched that is no run."""
    assert main(["grade", "--tasks", str(tmp_path), "-"]) == 3
    assert f"no task files (*.yaml) at {tmp_path}" in capsys.readouterr().err
    assert main(["watch", str(tmp_path)]) == 3
    assert "no run folder: it holds no records*.jsonl" in capsys.readouterr().err
