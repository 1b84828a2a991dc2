"""A run without pytest: opened, asked, confirmed and closed; made here or joined."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pytest_sema_bench.catalog.models import REFERENCE
from pytest_sema_bench.errors import BenchError, SettingsError, StopAsked, TaskError
from pytest_sema_bench.gate.verdict import Confirmation
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.identity import Setup, TaskKey
from pytest_sema_bench.records.outcome import Outcome, Void
from pytest_sema_bench.records.reader import read_items, read_manifest, read_records
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.plan import Plan, make_plan
from pytest_sema_bench.run.run import Run, join_run, make_run
from pytest_sema_bench.settings import Settings
from pytest_sema_bench.suite.task import Task, load_tasks
from tests.chat_server import HANG, ChatServer, say
from tests.samples.many_tasks import write_sums
from tests.samples.record import RECORD

STARTED = 1_767_225_600.0
pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, ...]:
    """Three sums."""
    return load_tasks(write_sums(tmp_path_factory.mktemp("suite") / "tasks", 3))


@pytest.fixture
def plan(tasks: tuple[Task, ...], tmp_path: Path) -> Plan:
    """The reference model is asked all of them."""
    settings = Settings(models=(REFERENCE,), tasks=tasks[0].path.parent, confirm=2)
    return make_plan(settings, tmp_path)


@pytest.fixture
def run(plan: Plan, tmp_path: Path) -> Iterator[Run]:
    """A new run, closed at the end."""
    run = make_run(plan, tmp_path / "reports", STARTED)
    yield run
    run.close()


def items_of(plan: Plan, tasks: tuple[Task, ...]) -> list[WorkItem]:
    """What the plan asks."""
    return [item for task in tasks for item in plan.items(task)]


def test_a_run_asks_and_keeps(run: Run, tasks: tuple[Task, ...]) -> None:
    """Each item has one record on disk, and run.json says what was to be done."""
    items = items_of(run.plan, tasks)
    run.open(items)
    run.ask(items)
    records = [run.result(item) for item in items]
    assert all(record.passed for record in records)
    assert sorted(read_records(run.folder.path), key=lambda r: r.task) == records
    assert read_manifest(run.folder.path).begun == ("2026-01-01T00:00:00+00:00",)
    assert [planned.key for planned in read_items(run.folder.path)] == [i.key for i in items]


def test_nothing_is_made_before_a_run_is_opened(run: Run, tasks: tuple[Task, ...]) -> None:
    """Nor can anything be asked; a run that asks nothing leaves nothing."""
    with pytest.raises(BenchError, match="the run has not begun"):
        run.result(items_of(run.plan, tasks)[0])
    assert not run.folder.path.parent.exists()
    run.open([])
    assert run.folder.path.is_dir()
    run.close()
    assert not run.folder.path.parent.exists()


def test_a_run_that_cannot_be_opened_says_why_each_time(run: Run, tasks: tuple[Task, ...]) -> None:
    """Who waits for an item hears what was wrong at the beginning."""
    items = items_of(run.plan, (replace(tasks[0], reference=None),))
    for attempt in (lambda: run.open(items), lambda: run.result(items[0])):
        with pytest.raises(BenchError, match="has no `reference`"):
            attempt()
    assert not run.began


def test_a_task_id_is_taken_once(run: Run, tasks: tuple[Task, ...], tmp_path: Path) -> None:
    """The same file may come again, another with its id may not."""
    run.add_task(tasks[0])
    run.add_task(tasks[0])
    with pytest.raises(TaskError, match=f"is taken by {tasks[0].path}"):
        run.add_task(replace(tasks[0], path=tmp_path / "other.yaml"))


def test_a_process_that_joins_asks_what_others_have_left(
    run: Run, tasks: tuple[Task, ...], tmp_path: Path
) -> None:
    """It writes to a file of its own; verdicts that are there already are not asked again."""
    first, second, third = items_of(run.plan, tasks)
    run.open([])
    run.stop()
    record = replace(RECORD, key=first.key, task=first.task.id, outcome=Outcome.FAIL)
    void = replace(record, key=second.key, outcome=Outcome.VOID, reason=Void.API)
    kept, _ = run.folder.keep([(record, {}), (replace(void, task=second.task.id), {})])
    others = set(psutil.Process().children())
    joined = join_run(
        run.plan,
        run.folder.path,
        process="gw1",
        session=1,
        started=STARTED,
        n_processes=2,
        vm_info=run.vm_info,
    )
    joined.open([first, second, third])
    # The run has tried the VM: here nobody waits for it.
    assert set(psutil.Process().children()) == others
    assert joined.to_ask([first, second, third]) == [second, third]
    assert joined.result(first) == kept
    assert joined.result(second).passed
    joined.close()
    assert [r.key for r in read_records(run.folder.path)].count(second.key) == 2
    assert (run.folder.path / "records-gw1.jsonl").is_file()


def test_who_waits_hears_that_another_process_ends_the_run(
    tasks: tuple[Task, ...], tmp_path: Path, chat_server: ChatServer
) -> None:
    """Nobody waits for a server that hangs once the run is over."""
    chat_server.play([HANG])
    plan = make_plan(Settings(models=("m",), base_url=chat_server.url), tmp_path)
    run = make_run(plan, tmp_path / "reports", STARTED)
    item = next(plan.items(tasks[0]))
    run.open([item])
    RunFolder(run.folder.path).ask_to_stop()
    with pytest.raises(StopAsked):
        run.result(item)
    run.close()


def test_what_broke_is_asked_again_in_a_folder_of_its_own(
    run: Run, tasks: tuple[Task, ...]
) -> None:
    """As further samples, and as often as the settings say."""
    run.open(items_of(run.plan, tasks))
    run.stop()
    broken = TaskKey(tasks[1].id, Setup(REFERENCE, "tools"))
    assert run.confirm([broken]) == (Confirmation(task=broken, n_pass=2, n_graded=2),)
    samples = [(r.task, r.sample) for r in read_records(run.folder.path / "confirm")]
    assert sorted(samples) == [(tasks[1].id, 2), (tasks[1].id, 3)]
    assert not list(run.folder.path.glob("records*"))


def test_two_processes_never_make_one_run(
    plan: Plan, tasks: tuple[Task, ...], tmp_path: Path, chat_server: ChatServer
) -> None:
    """Both may have found it free; who opens it second is told."""
    chat_server.play([say("Value: 0")])
    items = items_of(plan, tasks)
    first = make_run(plan, tmp_path / "reports", STARTED)
    first.open(items)
    first.close()
    resuming = replace(plan, settings=replace(plan.settings, resume=first.folder.path.name))
    second, third = (make_run(resuming, tmp_path / "reports", STARTED + n) for n in (1, 2))
    second.open(items)
    with pytest.raises(SettingsError, match="is still under way"):
        third.open(items)
    third.close()
    second.close()
