"""`tasks check` finds what would let a wrong answer pass, on the real VM."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_sema_bench.cli import main
from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.grading.proof.check import Fate, Graders, TaskCheck, check_task
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.suite.task import Task, load_task

pytestmark = pytest.mark.vm

SAMPLE = Path(__file__).parents[1] / "samples" / "check" / "clamp.yaml"
GUIDE = Path(__file__).parents[2] / "docs" / "write-a-task.md"

Changed = Callable[..., Task]
Check = Callable[..., TaskCheck]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """The sample task with some top-level keys replaced; None takes one away."""

    def change(**keys: Any) -> Task:
        data = yaml.safe_load(SAMPLE.read_text("utf-8")) | keys
        path = tmp_path / "clamp.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in data.items() if v is not None}), "utf-8")
        return load_task(path)

    return change


@pytest.fixture
def check(event_loop_runner: asyncio.Runner, vm: SemaVM) -> Check:
    """The proof of one task, not held to what our own suite asks of its tasks."""

    def run(task: Task, *, strict: bool = False, max_mutants: int = 60) -> TaskCheck:
        work = check_task(task, Graders(vm), strict=strict, max_mutants=max_mutants)
        return event_loop_runner.run(work)

    return run


def cases(*pairs: tuple[str, str]) -> dict[str, Any]:
    """The `grade` of a program with these calls and values."""
    return {"kind": "program", "cases": [{"call": c, "equals": v} for c, v in pairs]}


def test_a_sound_task_has_no_problems(check: Check, changed: Changed) -> None:
    """The sample holds: its wrong answers fail and each mutant is caught or justified."""
    result = check(changed())
    assert result.problems == ()
    assert {mutant.fate for mutant in result.mutants} == {Fate.CAUGHT, Fate.EQUIVALENT}


def test_a_call_must_give_by_hand_what_it_gives_graded(check: Check, changed: Changed) -> None:
    """A case that shows the names of its own helpers is told with both values."""
    grade = cases(("(list (clamp 5 1 10) (str helper))", '(list 5 "x")'))
    grade["cases"][0]["given"] = "(define (helper x) x)"
    problems = check(changed(grade=grade), max_mutants=0).problems
    by_hand = [problem for problem in problems if problem.startswith("case 1, ")]
    assert len(by_hand) == 1
    assert by_hand[0].endswith('and (5 "<native-fn helper>") by hand')


KEYS = {
    "the value": ("(+ 1 2)", "3", ()),
    "another value": (
        "(/ 1 2)",
        "0.5",
        ("the question's code gives 1/2, the key is 0.5",),
    ),
    "an error": (
        "(car 5)",
        "5",
        ("the question's code gives expected list or vector, got int, the key is 5",),
    ),
}


@pytest.mark.parametrize(("code", "key", "problems"), KEYS.values(), ids=[*KEYS])
def test_the_key_of_a_value_task_is_what_its_question_gives(
    check: Check, tmp_path: Path, code: str, key: str, problems: tuple[str, ...]
) -> None:
    """The code in the prompt is run and its value compared with the key."""
    prompt = f"What is the value of this?\n\n```sema\n{code}\n```\n\nEnd with `Value: …`."
    path = tmp_path / "asked.yaml"
    grade = {"kind": "value", "equals": key}
    path.write_text(yaml.safe_dump({"id": "asked", "prompt": prompt, "grade": grade}), "utf-8")
    assert check(load_task(path)).problems == problems


def test_a_missing_case_lets_mutants_survive(check: Check, changed: Changed) -> None:
    """Without a case below the range, the clause for it can be dropped unseen."""
    result = check(changed(grade=cases(("(clamp 5 1 10)", "5"), ("(clamp 12 1 10)", "10"))))
    assert "clause ((< x low) low) -> nothing" in {s.mutant.id for s in result.survivors}


def test_few_caught_mutants_are_a_problem(check: Check, changed: Changed) -> None:
    """A task whose cases catch under 85 % of the mutants says how many it caught."""
    result = check(changed(grade=cases(("(clamp 5 1 10)", "5")), wrong=None))
    assert "of 19 mutants" in result.problems[0]
    assert result.problems[0].endswith("expected 85% or more")


def test_a_justified_mutant_is_no_survivor(check: Check, changed: Changed) -> None:
    """The list of equivalents takes its mutants out of the count, with its reason."""
    result = check(changed())
    why = {m.mutant.id: m.why for m in result.mutants if m.fate is Fate.EQUIVALENT}
    assert why["comparison (< x low) -> (<= x low)"] == "where x is low, both are the same number"


def test_an_equivalent_without_arrow_names_all_changes_of_a_form(
    check: Check, changed: Changed
) -> None:
    """One line can justify every mutant that an operator makes of one form."""
    entries = [
        {"mutant": "comparison (< x low)", "why": "same at the end"},
        {"mutant": "comparison (> x high)", "why": "same at the end"},
    ]
    assert check(changed(equivalent=entries)).survivors == ()


STALE = {
    "names no mutant": ("comparison (< y low) -> (<= y low)", "has no mutant"),
    "is caught": ("clause ((< x low) low) -> nothing", "caught by a case; take it off"),
}


@pytest.mark.parametrize(("mutant", "complaint"), STALE.values(), ids=STALE)
def test_a_stale_equivalent_is_a_problem(
    check: Check, changed: Changed, mutant: str, complaint: str
) -> None:
    """The list of equivalents must not outlive the mutants that it excuses."""
    data = yaml.safe_load(SAMPLE.read_text("utf-8"))["equivalent"]
    task = changed(equivalent=[*data, {"mutant": mutant, "why": "so they say"}])
    assert complaint in " ".join(check(task).problems)


def test_a_wrong_answer_that_passes_is_a_problem(check: Check, changed: Changed) -> None:
    """A wrong answer that no case catches is named by its reason."""
    code = "(define (clamp x low high) (max low (min x high)))"
    result = check(changed(wrong=[{"why": "is right after all", "code": code}]))
    assert result.problems == ("wrong answer (is right after all) passes",)


def test_a_failing_reference_is_reported_and_not_mutated(check: Check, changed: Changed) -> None:
    """Mutants of an answer that fails would prove nothing."""
    result = check(changed(reference="(define (clamp x low high) x)", equivalent=None))
    assert result.problems == (
        "the reference answer fails: wrong value: (clamp 12 1 10) gave 12, expected 10",
    )
    assert result.mutants == ()


def test_a_slow_reference_gets_the_full_time(check: Check, changed: Changed) -> None:
    """Where the reference itself takes long, its mutants are not caught by the clock alone."""
    slow = "(define (clamp x low high) (let loop ((n 8000000)) (if (> n 0) (loop (- n 1)) 5)))"
    task = changed(
        reference=slow, grade=cases(("(clamp 5 1 10)", "5")), wrong=None, equivalent=None
    )
    assert check(task, max_mutants=0).problems == ()


def test_a_value_has_nothing_to_mutate(check: Check, changed: Changed) -> None:
    """A value task is proven by its wrong answers alone."""
    task = changed(
        grade={"kind": "value", "equals": "(1 2)"},
        reference="(1 2)",
        wrong=[{"why": "a vector", "code": "[1 2]"}],
        equivalent=None,
    )
    result = check(task)
    assert (result.problems, result.n_caught, result.mutants) == ((), 2, ())


def test_only_a_strict_check_asks_for_more(check: Check, changed: Changed) -> None:
    """Few cases and wrong answers are allowed in a suite that is not held to our own rules."""
    assert check(changed(), max_mutants=0).problems == ()
    assert check(changed(), strict=True, max_mutants=0).problems == (
        "has 1 wrong answers, expected at least 3",
        "has 3 cases, expected at least 5",
    )


def test_the_equivalents_do_not_change_the_hash(changed: Changed) -> None:
    """A justification is about the proof: neither the question nor what passes has changed."""
    assert changed().task_hash == changed(equivalent=None).task_hash


def test_an_equivalent_needs_a_reason(changed: Changed) -> None:
    """An entry without `why` is a malformed task file."""
    with pytest.raises(TaskError, match=r"equivalent.*'why'"):
        changed(equivalent=[{"mutant": "comparison (< x low) -> (<= x low)"}])


def test_the_report_shows_survivors_and_sums(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A survivor is printed with file and line, operator, before and after; status 1."""
    path = tmp_path / "clamp.yaml"
    path.write_text(SAMPLE.read_text("utf-8").split("equivalent:")[0], "utf-8")
    assert main(["tasks", "check", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    line = 1 + path.read_text("utf-8").splitlines().index("    (cond ((< x low) low)")
    assert f"{path}:{line}: survives: comparison (< x low) -> (<= x low)" in lines
    assert lines[-2:] == [
        "the cases catch 90.5% of all mutants, expected 95% or more",
        "every reference answer passes",
    ]


def test_json_holds_every_mutant_and_its_fate(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` the whole proof can be read by a program; status 0 if it holds."""
    assert main(["tasks", "check", "--json", str(SAMPLE)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["mutants"]["n_caught"] == report["mutants"]["n"] == 19
    fates = [mutant["fate"] for mutant in report["tasks"][0]["mutants"]]
    assert (fates.count("caught"), fates.count("equivalent")) == (19, 2)


def test_mutants_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """`--no-mutants` checks the reference and the wrong answers only."""
    assert main(["tasks", "check", "--no-mutants", str(SAMPLE)]) == 0
    assert "n/a" in capsys.readouterr().out


def test_the_guide_s_example_holds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The task file that docs/write-a-task.md shows passes the check as it stands."""
    text = GUIDE.read_text("utf-8").split("```yaml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "leap-year.yaml").write_text(text, "utf-8")
    assert main(["tasks", "check", "--strict", str(tmp_path)]) == 0, capsys.readouterr().out
