"""What a run is held to, and the verdict on a run folder; pytest's side is in tests/plugin."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.gate.baseline import write_baseline
from pytest_sema_bench.gate.policy import Judge, confirmations
from pytest_sema_bench.gate.task_results import Group, Results, group_records
from pytest_sema_bench.gate.verdict import Confirmation, GateOutcome
from pytest_sema_bench.records.identity import Setup, TaskKey
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.report.gate import judgement_lines
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.settings import Config, Settings
from pytest_sema_bench.suite.task import Task, load_tasks
from tests.samples.many_tasks import write_sums
from tests.samples.outcomes import SETUP, group_of, records_of, tasks_of, write_run

TASKS = Path(__file__).parents[1] / "samples" / "bench_dir" / "tasks"


def judge_by(
    baseline: Path | None = None, *, subset: bool = False, alone: bool = True, **settings: object
) -> Judge:
    """The judge of these settings."""
    given = Settings(models=("m",), baseline=baseline, baseline_new=True, **settings)  # type: ignore[arg-type]
    judge = Judge.of(given, TASKS, subset=subset, alone=alone)
    assert judge is not None
    return judge


def save(folder: Path, *groups: Group) -> Path:
    """A baseline file."""
    write_baseline(folder / "base.json", Results(source="made up", groups=groups))
    return folder / "base.json"


def test_without_a_rule_there_is_no_judge() -> None:
    """The switch and further runs are no rules of their own."""
    settings = Settings(models=("m",), gate=False, confirm=3)
    assert Judge.of(settings, TASKS, subset=False, alone=True) is None


RULES = {
    "a floor": {"fail_under": 50.0},
    "a floor of nothing": {"fail_under": 0.0},
    "a must-pass task": {"must_pass": "palindrome or L5"},
    "a baseline to come": {"baseline": Path("not-yet.json"), "baseline_new": True},
}


@pytest.mark.parametrize("settings", RULES.values(), ids=RULES)
def test_any_rule_makes_a_judge(settings: dict[str, object]) -> None:
    """Each alone is enough, and a baseline need not exist yet."""
    given = Settings(models=("m",), **settings)  # type: ignore[arg-type]
    judge = Judge.of(given, TASKS, subset=False, alone=True)
    assert judge is not None
    assert judge.baseline is None


def test_a_name_that_no_task_has_is_refused() -> None:
    """Before anything is paid for."""
    with pytest.raises(SettingsError, match="palindrone"):
        judge_by(must_pass="palindrone")


def test_a_broken_baseline_is_named_with_option_file_and_line(tmp_path: Path) -> None:
    """As a mistake in the settings, which is what pytest turns into a usage error."""
    path = tmp_path / "base.json"
    path.write_text('{\n "sema-bench baseline": 1,\n oops\n}\n')
    with pytest.raises(SettingsError) as caught:
        judge_by(path)
    assert str(caught.value).startswith(f"--sema-baseline: {path}:3: not JSON: ")


@pytest.fixture
def sums(tmp_path: Path) -> tuple[Task, ...]:
    """Eight small tasks."""
    return load_tasks(write_sums(tmp_path / "sums", 8))


def item(task: Task, model: str = "m", config: str = "tools") -> WorkItem:
    """The task for this model."""
    asked = Model(name=model, id=model, provider="p", base_url=None)
    return WorkItem(task=task, model=asked, config=Config(name=config), sample=1)


def group_as_asked(tasks: tuple[Task, ...], words: str, **names: str) -> Group:
    """Results of these very tasks, a word of samples for each."""
    group = group_of(dict(zip((task.id for task in tasks), words.split(), strict=True)), **names)
    hashes = {task.id: task.task_hash for task in tasks}
    results = (replace(result, task_hash=hashes[result.task]) for result in group.tasks)
    return replace(group, tasks=tuple(results))


BEFORE = {
    "p": False,
    "f": True,
    "v": None,
    "ffp": True,
    "fpp": False,
    "fp": False,
    "fvv": True,
    "pv": False,
}


def failed_before(judge: Judge, item: WorkItem) -> bool | None:
    """What the judge says of an item."""
    return judge.failed_before(TaskKey(item.task.id, item.item.setup), item.task.task_hash)


def test_a_task_failed_before_if_most_of_its_graded_samples_did(
    tmp_path: Path, sums: tuple[Task, ...]
) -> None:
    """A draw is no expectation of failure; void samples say nothing."""
    group = group_as_asked(sums, " ".join(BEFORE))
    judge = judge_by(save(tmp_path, group))
    assert [failed_before(judge, item(task)) for task in sums] == list(BEFORE.values())


def test_the_gate_switched_off_expects_nothing(tmp_path: Path, sums: tuple[Task, ...]) -> None:
    """Then pytest's report is what it would be without a baseline."""
    judge = judge_by(save(tmp_path, group_as_asked(sums, "f " * 8)), gate=False)
    assert failed_before(judge, item(sums[0])) is None
    assert not judge.decides


def test_another_version_of_a_task_is_not_expected_to_fail(
    tmp_path: Path, sums: tuple[Task, ...]
) -> None:
    """A task that was mended deserves a plain verdict."""
    judge = judge_by(save(tmp_path, group_as_asked(sums, "f " * 8)))
    assert failed_before(judge, item(replace(sums[0], task_hash="0123"))) is None


MODELS = {
    "the model itself": ("a", "tools", False),
    "the other one": ("b", "tools", True),
    "another configuration": ("a", "bare", None),
    "neither": ("c", "tools", None),
}


@pytest.mark.parametrize(("model", "config", "expected"), MODELS.values(), ids=MODELS)
def test_of_several_models_the_items_own_counts(
    tmp_path: Path, sums: tuple[Task, ...], model: str, config: str, expected: bool | None
) -> None:
    """No model is taken for another where there is a choice."""
    groups = (
        group_as_asked(sums, "p " * 8, model="a"),
        group_as_asked(sums, "f " * 8, model="b"),
    )
    judge = judge_by(save(tmp_path, *groups))
    assert failed_before(judge, item(sums[0], model, config)) is expected


def test_the_only_model_of_a_baseline_stands_for_any(
    tmp_path: Path, sums: tuple[Task, ...]
) -> None:
    """An old model and a new one are compared, so the old one's failures are expected."""
    judge = judge_by(save(tmp_path, group_as_asked(sums, "f " * 8, model="old")))
    assert failed_before(judge, item(sums[0], "new")) is True


def test_no_model_is_expected_to_fail_that_the_gate_will_not_compare(
    tmp_path: Path, sums: tuple[Task, ...]
) -> None:
    """A run of two models has no only one: the gate cannot tell, the report expects nothing."""
    path = save(tmp_path, group_as_asked(sums, "f " * 8, model="old"))
    judge = judge_by(path, alone=False)
    records = [r for m in ("new", "newer") for r in records_of({sums[0].id: "f"}, model=m)]
    judgement = judge.judge(read_run(write_run(tmp_path / "run", records)))
    assert judgement.verdict.outcome is GateOutcome.CANNOT_TELL
    assert failed_before(judge, item(sums[0], "new")) is None


def judged(
    folder: Path, base: str, run: str, *, state: str = "finished", **changes: object
) -> GateOutcome:
    """The outcome for a run of these letters, the baseline's tasks changed so."""
    groups = group_records(replace(r, **changes) for r in records_of(tasks_of(base)))  # type: ignore[arg-type]
    judge = judge_by(save(folder, *groups))
    path = write_run(folder / "run", records_of(tasks_of(run)), state=state)
    return judge.judge(read_run(path)).verdict.outcome


OUTCOMES = {
    "the same": ("p" * 8, "p" * 8, {}, GateOutcome.NO_EVIDENCE),
    "five broken": ("p" * 8, "fffffppp", {}, GateOutcome.REGRESSED),
    "five broken, one of eight void": ("p" * 8, "fffffppv", {}, GateOutcome.CANNOT_TELL),
    "another VM": ("p" * 8, "p" * 8, {"vm": "wasm 2"}, GateOutcome.CANNOT_TELL),
    "more than before": ("p" * 8, "p" * 12, {}, GateOutcome.NO_EVIDENCE),
    "stopped": ("p" * 8, "p" * 8, {"state": "incomplete"}, GateOutcome.INCOMPLETE),
    "stopped, five broken": ("p" * 8, "fffffppp", {"state": "incomplete"}, GateOutcome.REGRESSED),
}


@pytest.mark.parametrize(("base", "run", "changes", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_a_run_folder_is_judged(
    tmp_path: Path, base: str, run: str, changes: dict[str, str], outcome: GateOutcome
) -> None:
    """From what lies in the folder alone."""
    assert judged(tmp_path, base, run, **changes) is outcome


def test_a_part_on_purpose_is_judged_as_a_part(tmp_path: Path) -> None:
    """What -k left out does not count against the run."""
    base = save(tmp_path, group_of(tasks_of("p" * 8)))
    run = write_run(tmp_path / "run", records_of(tasks_of("p" * 4)))
    assert (
        judge_by(base, subset=True).judge(read_run(run)).verdict.outcome is GateOutcome.NO_EVIDENCE
    )


def test_what_broke_is_to_be_confirmed_where_the_test_fired(tmp_path: Path) -> None:
    """Newly broken tasks only, by model and configuration; nothing without an alarm."""
    judge = judge_by(save(tmp_path, group_of(tasks_of("p" * 9 + "f"))))
    alarm = judge.judge(read_run(write_run(tmp_path / "a", records_of(tasks_of("fffffffppf")))))
    broken = sorted(tasks_of("p" * 7))
    assert alarm.doubtful == tuple(TaskKey(task, SETUP) for task in broken)
    calm = judge.judge(read_run(write_run(tmp_path / "b", records_of(tasks_of("ffffpppppf")))))
    assert calm.doubtful == ()


def test_further_runs_are_counted_by_task() -> None:
    """Passes and verdicts; void ones are no verdicts."""
    records = records_of({"L1-00-list": "pfv", "L2-01-list": "v"})
    records += records_of({"L1-00-list": "p"}, model="other")
    assert sorted(confirmations(records), key=lambda entry: (entry.task.setup, entry.task)) == [
        Confirmation(task=TaskKey("L1-00-list", SETUP), n_pass=1, n_graded=2),
        Confirmation(task=TaskKey("L2-01-list", SETUP), n_pass=0, n_graded=0),
        Confirmation(task=TaskKey("L1-00-list", Setup("other", "tools")), n_pass=1, n_graded=1),
    ]


def test_a_first_run_is_offered_to_be_kept(tmp_path: Path) -> None:
    """Instead of a verdict that compares with nothing; broken rules are said all the same.

    The command can be pasted where a folder has a blank.
    """
    run = write_run(tmp_path / "my run", records_of(tasks_of("ppf")))
    path = tmp_path / "base line.json"
    judge = judge_by(path)
    lines = list(judgement_lines(judge, judge.judge(read_run(run))))
    assert lines[0] == "m-tools: 2 of 3 passed, 3 tasks"
    told = ["sema-bench", "baseline", "save", str(run), "-o", str(path)]
    assert shlex.split(lines[-1]) == told
    held = judge_by(path, fail_under=90.0)
    judgement = held.judge(read_run(run))
    assert judgement.verdict.exit_status == 1
    lines = list(judgement_lines(held, judgement))
    assert lines[0].startswith("gate: REGRESSED")
    assert "sema-bench baseline save" in lines[-1]
