"""A suite's folder: what suite.yaml may say, where its tasks lie, and what is missing."""

import shutil
from pathlib import Path

import pytest

from pytest_sema_bench.errors import SettingsError, TaskError
from pytest_sema_bench.suite.folder import (
    bundled_suites,
    find_task_files,
    incomplete_levels,
    levels_of,
    suite_folder,
    suite_of,
)
from pytest_sema_bench.suite.task import check_canary, check_one_suite, load_task

SUITE = """\
name: steps
version: 3
language: Sema
licence: MIT
canary: 5f0c9a57-53c5
levels:
  - {name: warm, meaning: the first steps, tasks: 1}
  - {name: cold, meaning: the hard ones, tasks: 2}
"""
TASK = "# 5f0c9a57-53c5\nid: {id}\nlevel: {level}\nprompt: p\ngrade: {{kind: value, equals: '1'}}\n"


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """The folder of a suite of two levels; the second lacks a task."""
    (tmp_path / "suite.yaml").write_text(SUITE)
    for level in ("warm", "cold"):
        (tmp_path / level).mkdir()
        text = TASK.format(id=f"{level}-01-one", level=level)
        (tmp_path / level / "01-one.yaml").write_text(text)
    return tmp_path


def test_a_suite_is_found_above_its_tasks(steps: Path) -> None:
    """From a task, from a level's folder and from its own; all its tasks share it."""
    file = steps / "cold" / "01-one.yaml"
    task = load_task(file)
    assert (task.level, task.slug) == ("cold", "one")
    suite = task.suite
    assert suite is not None
    assert (suite.name, suite.version, suite.level_names) == ("steps", 3, ("warm", "cold"))
    assert suite_of(steps) is suite_of(steps / "warm") is suite_of(file) is suite
    assert suite.id.label == "steps 3"


def test_the_hash_follows_the_files(steps: Path) -> None:
    """Another byte in a task is another suite; line ends, which Git changes, are not."""

    def digest(folder: Path) -> str:
        suite = suite_of(folder)
        assert suite is not None
        return suite.id.hash

    before = digest(steps)
    other = shutil.copytree(steps, steps / "copy")
    for file in other.rglob("*.yaml"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    shutil.move(other, other := steps.parent / f"{steps.name}-copy")
    assert digest(other) == before
    shutil.move(other, other := steps.parent / f"{steps.name}-other")
    (other / "warm" / "01-one.yaml").write_text("another")
    assert digest(other) != before


def test_what_a_suite_lacks_is_counted_by_level(steps: Path) -> None:
    """A level with fewer tasks than suite.yaml says, or with more."""
    assert incomplete_levels(steps) == ("steps: level cold (the hard ones) has 1 of 2 tasks",)
    shutil.copy(steps / "warm" / "01-one.yaml", steps / "warm" / "02-one.yaml")
    assert incomplete_levels(steps)[0].endswith("warm (the first steps) has 2 of 1 tasks")
    assert incomplete_levels(steps / "warm") == ()


BROKEN = {
    "no levels": ("levels:", "level:", 6, "unknown key 'level'; did you mean 'levels'?"),
    "a version in words": ("version: 3", "version: three", 2, "expected a whole number"),
    "a version of nothing": ("version: 3", "version: 0", 2, "expected a number of 1 or more"),
    "a name in capitals": ("steps", "Steps", 1, "found 'Steps', expected a name in small"),
    "a level with a dash": ("warm", "warm-up", 7, "expected one word of letters, digits and _"),
    "a level twice": ("cold", "warm", 8, "levels[1].name: a second level 'warm'"),
    "no tasks": ("tasks: 2", "tasks: 0", 8, "levels[1].tasks: found 0, expected a number of 1"),
    "a short canary": ("5f0c9a57-53c5", "x", 5, "expected a text of 8 letters or more"),
}


@pytest.mark.parametrize(("old", "new", "line", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_suite_is_named_with_its_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    """As a broken task is."""
    (tmp_path / "suite.yaml").write_text(SUITE.replace(old, new, 1))
    with pytest.raises(TaskError) as caught:
        suite_of(tmp_path)
    assert (caught.value.path, caught.value.line) == (tmp_path / "suite.yaml", line)
    assert message in caught.value.message


def test_a_task_of_a_suite_lies_in_the_folder_of_a_level(steps: Path) -> None:
    """Beside the levels, or in a folder that suite.yaml does not name, it is an error."""
    for folder in (steps, steps / "hot"):
        folder.mkdir(exist_ok=True)
        file = folder / "02-two.yaml"
        shutil.copy(steps / "warm" / "01-one.yaml", file)
        with pytest.raises(TaskError, match="of the suite steps lies in a folder of a level: warm"):
            load_task(file)


def test_without_suite_yaml_folders_name_the_levels(tmp_path: Path) -> None:
    """A capital letter and a number, in the order of the numbers; others are no levels."""
    for folder in ("L10", "L9", "words"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "01-one.yaml").touch()
    assert [(level.name, level.n_tasks) for level in levels_of(tmp_path)] == [("L9", 1), ("L10", 1)]


def test_a_suite_has_a_name_or_a_folder(steps: Path) -> None:
    """The bundled ones are known by name; the error of an unknown one lists them."""
    assert bundled_suites() == ("core", "frontier")
    assert [level.n_tasks for level in levels_of(suite_folder("frontier"))] == [10, 10, 10, 10]
    assert suite_folder(steps) == steps
    with pytest.raises(SettingsError, match=r"'x' is neither a bundled suite \(core, frontier\)"):
        suite_folder("x")


def test_the_canary_stands_in_every_file(steps: Path) -> None:
    """A task without it is an error that says what to add."""
    file = steps / "warm" / "01-one.yaml"
    check_canary(load_task(file))
    file.write_text(file.read_text().partition("\n")[2])
    with pytest.raises(TaskError, match=r"01-one\.yaml:1: .*a comment line that holds 5f0c9a57"):
        check_canary(load_task(file))
    for name in bundled_suites():
        for file in find_task_files(suite_folder(name)):
            check_canary(load_task(file))


def test_tasks_of_two_suites_do_not_run_together(steps: Path) -> None:
    """One run is one suite's; a task of no suite may go with any."""
    task = load_task(steps / "warm" / "01-one.yaml")
    check_one_suite(task, task.suite)
    check_one_suite(task, None)
    with pytest.raises(TaskError, match="is of the suite steps, but others of this run"):
        check_one_suite(task, suite_of(suite_folder("core")))
