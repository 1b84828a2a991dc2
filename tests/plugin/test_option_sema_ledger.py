"""--sema-ledger: machines that share a database share pace and budget."""

import json
import time

import pytest

from pytest_sema_bench.settings import DatabaseUrl
from pytest_sema_bench.suite.task import load_tasks
from tests.chat_server import ChatServer, after, solve
from tests.plugin.bench_dir import LONGEST_S, BenchDir, wait_until
from tests.postgres_server import PASSWORD, PostgresServer
from tests.samples.many_tasks import write_sums


def test_the_password_reaches_no_file_and_no_output(
    bench_dir: BenchDir, chat_server: ChatServer, database: PostgresServer
) -> None:
    """run.json says which database it was."""
    chat_server.play(bench_dir.script())
    result = bench_dir.ask(chat_server, f"--sema-ledger={database.url.full}", "-n1")
    result.assert_outcomes(passed=4)
    written = [path for path in bench_dir.path.glob("reports/**/*") if path.is_file()]
    assert written
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in str(result.stdout) + str(result.stderr)
    manifest = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert manifest["settings"]["ledger"] == str(database.url)


def test_two_runs_keep_to_one_pace(
    bench_dir: BenchDir, chat_server: ChatServer, database: PostgresServer
) -> None:
    """Neither knows of the other but from the database."""
    tasks = write_sums(bench_dir.path / "many", 12)
    (bench_dir.path / "sema-models.yaml").write_text(
        f"providers:\n  local: {{base_url: '{chat_server.url}'}}\n"
        "models:\n  m: {provider: local, id: m, limits: {concurrency: 3}}\n"
    )
    chat_server.play(solve(load_tasks(tasks), delay_s=0.05))
    asking = ("--sema-model=m", "--sema-tasks=many", f"--sema-ledger={database.url.full}")
    runs = [bench_dir.start(*asking, "-p", "no:xdist") for _ in range(2)]
    assert [run.wait(timeout=LONGEST_S) for run in runs] == [0, 0]
    assert chat_server.n_requests == 2 * 2 * 12
    assert chat_server.max_in_flight == 3


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_that_stops_is_waited_for(
    bench_dir: BenchDir, chat_server: ChatServer, database: PostgresServer, mode: str
) -> None:
    """Nothing new is asked, one line says why, and the run ends as if nothing had been."""
    right = bench_dir.script()
    chat_server.play(lambda request: after(0.3, right(request)))
    run = bench_dir.start(
        *bench_dir.asking(chat_server),
        *("--sema-samples=4", "--sema-concurrency=2", "-p", "no:xdist"),
        f"--sema-ledger={database.url.full}",
    )
    wait_until(lambda: chat_server.n_requests >= 4)
    database.stop(mode)
    try:
        wait_until(lambda: chat_server.n_in_flight == 0)
        n_asked = chat_server.n_requests
        time.sleep(2.0)
        assert chat_server.n_requests == n_asked
    finally:
        database.start()
    assert run.wait(timeout=LONGEST_S) == 0
    told = [line for line in bench_dir.output if "nothing new is asked until it is back" in line]
    assert len(told) == 1
    assert told[0].startswith(f"sema-bench: {database.url} cannot be reached: ")
    assert "sema-bench: the database is back" in bench_dir.output
    assert len(bench_dir.records()) == 16
    assert chat_server.n_requests == 2 * 16


@pytest.mark.parametrize("shared", [(), ("--sema-run=big",)], ids=["its own run", "shared run"])
def test_ctrl_c_is_heard_while_the_database_is_away(
    bench_dir: BenchDir,
    chat_server: ChatServer,
    database: PostgresServer,
    shared: tuple[str, ...],
) -> None:
    """What has ended is kept."""
    chat_server.play(bench_dir.script())
    run = bench_dir.start(
        *bench_dir.asking(chat_server),
        *("--sema-samples=20", "--sema-concurrency=1", "-p", "no:xdist", *shared),
        f"--sema-ledger={database.url.full}",
    )
    wait_until(lambda: chat_server.n_requests >= 4)
    database.stop()
    try:
        wait_until(lambda: chat_server.n_in_flight == 0)
        run.send_signal(2)
        assert run.wait(timeout=LONGEST_S) == pytest.ExitCode.INTERRUPTED
    finally:
        database.start()
    assert bench_dir.records()


def test_a_database_that_is_not_there_is_a_usage_error(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Before anything is asked; the password is not repeated."""
    url = f"postgresql://bench:{PASSWORD}@127.0.0.1:1/bench"
    result = bench_dir.ask(chat_server, f"--sema-ledger={url}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --sema-ledger: postgresql://bench@127.0.0.1:1/bench cannot be used: *"]
    )
    assert PASSWORD not in str(result.stdout) + str(result.stderr)
    assert chat_server.n_requests == 0


@pytest.mark.parametrize("given", ["mysql://u:secret@h/d", "postgresql://u:secret@h", "secret"])
def test_what_is_no_url_of_a_database_is_a_usage_error(bench_dir: BenchDir, given: str) -> None:
    """And is not repeated, for there may be a password in it."""
    result = bench_dir.run_here("--sema-model=reference", f"--sema-ledger={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-ledger: expected the URL of a database such as *"])
    assert "secret" not in str(result.stderr)


SHOWN = {
    "postgresql://h/d": "postgresql://h/d",
    "postgres://u:p%40ss@h:5433/d?sslmode=require": "postgres://u@h:5433/d?sslmode=require",
    "postgresql://u:a:b@h1,h2:1/d": "postgresql://u@h1,h2:1/d",
    "postgresql://h/d?user=u&password=p&sslpassword=q": "postgresql://h/d?user=u",
}


@pytest.mark.parametrize("given", SHOWN)
def test_a_database_is_shown_without_its_password(given: str) -> None:
    """It is kept to connect with."""
    url = DatabaseUrl(given)
    assert (str(url), f"{url}", url.full) == (SHOWN[given], SHOWN[given], given)
