"""`kill -9` at any moment costs what was in flight and nothing else."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.reader import read_records, settled
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.suite.task import Task, load_tasks
from tests.chat_server import ChatServer, Request, Step, after, say, solve
from tests.plugin.bench_dir import LONGEST_S, BenchDir, first_worker, timeless, wait_until
from tests.samples.many_tasks import write_sums

N_TASKS = 48
WRONG_TASKS = ("L1-07-adding-7", "L1-30-adding-30")
PROCESSES: dict[str, tuple[int, *tuple[str, ...]]] = {
    "one process": (5, "-p", "no:xdist"),
    "three workers": (3, "-n3"),
}
"""How often a run is killed, and its arguments."""


class Prey:
    """A suite of many small tasks, a server that counts by task, and runs that are killed."""

    def __init__(self, bench_dir: BenchDir, server: ChatServer, *args: str) -> None:
        self.bench_dir = bench_dir
        self.tasks = load_tasks(write_sums(bench_dir.path / "many", N_TASKS))
        self.server = server
        self._id_by_prompt = {task.full_prompt: task.id for task in self.tasks}
        self.args = ("--sema-tasks=many", "--sema-concurrency=3", *args)
        server.play(self._script(self.tasks))

    def _script(self, tasks: tuple[Task, ...]) -> Callable[[Request], Step]:
        right = solve(tasks)

        def play(request: Request) -> Step:
            wrong = request.turn and self._id_by_prompt[request.prompt] in WRONG_TASKS
            return after(0.03, say("Value: 1") if wrong else right(request))

        return play

    def finish(self, *args: str) -> pytest.RunResult:
        """How a run ends that nobody disturbs."""
        return self.bench_dir.ask(self.server, *self.args, *args)

    def kill_after(self, n_requests: int, delay_s: float, *args: str) -> bool:
        """Start a run and kill all its processes so many requests later; whether it still ran."""
        wanted = self.server.n_requests + n_requests
        asking = self.bench_dir.asking(self.server)
        run = self.bench_dir.start(*asking, *self.args, *args)
        wait_until(lambda: self.server.n_requests >= wanted or run.poll() is not None)
        time.sleep(delay_s)
        ran = run.poll() is None
        kill_tree(psutil.Process(run.pid))
        run.wait()
        return ran

    @property
    def finished(self) -> dict[str, Record]:
        """The verdicts on disk, by task."""
        if not any(self.bench_dir.path.glob("reports/*/")):
            return {}
        kept = settled(read_records(self.bench_dir.run_folder))
        return {record.task: record for record in kept if record.graded}

    def begun(self, since: int) -> Counter[str]:
        """How often each task was begun, in the requests from that number on."""
        requests = self.server.requests[since:]
        return Counter(self._id_by_prompt[r.prompt] for r in requests if r.turn == 0)


def kill_tree(process: psutil.Process) -> None:
    """Kill a process and all below it, the parents first, so that none can react."""
    try:
        processes = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in processes:
        with suppress(psutil.NoSuchProcess):  # it ended with its parent
            one.kill()
    psutil.wait_procs(processes, timeout=LONGEST_S)


@pytest.mark.parametrize("processes", PROCESSES)
def test_a_run_killed_again_and_again_ends_as_if_undisturbed(
    bench_dir: BenchDir, chat_server: ChatServer, processes: str
) -> None:
    """Each `--sema-resume` goes on where the disk stands, and asks no finished item again.

    No record leads to a conversation that is not there.
    """
    n_kills, *arguments = PROCESSES[processes]
    prey = Prey(bench_dir, chat_server, *arguments)
    moments = random.Random(processes)
    n_killed = 0
    for _ in range(n_kills):
        finished, since = prey.finished, chat_server.n_requests
        n_requests, delay_s = moments.randint(0, 10), moments.random() / 10
        n_killed += prey.kill_after(n_requests, delay_s, "--sema-resume")
        begun = prey.begun(since)
        assert set(begun) & set(finished) == set()
        assert set(begun.values()) <= {1}
        assert set(finished) <= set(prey.finished)
        for record in read_records(bench_dir.run_folder) if prey.finished else ():
            talk = read_transcript(bench_dir.run_folder, str(record.transcript))
            assert talk["record"] == record.key
    assert n_killed >= n_kills - 2
    finished, since = prey.finished, chat_server.n_requests
    last = prey.finish("--sema-resume")
    assert last.ret == pytest.ExitCode.TESTS_FAILED
    last.assert_outcomes(passed=N_TASKS - len(WRONG_TASKS), failed=len(WRONG_TASKS))
    assert set(prey.begun(since)) == {task.id for task in prey.tasks} - set(finished)
    assert len(list(bench_dir.path.glob("reports/*/run.json"))) == 1
    undisturbed = prey.finish()
    assert timeless(last) == timeless(undisturbed)


def test_a_half_written_last_line_is_dropped_with_a_note(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """The item of the torn line is asked again, the others are kept."""
    prey = Prey(bench_dir, chat_server, "-p", "no:xdist")
    run = bench_dir.start(*bench_dir.asking(chat_server), *prey.args)
    wait_until(lambda: bool(prey.finished))
    assert run.poll() is None
    kill_tree(psutil.Process(run.pid))
    run.wait()
    (path,) = bench_dir.run_folder.glob("records*.jsonl")
    whole = path.read_bytes()[:-1]
    start = whole.rfind(b"\n") + 1
    torn = Record.from_json(whole[start:].decode())
    # Half a character, too.
    path.write_bytes(whole[: (start + len(whole)) // 2] + "é".encode()[:1])
    finished, since = prey.finished, chat_server.n_requests
    assert torn.task not in finished
    result = prey.finish("--sema-resume")
    note = f"*{len(finished)} verdicts are kept; the half-written last line of {path.name} is *"
    result.stdout.fnmatch_lines([note])
    result.assert_outcomes(passed=N_TASKS - len(WRONG_TASKS), failed=len(WRONG_TASKS))
    assert set(prey.begun(since)) == {task.id for task in prey.tasks} - set(finished)
    assert set(prey.begun(since).values()) == {1}


# A worker has 16 items of two requests each: after 24 of all together none can be done.
@pytest.mark.parametrize("n_requests", [1, 24])
def test_a_killed_worker_of_three_costs_what_it_had_in_flight(
    bench_dir: BenchDir, chat_server: ChatServer, n_requests: int
) -> None:
    """The others take its items over, finished ones are not asked again, a resume completes it."""
    prey = Prey(bench_dir, chat_server, "-n3")
    run = bench_dir.start(*bench_dir.asking(chat_server), *prey.args)
    wait_until(lambda: chat_server.n_requests >= n_requests)
    worker = first_worker(run.pid)
    worker.suspend()
    finished, since = prey.finished, chat_server.n_requests
    worker.kill()
    assert run.wait(timeout=LONGEST_S) == pytest.ExitCode.TESTS_FAILED
    assert set(prey.begun(since)) & set(finished) == set()
    assert "crashed" in " ".join(bench_dir.output)
    assert N_TASKS - 3 <= len(prey.finished) <= N_TASKS
    finished, since = prey.finished, chat_server.n_requests
    if len(finished) < N_TASKS:  # what it was busy with may have had its record already
        prey.finish("--sema-resume").assert_outcomes(passed=N_TASKS - 2, failed=2)
        assert set(prey.begun(since)) == {task.id for task in prey.tasks} - set(finished)


def test_the_replacement_of_a_killed_worker_keeps_its_items_under_way(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """It is told what it takes over, and does not ask one item after the other."""
    prey = Prey(bench_dir, chat_server, "-n1")
    chat_server.play(solve(prey.tasks, delay_s=0.5))
    run = bench_dir.start(*bench_dir.asking(chat_server), *prey.args)
    wait_until(lambda: chat_server.n_requests >= 1)
    first_worker(run.pid).kill()
    wait_until(lambda: chat_server.n_in_flight == 0)
    chat_server.max_in_flight = 0
    assert run.wait(timeout=LONGEST_S) == pytest.ExitCode.TESTS_FAILED
    assert chat_server.max_in_flight == 3
