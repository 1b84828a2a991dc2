"""A report folder that takes no more: the run ends at once, says so, and can be taken up."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE
from pytest_sema_bench.records.reader import read_records
from pytest_sema_bench.suite.task import load_tasks
from tests.chat_server import ChatServer, Request, Step, after, say, solve
from tests.plugin.bench_dir import LONGEST_S, REFERENCE, BenchDir, read_table, wait_until
from tests.samples.many_tasks import write_sums

N_TASKS = 40
INCOMPLETE = 11
Mount = Callable[[str], None]


@pytest.fixture
def mount(bench_dir: BenchDir) -> Iterator[Mount]:
    """Mounts `small`, a disk of the given size, or gives it another size."""
    folder = bench_dir.path / "small"
    folder.mkdir()

    def mount(size: str) -> None:
        again = ",remount" if folder.is_mount() else ""
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{again}", "none", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("nothing may be mounted here")

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def many(bench_dir: BenchDir, chat_server: ChatServer) -> tuple[str, ...]:
    """Arguments for a run of many tasks that writes to `small`."""
    bench_dir.tasks = load_tasks(write_sums(bench_dir.path / "many", N_TASKS))
    chat_server.play(solve(bench_dir.tasks, delay_s=0.02))
    return "--sema-tasks=many", "--sema-report-dir=small", "--sema-concurrency=2"


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_a_full_disk_ends_the_run_at_once(
    bench_dir: BenchDir,
    chat_server: ChatServer,
    mount: Mount,
    many: tuple[str, ...],
    n_workers: str,
) -> None:
    """Status 11, the folder's name and a table; with room again only the rest is asked."""
    mount("96k")
    result = bench_dir.ask(chat_server, *many, n_workers)
    assert result.ret == INCOMPLETE
    (run,) = (bench_dir.path / "small").glob("2*/")
    said = [line for line in result.outlines if f"sema-bench: cannot write to {run}: " in line]
    assert "No space left on device" in said[-1]
    assert "--sema-resume" in said[-1]
    assert "INTERNALERROR" not in f"{result.stdout}{result.stderr}"
    kept = {record.task for record in read_records(run)}
    assert read_table(result.outlines, "m-tools")["all"]["passed"] == str(len(kept))
    begun = {bench_dir.slug(request) for request in chat_server.requests}
    assert 0 < len(kept) < len(begun) < N_TASKS - 10
    chat_server.requests.clear()
    mount("8m")
    again = bench_dir.ask(chat_server, *many, n_workers, "--sema-resume")
    again.assert_outcomes(passed=N_TASKS)
    assert len(bench_dir.asked(chat_server)) == N_TASKS - len(kept)


def test_a_disk_too_small_to_begin_is_a_usage_error(
    bench_dir: BenchDir, chat_server: ChatServer, mount: Mount, many: tuple[str, ...]
) -> None:
    """Nothing is asked."""
    mount("8k")
    result = bench_dir.ask(chat_server, *many)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-report-dir: cannot write the run *No space*"])
    assert chat_server.n_connections == 0


def test_workers_that_cannot_begin_end_the_run_at_once(
    bench_dir: BenchDir, chat_server: ChatServer, mount: Mount, many: tuple[str, ...]
) -> None:
    """Status 11 as of a disk that fills later, and no item after the first of each."""
    mount("4k")
    result = bench_dir.ask(chat_server, *many, "-n2")
    assert result.ret == INCOMPLETE
    assert result.parseoutcomes()["errors"] <= 4
    result.stdout.fnmatch_lines(["*sema-bench: cannot write to *No space left on device*"])
    assert chat_server.n_connections == 0


def test_a_report_folder_that_is_gone_ends_the_run(
    bench_dir: BenchDir, chat_server: ChatServer, many: tuple[str, ...]
) -> None:
    """It is not made anew, as if nothing were lost."""
    right = solve(bench_dir.tasks)

    def play(request: Request) -> Step:
        return after(0.1, right(request) if request.turn == 0 else say("Value: 0"))

    chat_server.play(play)
    run = bench_dir.start(*bench_dir.asking(chat_server), *many)
    folder = bench_dir.path / "small"
    wait_until(lambda: any(folder.glob("2*/records.jsonl")))
    (path,) = folder.glob("2*/")
    gone: Path = path.rename(bench_dir.path / "gone")
    assert run.wait(timeout=LONGEST_S) == INCOMPLETE
    assert len(chat_server.requests) < 2 * (N_TASKS - 10)
    assert any("cannot write to" in line and "is gone" in line for line in bench_dir.output)
    assert not any("INTERNALERROR" in line for line in bench_dir.output)
    assert not list(folder.glob("2*/"))
    shutil.move(gone, path)
    again = bench_dir.ask(chat_server, *many, "--sema-resume")
    assert again.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert read_table(again.outlines, "m-tools")["all"]["tasks"] == str(N_TASKS)


def test_a_damaged_ledger_is_set_aside(
    bench_dir: BenchDir, vm_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on with a new one, and says so in a line."""
    cache = bench_dir.path / "cache"
    cache.mkdir()
    for entry in vm_cache.iterdir():
        if "sqlite3" not in entry.name:
            (cache / entry.name).symlink_to(entry)
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    bench_dir.run(REFERENCE, "-k", "adding").assert_outcomes(passed=1, deselected=3)
    (ledger,) = cache.glob("*.sqlite3")
    ledger.write_bytes(b"garbage, and enough of it to be looked at" * 100)
    result = bench_dir.run(REFERENCE, "-k", "adding", "-q")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"sema-bench: {ledger} was damaged; it is set aside as *"])
