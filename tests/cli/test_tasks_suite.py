"""`sema-bench tasks check --suite`: a suite that is not whole yet, and one without its canary."""

import json
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.suite.folder import bundled_suites, suites_folder
from tests.conftest import Capture

pytestmark = pytest.mark.vm
SUITE = """\
name: steps
version: 1
canary: 5f0c9a57-53c5
levels:
  - {name: warm, meaning: the first steps, tasks: 1}
  - {name: cold, meaning: the hard ones, tasks: 2}
"""
TASK = """\
# 5f0c9a57-53c5
id: warm-01-sum
level: warm
category: numbers
prompt: What is (+ 1 2)?
grade: {kind: value, equals: "3"}
reference: "3"
wrong:
  - {why: concatenates, code: "12"}
  - {why: multiplies, code: "2"}
  - {why: subtracts, code: "-1"}
"""
LACKS = "steps: level cold (the hard ones) has 0 of 2 tasks"


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A suite that lacks a whole level."""
    (tmp_path / "warm").mkdir()
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "warm" / "01-sum.yaml").write_text(TASK)
    return tmp_path


def test_what_is_missing_is_said(steps: Path, capsys: Capture) -> None:
    """What there is is proven; what there is not fails under --strict only."""
    assert main(["tasks", "check", "--suite", str(steps)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["every reference answer passes", LACKS]
    assert main(["tasks", "check", "--suite", str(steps), "--strict"]) == 1
    assert LACKS in capsys.readouterr().out
    assert main(["tasks", "check", "--suite", str(steps), "--strict", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert main(["tasks", "check", "--suite", str(steps), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["incomplete"]) == (True, [LACKS])


def test_a_file_without_the_canary_is_named(steps: Path, capsys: Capture) -> None:
    """With the text that it lacks, whether --strict or not."""
    file = steps / "warm" / "01-sum.yaml"
    file.write_text(TASK.partition("\n")[2])
    assert main(["tasks", "check", str(file)]) == 1
    text = f"{file}:1: the suite's canary is missing; add a comment line that holds 5f0c9a57-53c5"
    assert text in capsys.readouterr().out


def test_an_unknown_suite_is_answered_with_the_known_ones(capsys: Capture) -> None:
    """A mistake on the command line."""
    with pytest.raises(SystemExit) as caught:
        main(["tasks", "check", "--suite", "fontier"])
    assert caught.value.code == 2
    known = ", ".join(bundled_suites())
    assert f"'fontier' is neither a bundled suite ({known})" in capsys.readouterr().err


def test_a_suite_can_be_graded_by(steps: Path, capsys: Capture) -> None:
    """`grade` takes the same option."""
    assert main(["grade", "--suite", str(steps), "--list-tasks"]) == 0
    assert capsys.readouterr().out == "warm-01-sum\n"


def test_schemas_are_printed_for_editors(capsys: Capture) -> None:
    """Of task files, and of suite.yaml."""
    for kind, key in ((["task"], "prompt"), ([], "grade"), (["suite"], "levels")):
        assert main(["tasks", "schema", *kind]) == 0
        assert key in json.loads(capsys.readouterr().out)["properties"]


def test_a_suite_may_demand_more(steps: Path, capsys: Capture) -> None:
    """Under --strict its own number of wrong answers counts, and the JSON says its mutant rate."""
    demands = "demands: {n_wrong: 5, mutant_rate: 0.98}\nlevels:"
    (steps / "suite.yaml").write_text(SUITE.replace("levels:", demands))
    assert main(["tasks", "check", "--suite", str(steps)]) == 0
    capsys.readouterr()
    assert main(["tasks", "check", "--suite", str(steps), "--strict"]) == 1
    assert "has 3 wrong answers, expected at least 5" in capsys.readouterr().out
    main(["tasks", "check", "--suite", str(steps), "--json"])
    assert json.loads(capsys.readouterr().out)["mutants"]["min_suite_rate"] == 0.98


def test_a_task_is_proven_in_a_dialect(capsys: Capture) -> None:
    """Reference, wrong answers and mutants go through the translation and come to the same."""
    path = str(suites_folder() / "core" / "L2" / "05-palindrome.yaml")
    assert main(["tasks", "check", "--sema-dialect", "7", path]) == 0
    spoken = capsys.readouterr().out
    assert "every reference answer passes" in spoken
    assert main(["tasks", "check", path]) == 0
    assert capsys.readouterr().out == spoken


def test_paths_beside_a_suite_are_a_mistake(steps: Path, capsys: Capture) -> None:
    """Else they would be checked besides all forty, and twice."""
    file = str(steps / "warm" / "01-sum.yaml")
    with pytest.raises(SystemExit, match="2"):
        main(["tasks", "check", "--suite", str(steps), file])
    error = capsys.readouterr().err
    assert "tasks check: error: --suite checks a whole suite: leave it out to check" in error
