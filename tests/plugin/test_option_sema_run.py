"""--sema-run: machines that share the work of a run in a database."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import pytest_sema_bench.gate.power  # noqa: F401 - numpy, which a process cannot load twice
from pytest_sema_bench.cache import CACHE_VARIABLE
from pytest_sema_bench.cli import main
from pytest_sema_bench.limits import account_of, open_ledger
from pytest_sema_bench.records.reader import RunData, read_records_file, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.suite.task import load_tasks
from tests.chat_server import ChatServer, Request, Step, after, refuse, say, solve
from tests.plugin.bench_dir import LONGEST_S, BenchDir, wait_until
from tests.plugin.test_kill import kill_tree
from tests.postgres_server import PostgresServer
from tests.samples.many_tasks import write_sums

N_TASKS = 40
WRONG = ("L1-07-adding-7", "L1-30-adding-30")
PACE = 6


def timeless_lines(run: Path) -> list[str]:
    """The summary below its title, without the last column, which holds seconds."""
    lines = (run / "summary.md").read_text().splitlines()[1:]
    return [line.rpartition("|")[0].rpartition("|")[0] or line for line in lines]


def cost_usd(run: RunData) -> float:
    """What its records have cost."""
    return sum(record.cost_usd or 0.0 for record in run.written)


def own_records(run: Path) -> list[Record]:
    """The records of what a machine has asked itself."""
    return [
        record
        for path in run.glob("records*.jsonl")
        if "elsewhere" not in path.name
        for record in read_records_file(path)
    ]


class Machines:
    """Machines, each a process group with a cache and a report folder of its own."""

    def __init__(self, bench_dir: BenchDir, server: ChatServer, database: PostgresServer) -> None:
        self.bench_dir = bench_dir
        self.server = server
        self.database = database
        self.tasks = load_tasks(write_sums(bench_dir.path / "many", N_TASKS))
        self._id_by_prompt = {task.full_prompt: task.id for task in self.tasks}
        (bench_dir.path / "sema-models.yaml").write_text(
            f"providers:\n  local: {{base_url: '{server.url}'}}\n"
            "models:\n  m:\n    provider: local\n    id: m\n"
            f"    price: {{input: 10, output: 10}}\n    limits: {{concurrency: {PACE}}}\n"
        )
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def play(self, delay_s: float) -> None:
        """Answer each task from its reference, but two of them wrongly."""
        right = solve(self.tasks)

        def step(request: Request) -> Step:
            wrong = request.turn and self._id_by_prompt[request.prompt] in WRONG
            return after(delay_s, say("Value: 1") if wrong else right(request))

        self.server.play(step)

    def arguments(self, name: str, *args: str) -> tuple[str, ...]:
        """Pytest's arguments on a machine."""
        return (
            *("--sema-model=m", "--sema-tasks=many", "--sema-run=big"),
            *(f"--sema-ledger={self.database.url.full}", f"--sema-report-dir={name}"),
            *args,
        )

    def start(self, name: str, *args: str) -> None:
        """Have a machine take part."""
        with (self.bench_dir.path / f"{name}.output").open("wb") as output:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "pytest", *self.arguments(name, *args)],
                cwd=self.bench_dir.path,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {CACHE_VARIABLE: str(self._cache(name))},
            )

    def _cache(self, name: str) -> Path:
        """A cache of its own, with the VM that is installed already."""
        cache = self.bench_dir.path / f"{name}.cache"
        cache.mkdir(exist_ok=True)
        for path in Path(os.environ[CACHE_VARIABLE]).iterdir():
            if "sqlite" not in path.name and not (cache / path.name).exists():
                (cache / path.name).symlink_to(path)
        return cache

    def output(self, name: str) -> str:
        """What a machine has printed."""
        return (self.bench_dir.path / f"{name}.output").read_text()

    def begun(self) -> Counter[str]:
        """How often each task was begun."""
        return Counter(self._id_by_prompt[r.prompt] for r in self.server.requests if r.turn == 0)

    def folders(self, name: str) -> list[Path]:
        """The run folders of a machine."""
        return list((self.bench_dir.path / name).glob("2*/"))

    @property
    def spent_usd(self) -> float:
        """What the ledger says."""
        ledger = open_ledger(self.database.url)
        state = ledger.book.state(account_of(Path(), "big"))
        ledger.close()
        assert state is not None
        return state.spent_usd

    def collect(self, name: str) -> Path:
        """The run folder that `sema-bench collect` makes."""
        target = self.bench_dir.path / "reports" / name
        target.parent.mkdir(exist_ok=True)
        assert main(["collect", self.database.url.full, "big", "-o", str(target)]) == 0
        return target


@pytest.fixture
def machines(
    bench_dir: BenchDir, chat_server: ChatServer, database: PostgresServer
) -> Iterator[Machines]:
    """Machines, of which none is left at the end."""
    machines = Machines(bench_dir, chat_server, database)
    yield machines
    for run in machines.running.values():
        if run.poll() is None:
            kill_tree(psutil.Process(run.pid))
            run.wait()


def test_three_machines_share_a_run(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    """Each item is asked once; each machine ends with the table of the whole run."""
    machines.play(delay_s=0.1)
    for name, *args in (("a", "-p", "no:xdist"), ("b", "-p", "no:xdist"), ("c", "-n2")):
        machines.start(name, *args)
    for name, run in machines.running.items():
        assert run.wait(timeout=LONGEST_S) == pytest.ExitCode.TESTS_FAILED, machines.output(name)
    assert set(machines.begun().values()) == {1}
    assert len(machines.begun()) == N_TASKS
    assert machines.server.max_in_flight <= PACE
    folders = [machines.folders(name)[0] for name in "abc"]
    whole = machines.collect("whole")
    tables = [timeless_lines(folder) for folder in (*folders, whole)]
    assert all(table == tables[0] for table in tables)
    assert len(read_run(whole).written) == N_TASKS
    for name in "abc":
        assert "2 failed, 38 passed" in machines.output(name)


def test_a_killed_machine_and_a_database_that_stops_cost_what_was_in_flight(
    machines: Machines,
) -> None:
    """Its items are asked again once its lease has lapsed; all others are asked once."""
    machines.play(delay_s=0.2)
    for name in "abc":
        machines.start(name, "-p", "no:xdist", "--sema-concurrency=3", "--sema-max-cost=100")
    folders = machines.bench_dir.path
    wait_until(lambda: all(any(folders.glob(f"{name}/2*/records*")) for name in "abc"))
    kill_tree(psutil.Process(machines.running["a"].pid))
    killed = len(machines.server.requests)
    machines.database.stop("immediate")
    time.sleep(3.0)
    machines.database.start()
    for name in "bc":
        assert machines.running[name].wait(timeout=LONGEST_S) == 1, machines.output(name)
        assert "2 failed, 38 passed" in machines.output(name)
        assert machines.output(name).count("nothing new is asked until it is back") == 1
    again = sum(machines.begun().values()) - N_TASKS
    assert set(machines.begun().values()) <= {1, 2}
    # Three conversations, and as many that had ended and were being written down.
    assert again <= 6
    assert machines.server.max_in_flight <= PACE
    run = read_run(machines.collect("whole"))
    assert len(run.written) == len({record.key for record in run.written}) == N_TASKS
    assert killed < machines.server.n_requests
    # Of what the killed one had in flight nobody knows, so it counts as paid in full.
    assert cost_usd(run) < machines.spent_usd < cost_usd(run) + 6 * 0.2


def test_the_cap_holds_over_all_machines_to_the_cent(machines: Machines) -> None:
    """What was paid is what the ledger says, and a machine that comes later begins with that."""
    machines.play(delay_s=0.02)
    for name in "ab":
        machines.start(name, "-p", "no:xdist", "--sema-max-cost=0.7", "--sema-concurrency=4")
    for name in "ab":
        assert machines.running[name].wait(timeout=LONGEST_S) == 11, machines.output(name)
    part = read_run(machines.collect("part"))
    assert 0 < sum(record.graded for record in part.records) < N_TASKS
    # What another machine's try of an item has cost that got nowhere is in its own folder alone.
    folders = (*machines.folders("a"), *machines.folders("b"))
    paid = {r.to_json(): r for folder in folders for r in own_records(folder)}.values()
    assert machines.spent_usd == pytest.approx(sum(r.cost_usd or 0 for r in paid), abs=0.004)
    assert machines.spent_usd <= 0.7
    done = {record.task for record in part.records if record.graded}
    machines.play(delay_s=0.0)
    begun = machines.begun()
    machines.start("c", "-p", "no:xdist", "--sema-max-cost=100")
    assert machines.running["c"].wait(timeout=LONGEST_S) == 1, machines.output("c")
    assert "2 failed, 38 passed" in machines.output("c")
    assert set(machines.begun() - begun) & done == set()


def test_a_run_collected_halfway_can_be_resumed(machines: Machines) -> None:
    """Its verdicts are kept, and what it lacks is asked by the machine that resumes it."""
    machines.play(delay_s=0.2)
    machines.start("a", "-p", "no:xdist", "--sema-concurrency=3")
    wait_until(lambda: machines.server.n_requests > 12)
    part = machines.collect("part")
    kill_tree(psutil.Process(machines.running["a"].pid))
    kept = read_run(part)
    assert 0 < len(kept.written) < N_TASKS
    assert "incomplete" in (part / "run.json").read_text()
    machines.play(delay_s=0.0)
    before = machines.server.n_requests
    result = machines.bench_dir.run(
        *("--sema-model=m", "--sema-tasks=many", "--sema-resume=part", "-p", "no:xdist")
    )
    result.assert_outcomes(passed=N_TASKS - 2, failed=2)
    n_asked = (machines.server.n_requests - before) / 2
    assert n_asked == N_TASKS - len(kept.written)


def test_what_a_machine_cannot_ask_another_does(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is refused is an error there, and leaves the items to the others."""
    right = solve(machines.tasks)
    machines.server.play(
        lambda request: (
            refuse(401, "bad key") if "bad" in request.headers["authorization"] else right(request)
        )
    )
    models = machines.bench_dir.path / "sema-models.yaml"
    models.write_text(models.read_text().replace("'}", "', key_env: LOCAL_KEY}"))
    for name, key in (("a", "a-bad-key"), ("b", "a-good-key")):
        monkeypatch.setenv("LOCAL_KEY", key)
        machines.start(name, "-p", "no:xdist")
        machines.running[name].wait(timeout=LONGEST_S)
    assert f"{N_TASKS} errors" in machines.output("a")
    assert f"{N_TASKS} passed" in machines.output("b")
    assert all(record.passed for record in read_run(machines.collect("whole")).records)


def test_another_question_is_a_usage_error_that_names_it(machines: Machines) -> None:
    """Before anything is asked."""
    machines.play(delay_s=0.0)
    machines.start("a", "-p", "no:xdist")
    assert machines.running["a"].wait(timeout=LONGEST_S) == 1
    n_requests = machines.server.n_requests
    task = next((machines.bench_dir.path / "many").glob("L1/03-*"))
    task.write_text(task.read_text().replace("What is the value", "What may be the value"))
    other = machines.bench_dir.run(*machines.arguments("b", "-p", "no:xdist"))
    assert other.ret == pytest.ExitCode.USAGE_ERROR
    other.stderr.fnmatch_lines(
        ["ERROR: --sema-run: big is another run than this, for they differ in the task L1-03-*"]
    )
    other = machines.bench_dir.run(*machines.arguments("b", "--sema-config=bare", "-n1"))
    assert other.ret == pytest.ExitCode.TESTS_FAILED
    other.stdout.fnmatch_lines(["*big is another run than this, for they differ in the setting*"])
    assert machines.server.n_requests == n_requests


NOT_TOGETHER = {
    "--sema-shard=1/2": "--sema-run and --sema-shard do not go together: *",
    "--sema-resume": "--sema-run and --sema-resume do not go together: *",
    "--sema-confirm=2": "--sema-run and --sema-confirm do not go together: *",
}


@pytest.mark.parametrize("given", NOT_TOGETHER)
def test_what_does_not_go_with_a_shared_run_is_a_usage_error(
    bench_dir: BenchDir, given: str
) -> None:
    """The message says why."""
    url = "--sema-ledger=postgresql://127.0.0.1:1/none"
    result = bench_dir.run_here("--sema-model=reference", "--sema-run=big", url, given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {NOT_TOGETHER[given]}"])


def test_a_shared_run_wants_a_database(bench_dir: BenchDir) -> None:
    """Nothing is asked without."""
    result = bench_dir.run_here("--sema-model=reference", "--sema-run=big")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-run goes with --sema-ledger, which is missing"])


def test_collect_names_the_runs_there_are(
    database: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that is not there is an error of the command line, and so is what is no URL."""
    assert main(["collect", database.url.full, "big", "-o", str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err == (
        f"sema-bench: there is no run 'big' in {database.url}; there: none\n"
    )
    with pytest.raises(SystemExit):
        main(["collect", "nowhere", "big", "-o", str(tmp_path / "x")])
