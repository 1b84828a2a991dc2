"""The baseline file: what it holds, that it comes back, and what a broken one says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.gate.baseline import baseline_text, read_baseline, write_baseline
from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.records.suite import SuiteId
from tests.samples.outcomes import records_of, results_from, results_of

TASKS = {"L2-01-list": "pf", "L1-02-map": "fv", "L1-01-list": "vv"}


def two_models() -> Results:
    """Two models, one of which did a single task."""
    records = [*records_of(TASKS), *records_of({"L1-02-map": "p"}, model="n")]
    return results_from(records, source="reports/r1", run="r1", date="2026-11-24T03:00:00+00:00")


def test_a_baseline_comes_back_as_it_went(tmp_path: Path) -> None:
    """Outcomes, reasons, hashes, VM and grader are those of the run; so is what it took."""
    results = two_models()
    path = tmp_path / "new" / "b.json"
    write_baseline(path, results)
    back = load_results(path)
    assert (back.run, back.date, back.source) == (results.run, results.date, str(path))
    for before, after in zip(results.groups, back.groups, strict=True):
        assert before.name == after.name
        for task, other in zip(before.tasks, after.tasks, strict=True):
            assert task.task == other.task
            assert [s.outcome for s in task.samples] == [s.outcome for s in other.samples]
            assert task.reasons == other.reasons
            assert task.task_hash == other.task_hash
            assert not task.graded or (task.vm, task.grader) == (other.vm, other.grader)
        graded = [task.task for task in before.tasks if task.graded]
        assert after.usage(graded) == before.usage(graded)


def test_each_task_has_a_line_and_lines_are_sorted() -> None:
    """A changed baseline is a diff of the tasks that changed."""
    lines = baseline_text(two_models()).splitlines()
    tasks = [line.split('"')[1] for line in lines if line.startswith('  "L')]
    assert tasks == ["L1-01-list", "L1-02-map", "L2-01-list"]
    other = results_from(records_of({**TASKS, "L2-01-list": "pp"}))
    before = baseline_text(results_from(records_of(TASKS)))
    changed = set(before.splitlines()) ^ set(baseline_text(other).splitlines())
    assert {line.split('"')[1] for line in changed if line.startswith('  "L')} == {"L2-01-list"}


def test_it_is_small() -> None:
    """Sixty tasks of six models and three samples fit in 40 KB."""
    tasks = {f"L1-{n:02}-some-longer-name": "pfp" for n in range(60)}
    records = [r for m in range(6) for r in records_of(tasks, model=f"model-{m}")]
    text = baseline_text(results_from(records))
    assert len(text) < 40_000


def test_it_names_its_suite(tmp_path: Path) -> None:
    """Name, version, hash and the order of the levels come back."""
    suite = SuiteId(name="steps", version=3, hash="abc")
    results = replace(results_of({"L1-01-list": "p"}), suite=suite, levels=("L2", "L1"))
    write_baseline(tmp_path / "base.json", results)
    read = read_baseline(tmp_path / "base.json")
    assert (read.suite, read.levels) == (suite, ("L2", "L1"))


def test_a_baseline_from_before_there_were_suites_is_read(tmp_path: Path) -> None:
    """Format 1 had a hash of the tasks for a suite, and numbers for levels."""
    text = baseline_text(results_of({"L2-01-list": "p"}))
    old = text.replace('baseline": 2', 'baseline": 1').replace('"suite": null', '"suite": "3f1c"')
    (tmp_path / "old.json").write_text(old.replace('"level": "L2"', '"level": 2'))
    read = read_baseline(tmp_path / "old.json")
    assert read.suite is None
    assert read.groups == read_baseline_of(text, tmp_path).groups
    assert read.groups[0].tasks[0].level == "L2"


def read_baseline_of(text: str, folder: Path) -> Results:
    """The results of a baseline file with this text."""
    (folder / "base.json").write_text(text)
    return read_baseline(folder / "base.json")


MIXED = {
    "two VMs": ({"vm": "wasm 0"}, "m-tools was graded by different VMs"),
    "two graders": ({"grader": 2}, "different versions of the grader"),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_run_graded_in_two_ways_is_refused(name: str) -> None:
    """The message says which command makes it one."""
    fields, message = MIXED[name]
    first, second = records_of({"L1-01-list": "p", "L1-02-map": "p"})
    groups = group_records([first, replace(second, **fields)])  # type: ignore[arg-type]
    with pytest.raises(BenchError, match=message) as caught:
        baseline_text(Results(source="reports/r1", groups=groups))
    assert "sema-bench regrade reports/r1" in str(caught.value)


def test_models_that_share_a_name_are_refused() -> None:
    """`a-b` with `c` and `a` with `b-c` would be one column."""
    tasks = {"L1-01-list": "p"}
    records = [
        *records_of(tasks, model="a-b", config="c"),
        *records_of(tasks, model="a", config="b-c"),
    ]
    with pytest.raises(BenchError, match="two models are shown by one name"):
        baseline_text(results_from(records))


def test_hostile_names_of_tools_stay_visible() -> None:
    """A model chooses what tool it calls; the file is reviewed as plain ASCII."""
    records = records_of({"L1-01-list": "p"}, tool_calls={"\u202e\x1b[31m\ud800": 1})
    text = baseline_text(results_from(records))
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


def test_nothing_graded_is_nothing_to_keep() -> None:
    """A run of void items is no baseline."""
    with pytest.raises(BenchError, match="nothing was graded"):
        baseline_text(results_of({"L1-01-list": "v"}))


OLD_RUN = Path(__file__).parent.parent / "samples" / "old_run"
BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off": (lambda text: text[:-20], r":\d+: not JSON"),
    "a merge's marks": (
        lambda text: text.replace(' "tasks"', '<<<<<<< HEAD\n "tasks"'),
        r":\d+: not JSON.*a merge left its marks",
    ),
    "another file": (lambda text: '{"a": 1}', ":1: no baseline"),
    "a list": (lambda text: "[]", ":1: no baseline"),
    "a newer format": (
        lambda text: text.replace('baseline": 2', 'baseline": 9'),
        ":2: format 9; this version reads 1",
    ),
    "a task twice": (
        lambda text: text.replace('"L1-02-map"', '"L1-01-list"'),
        "'L1-01-list' stands there twice",
    ),
    "an unknown outcome": (
        lambda text: text.replace('"fail: wrong value"', '"maybe"', 1),
        r":\d+: not a task's entry",
    ),
    "an unknown model": (
        lambda text: text.replace('"n-tools": [', '"o-tools": ['),
        ":1[0-9]: 'o-tools' is not among the models m-tools, n-tools",
    ),
    "no tasks": (lambda text: text.replace('"tasks"', '"task"'), 'expected "models"'),
    "a task without results": (
        lambda text: text.replace('"results"', '"result"', 1),
        ':1[0-9]: not a task\'s entry: expected "results"',
    ),
    "a model without a name": (
        lambda text: text.replace('"model": "m"', '"mode": "m"'),
        "not a model's entry",
    ),
    "a task without samples": (
        lambda text: text.replace('["void: api error", "void: api error"]', "[]"),
        r":\d+: not a task's entry: .*no samples",
    ),
    "a cost that is none": (
        lambda text: text.replace('"cost_usd": ', '"cost_usd": "much", "x": ', 1),
        r":7: not a model's entry: .*'much' is no number",
    ),
    "not text": (lambda text: "\udcff", "not a baseline"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_where(name: str, tmp_path: Path) -> None:
    """File, line and what is wrong there."""
    spoil, message = BROKEN[name]
    path = tmp_path / "b.json"
    text = spoil(baseline_text(two_models()))
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BenchError, match=message) as caught:
        read_baseline(path)
    assert str(caught.value).startswith(f"{path}:")


def test_a_baseline_of_an_older_version_can_be_read() -> None:
    """It says of each task what the run says that it was saved from."""
    saved, run = load_results(OLD_RUN / "baseline.json"), load_results(OLD_RUN)
    (comparison,) = compare(saved, run).comparisons
    assert (len(comparison.pairs), comparison.left_out) == (4, ())
    assert saved.groups[0].setup == run.groups[0].setup
    assert {task.n_pass for task in saved.groups[0].tasks} == {1}
