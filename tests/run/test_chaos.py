"""The whole engine against a server that breaks a third of its replies."""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from pytest_sema_bench.catalog.models import Price
from pytest_sema_bench.chat import Patience
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.run.item import WorkItem
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_task, load_tasks
from tests.chaos_server import HARMLESS, MODEL, PASSING, Chaos
from tests.chat_server import ChatServer, Request, Step
from tests.engine_bench import KEY, KEY_NAME, EngineBench
from tests.samples.double_task import write_double_task

SEEDS = range(1, 1 + int(os.environ.get("SEMA_BENCH_CHAOS_SEEDS", "1")))
"""One by default; CI takes five."""
pytestmark = [pytest.mark.vm, pytest.mark.chaos]
HARDY = Patience(attempts=10, first_wait_s=0.001, longest_wait_s=0.02)
PRICE = Price(input_usd=1.0, output_usd=2.0)


@pytest.fixture(scope="module")
def tasks() -> tuple[Task, ...]:
    """The bundled suite."""
    return load_tasks(suite_folder())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBench]:
    """One engine for all seeds, sixteen conversations at once."""
    os.environ[KEY_NAME] = KEY
    path = tmp_path_factory.mktemp("runs") / "chaos"
    bench = EngineBench(path, patience=HARDY, concurrency=16)
    yield bench
    bench.close()
    del os.environ[KEY_NAME]


@pytest.fixture(scope="module")
def small_task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A task that is graded in milliseconds."""
    return load_task(write_double_task(tmp_path_factory.mktemp("suite")) / "double.yaml")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_fault_changes_a_verdict(
    bench: EngineBench,
    chat_server: ChatServer,
    tasks: tuple[Task, ...],
    seed: int,
) -> None:
    """With a third of the replies broken, each item has one record and passes as without."""
    chaos = Chaos(tasks, seed=seed)
    chat_server.play(chaos)
    items = [_sample(bench.item(task, chat_server.url, PRICE), seed) for task in tasks]
    bench.engine.start(items)
    returned = [bench.engine.result(item) for item in items]
    assert {r.task: (r.outcome, r.detail) for r in returned if r.outcome is not Outcome.PASS} == {}
    kept = [record for record in bench.records if record.sample == seed]
    assert sorted(record.task for record in kept) == sorted(task.id for task in tasks)
    assert {record.key for record in kept} == {item.key for item in items}
    assert chaos.violations == []
    assert sum(record.retries for record in kept) == sum(chaos.played[name] for name in PASSING)
    n_broken = sum(chaos.played.values())
    assert n_broken / chat_server.n_requests == pytest.approx(1 / 3, abs=0.1)


@pytest.mark.parametrize("name", [*HARMLESS, *PASSING, *MODEL])
def test_no_fault_alone_changes_a_verdict(
    bench: EngineBench, chat_server: ChatServer, small_task: Task, name: str
) -> None:
    """Each of them, twice in each place where it can come, leaves a right answer right."""
    chaos = Chaos([small_task], seed=0, rate=0.0)
    before = Counter[int]()

    def play(request: Request) -> Step:
        right = chaos(request)
        before[request.turn] += 1
        if name in MODEL:
            return MODEL[name] if request.turn < 2 else right
        if before[request.turn] > 2:
            return right
        return (HARMLESS | PASSING)[name](json.loads(right.payload))

    chat_server.play(play)
    record = bench.ask(small_task, chat_server.url, PRICE)
    assert (record.outcome, record.detail) == ("pass", None)
    assert record.retries == (4 if name in PASSING else 0)
    assert record.rounds == (2 if name in MODEL else 1)
    assert chaos.violations == []


def _sample(item: WorkItem, number: int) -> WorkItem:
    return dataclasses.replace(item, sample=number)
