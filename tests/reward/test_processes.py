"""The reward in the workers of a trainer: forked and spawned, with VM hosts that are killed."""

import json
import multiprocessing
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.pool import Pool
from pathlib import Path

import psutil
import pytest

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.grading.scoring import Scorer
from pytest_sema_bench.reward import process
from pytest_sema_bench.reward.scale import Mode, RewardSettings
from pytest_sema_bench.reward.trl import make_reward
from tests.samples.double_task import RIGHT, WRONG

pytestmark = pytest.mark.vm

Batch = tuple[RewardSettings, Sequence[str]]
N_BATCHES, N_IN_BATCH = 16, 8


def graded(batch: Batch) -> list[float | None]:
    """What a worker pays for a batch of answers to `double`."""
    settings, answers = batch
    return make_reward(settings)([], answers, task=["double"] * len(answers))


def host_pids(_: object = None) -> list[int]:
    """The VM hosts of this process."""
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if "host.mjs" in " ".join(_command(child))]


def _command(child: psutil.Process) -> list[str]:
    try:
        return child.cmdline()
    except psutil.Error:
        return []


def answers() -> list[str]:
    """Right, wrong and broken answers to `double`, each of them different."""
    made = []
    for number in range(N_BATCHES * N_IN_BATCH):
        body = ("(* 2 n)", "(* n n)", "(* 2 n", "(doubled n)")[number % 4]
        made.append(fenced(f"(define (double n) {body}) ; {number}"))
    return made


def batches(settings: RewardSettings) -> list[Batch]:
    """All answers, in batches."""
    made = answers()
    parts = [made[i : i + N_IN_BATCH] for i in range(0, len(made), N_IN_BATCH)]
    return [(settings, part) for part in parts]


@contextmanager
def workers(method: str, n: int) -> Iterator[Pool]:
    """A pool of workers that are let end by themselves, as trainers do it."""
    pool = multiprocessing.get_context(method).Pool(n)
    yield pool
    pool.close()
    pool.join()


@contextmanager
def killer() -> Iterator[Counter[int]]:
    """Kills VM hosts below this process, up to three of each worker, whose pids it counts.

    An answer is given up when it has lost four, so however slow the machine is, none may be lost.
    """
    killed, stop = Counter[int](), threading.Event()

    def kill() -> None:
        while not stop.wait(0.3):
            for pid in host_pids():
                try:
                    host = psutil.Process(pid)
                    worker = host.ppid()
                    if killed[worker] < 3:
                        host.kill()
                        killed[worker] += 1
                except psutil.Error:
                    pass

    thread = threading.Thread(target=kill)
    thread.start()
    yield killed
    stop.set()
    thread.join()


def wait_for_end(pids: Sequence[int]) -> None:
    """Return once these processes have ended; a minute is a fault."""
    _, alive = psutil.wait_procs([psutil.Process(p) for p in pids if psutil.pid_exists(p)], 60)
    assert alive == []


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_pay_what_grade_says_though_hosts_are_killed(
    rewards: RewardSettings, method: str
) -> None:
    """In forked and spawned workers no answer is lost, and none is 0.0 for a host's end."""
    settings = replace(rewards, mode=Mode.SCALE, n_hosts=1)
    expected = [{0: 1.0, 1: 0.3}.get(number % 4, 0.0) for number in range(len(answers()))]
    make_reward(settings)([], [RIGHT], task=["double"])  # the parent has a pool of its own
    with workers(method, 4) as pool, killer() as killed:
        found = [score for part in pool.map(graded, batches(settings), 1) for score in part]
        own = pool.map(host_pids, range(8), 1)
    assert found == expected
    assert killed.total() >= 3
    wait_for_end([pid for pids in own for pid in pids])
    assert make_reward(settings)([], [WRONG], task=["double"]) == [0.3]


def grade_in_a_fork(_: int) -> str:
    """What a scorer says that was made before this process was forked."""
    try:
        return str(SCORERS[0].grade("double", RIGHT).score)
    except BenchError as error:
        return str(error)


SCORERS: list[Scorer] = []


def test_a_scorer_from_before_a_fork_says_so(rewards: RewardSettings) -> None:
    """It would wait for ever for a thread that is not there."""
    with Scorer(Path(rewards.suites[0])) as scorer:
        SCORERS[:] = [scorer]
        with workers("fork", 1) as pool:
            (told,) = pool.map(grade_in_a_fork, [0])
        assert "make one in each process" in told
        assert scorer.grade("double", RIGHT).score == 1.0


def test_the_pool_ends_with_its_process(rewards: RewardSettings) -> None:
    """However that ends: by itself or killed, its hosts end too."""
    for ending in ("pass", "os.kill(os.getpid(), 9)"):
        pids, _ = ended(ending)
        assert pids
        wait_for_end(pids)


def test_a_forked_worker_holds_no_pipe_of_its_parents_hosts() -> None:
    """They end when the parent is killed, though the worker lives on and has pools of its own."""
    fork = (
        "child = os.fork()\n"
        "if not child:\n    sema_reward(*ASKED, ground_truth=TRUTH); time.sleep(600)\n"
        "print(child, flush=True); time.sleep(2); os.kill(os.getpid(), 9)"
    )
    pids, (child,) = ended(fork)
    worker = psutil.Process(int(child))
    try:
        assert pids
        wait_for_end(pids)
        assert worker.is_running()
        own = worker.children()
    finally:
        worker.kill()
    assert own
    wait_for_end([host.pid for host in own])


def ended(ending: str) -> tuple[list[int], list[str]]:
    """The VM hosts of a process that has paid a reward and then ended so, and what it printed."""
    code = (
        "import json, os, time; from tests.reward.test_processes import host_pids\n"
        "from pytest_sema_bench.reward.trl import sema_reward\n"
        "ASKED, TRUTH = ([], ['```sema\\n(+ 1 2)\\n```']), [{'value': '3'}]\n"
        "assert sema_reward(*ASKED, ground_truth=TRUTH) == [1.0]\n"
        f"print(json.dumps(host_pids()), flush=True)\n{ending}"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pids = json.loads(child.stdout.readline())
        rest = [] if ending == "pass" or "fork" not in ending else [child.stdout.readline()]
        child.wait(60)
    return pids, rest


def test_a_pool_can_be_closed_and_used_again(rewards: RewardSettings) -> None:
    """The next answer starts a new one."""
    reward = make_reward(rewards)
    assert reward([], [RIGHT], task=["double"]) == [1.0]
    own = host_pids()
    process.close()
    wait_for_end(own)
    assert reward([], [RIGHT], task=["double"]) == [1.0]
