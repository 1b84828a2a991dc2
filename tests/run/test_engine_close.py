"""How many items the engine keeps under way, and what is left of it once it is closed."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_sema_bench.catalog.models import REFERENCE, Model, RateLimits
from pytest_sema_bench.errors import CannotWrite, VMError
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.run.engine import Engine
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.run.plan import known_keys
from pytest_sema_bench.sema.vm.background import BackgroundVM
from pytest_sema_bench.settings import Config
from pytest_sema_bench.suite.task import Task, load_task, load_tasks
from tests.chat_server import HANG, ChatServer, Request, Step, after, call_tool, say, solve
from tests.engine_bench import TOOLS, EngineBench, wait_until
from tests.samples.double_task import RIGHT, write_double_task

pytestmark = pytest.mark.vm

SUITE = load_tasks(Path(__file__).parents[1] / "samples" / "bench_dir" / "tasks")
"""Four tasks: adding, palindrome, doubling, summing."""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task that asks for `(double n)`."""
    return load_task(write_double_task(tmp_path / "suite") / "double.yaml")


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test no process, no thread, no open loop and no complaint of asyncio is left.

    What is collected here and was not closed or awaited becomes a warning, and so an error.
    """
    processes, threads = set(psutil.Process().children()), set(threading.enumerate())
    yield
    gc.collect()
    servers = {thread for thread in threading.enumerate() if "run_forever" in thread.name}
    assert set(psutil.Process().children()) <= processes
    assert set(threading.enumerate()) - servers <= threads
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[Callable[..., EngineBench]]:
    """Make an engine that is closed at the end if the test did not."""
    benches: list[EngineBench] = []

    def make(**options: Any) -> EngineBench:
        benches.append(EngineBench(tmp_path / "runs" / str(len(benches)), **options))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


OpenBench = Callable[..., EngineBench]


@pytest.mark.parametrize("concurrency", [3, 20])
def test_items_are_under_way_up_to_the_limit(
    concurrency: int, open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """As many conversations as allowed wait for the server at once, and not one more."""
    chat_server.play([HANG])
    bench = open_bench(concurrency=concurrency)
    bench.engine.start([bench.item(task, chat_server.url) for _ in range(concurrency + 7)])
    wait_until(lambda: chat_server.n_in_flight == concurrency)
    time.sleep(0.1)
    assert chat_server.max_in_flight == chat_server.n_requests == concurrency


def test_the_time_of_a_conversation_holds_no_waiting_of_ours(
    open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """Those that are asked one after the other take together what all of it takes, and no more."""
    delay_s = 0.2
    chat_server.play([after(delay_s, say(RIGHT))])
    bench = open_bench(concurrency=4)
    items = [bench.item(task, chat_server.url) for _ in range(4)]
    one_by_one = replace(items[0].model, limits=RateLimits(concurrency=1))
    started = time.monotonic()
    bench.engine.start([replace(item, model=one_by_one) for item in items])
    records = [bench.engine.result(replace(item, model=one_by_one)) for item in items]
    elapsed_s = time.monotonic() - started
    assert all(record.latency_s >= delay_s for record in records)
    assert sum(record.latency_s for record in records) < 1.5 * elapsed_s
    assert max(record.waited_s for record in records) >= 3 * delay_s


def test_a_place_is_taken_again(open_bench: OpenBench, chat_server: ChatServer, task: Task) -> None:
    """Many items over few places all end, each with one record, and the limit holds."""
    chat_server.play(
        lambda request: after(0.02, call_tool("1") if request.turn == 0 else say(RIGHT))
    )
    bench = open_bench(concurrency=2)
    items = [bench.item(task, chat_server.url) for _ in range(12)]
    bench.engine.start(items)
    assert {bench.engine.result(item).outcome for item in items} == {"pass"}
    assert sorted(record.sample for record in bench.records) == list(range(1, 13))
    assert chat_server.max_in_flight == 2
    assert chat_server.n_connections <= 2


def test_items_start_in_order(open_bench: OpenBench, chat_server: ChatServer) -> None:
    """With one place one conversation comes after the other, in the order that was given."""
    chat_server.play(solve(SUITE))
    bench = open_bench(concurrency=1)
    items = [bench.item(task, chat_server.url) for task in SUITE]
    bench.engine.start(items)
    assert [bench.engine.result(item).outcome for item in items] == ["pass"] * 4
    asked = [(request.prompt, request.turn) for request in chat_server.requests]
    assert asked == [(task.full_prompt, turn) for task in SUITE for turn in (0, 1)]


def test_what_is_answered_is_graded_before_more_is_asked(
    open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """Verdicts do not lag behind answers: little is lost that was paid for, whenever a run dies."""
    slow = "```sema\n(let loop ((n 700000)) (if (> n 0) (loop (- n 1))))" + RIGHT[len("```sema") :]
    behind: list[int] = []

    def play(request: Request) -> Step:
        # One of the two that may be asked at once begins; the others have been, or are, answered.
        behind.append(chat_server.n_requests - 1 - len(bench.records))
        # Each another answer: what came of an equal one would be known.
        return say(slow.replace("700000", f"{700000 + chat_server.n_requests}"))

    bench = open_bench(concurrency=2)
    chat_server.play(play)
    items = [bench.item(task, chat_server.url) for _ in range(14)]
    bench.engine.start(items)
    assert all(bench.engine.result(item).passed for item in items)
    # Another one is asked, two may be graded, one or two have just been answered.
    assert max(behind) <= 5


def test_what_ends_together_shares_a_write(
    open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """What is due while the disk is busy is written at once after that; all of it is heard of."""
    writes: list[int] = []

    def slow_disk() -> None:
        writes.append(len(bench.records))
        time.sleep(0.5)

    bench = open_bench(before_keeping=slow_disk, concurrency=12)
    chat_server.play(lambda request: say(RIGHT))
    items = [bench.item(task, chat_server.url) for _ in range(12)]
    bench.engine.start(items)
    assert all(bench.engine.result(item).passed for item in items)
    assert len(writes) < 6
    assert len(bench.records) == 12


def test_close_keeps_what_was_finished_while_a_server_hangs(
    open_bench: OpenBench, chat_server: ChatServer
) -> None:
    """Finished items have whole records, the others none, and nobody waits for the server."""
    right = solve(SUITE)

    def play(request: Request) -> Step:
        return right(request) if "palindrome" in request.prompt else HANG

    chat_server.play(play)
    bench = open_bench()
    items = {task.slug: bench.item(task, chat_server.url) for task in SUITE}
    bench.engine.start(list(items.values()))
    finished = bench.engine.result(items["palindrome"])
    wait_until(lambda: chat_server.n_in_flight == 3)
    bench.close()
    assert bench.records == (finished,)
    assert finished.outcome is Outcome.PASS
    wait_until(lambda: chat_server.n_in_flight == 0)
    with pytest.raises(CancelledError):
        bench.engine.result(items["adding"])


def test_close_ends_a_program_that_runs_for_ever(
    open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """An evaluation in the middle of its work is cut short, in a tool and in grading."""
    loop = "(let loop ((xs '())) (loop (cons 1 xs)))"
    chat_server.play(
        lambda request: call_tool(loop) if request.n_before else say(f"```sema\n{loop}\n```")
    )
    bench = open_bench()
    bench.engine.start([bench.item(task, chat_server.url) for _ in range(2)])
    wait_until(lambda: chat_server.n_requests == 2)
    bench.close()
    assert bench.records == ()


@pytest.mark.parametrize("n_items", [1, 40])
def test_close_before_anything_began(
    n_items: int, open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """Items that never got their turn vanish without a warning."""
    chat_server.play([HANG])
    bench = open_bench(concurrency=2)
    bench.engine.start([bench.item(task, chat_server.url) for _ in range(n_items)])
    bench.close()
    assert bench.records == ()


def test_close_waits_for_a_record_that_is_being_written(
    open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """An item with a verdict is finished: its record is on disk when close returns."""
    writing = threading.Event()

    def slow_disk() -> None:
        writing.set()
        time.sleep(0.2)

    chat_server.play([say(RIGHT)])
    bench = open_bench(before_keeping=slow_disk)
    item = bench.item(task, chat_server.url)
    bench.engine.start([item])
    assert writing.wait(60)
    bench.close()
    assert [record.outcome for record in bench.records_of(item)] == ["pass"]


def test_a_disk_that_is_full_ends_everything(
    open_bench: OpenBench, chat_server: ChatServer, task: Task
) -> None:
    """What is under way is cancelled and nothing more is asked: nobody could keep the answer."""
    faults = [OSError("no space left on device")]

    def full_disk() -> None:
        if faults:
            raise faults.pop()

    chat_server.play(lambda request: say(RIGHT) if chat_server.n_requests == 1 else HANG)
    bench = open_bench(before_keeping=full_disk, concurrency=2)
    items = [bench.item(task, chat_server.url) for _ in range(6)]
    bench.engine.start(items)
    for item in items:
        with pytest.raises(CannotWrite, match="no space left on device"):
            bench.engine.result(item)
    assert chat_server.n_requests <= 3
    with pytest.raises(CannotWrite):
        bench.ask(task, chat_server.url)
    assert bench.records == ()


def test_close_can_be_repeated(open_bench: OpenBench) -> None:
    """A second time there is nothing to do."""
    bench = open_bench()
    bench.engine.close()
    bench.engine.close()


def test_an_engine_whose_vm_does_not_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Node the user learns so before anything is paid for."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(VMError, match="no `node` on PATH"):
        Engine(RunFolder(tmp_path), BackgroundVM("wasm", n_hosts=1), concurrency=1)


def test_a_vm_that_started_ahead_ends_unused() -> None:
    """A run that is refused after all, or has nothing to ask, leaves no process and no thread."""
    BackgroundVM("wasm", n_hosts=1).close()
    started = BackgroundVM("wasm", n_hosts=1)
    assert started.info.backend == "wasm"
    started.close()
    started.close()


def test_several_engines_at_once_do_not_disturb_each_other(
    open_bench: OpenBench, chat_server: ChatServer
) -> None:
    """Closing one leaves the other at work."""
    chat_server.play(solve(SUITE))
    first, second = open_bench(), open_bench()
    assert first.ask(SUITE[0], chat_server.url).outcome is Outcome.PASS
    first.close()
    assert second.ask(SUITE[0], chat_server.url).outcome is Outcome.PASS


def test_an_item_is_named_as_in_pytest(task: Task) -> None:
    """The first sample has no suffix."""
    model = Model(name=REFERENCE, id=REFERENCE, provider="offline", base_url=None)
    first = WorkItem(task=task, model=model, config=TOOLS)
    second = WorkItem(task=task, model=model, config=TOOLS, sample=2)
    assert (first.name, second.name) == ("double[reference-tools]", "double[reference-tools-s2]")


def test_the_key_of_an_item_is_a_hash_of_all_that_is_asked(task: Task) -> None:
    """Equal questions have equal keys; another model, configuration or sample has another."""
    model = Model(name="a", id="a", provider="p", base_url="http://a")
    item = WorkItem(task=task, model=model, config=TOOLS)
    renamed = Model(name="b", id="a", provider="p", base_url="http://b")
    assert WorkItem(task=task, model=renamed, config=TOOLS).key == item.key
    others = [
        WorkItem(task=SUITE[0], model=model, config=TOOLS),
        WorkItem(task=task, model=Model(name="a", id="b", provider="p", base_url=""), config=TOOLS),
        WorkItem(task=task, model=Model(name="a", id="a", provider="q", base_url=""), config=TOOLS),
        WorkItem(task=task, model=model, config=Config(name="tools")),
        WorkItem(task=task, model=model, config=TOOLS, sample=2),
    ]
    assert len({item.key, *(other.key for other in others)}) == 6


def test_known_keys_are_those_of_the_models_that_are_set() -> None:
    """Each key once; a model without one, or whose key is not set, adds nothing."""
    models = [
        Model(name="m", id="m", provider="p", base_url="http://m", key_env=key_env)
        for key_env in ("ONE", "ONE", "TWO", "EMPTY", None)
    ]
    environment = {"ONE": "1111", "EMPTY": "", "OTHER": "secret"}
    assert known_keys(models, environment) == ("1111",)
