"""`sema-bench watch`: of a real run in another process."""

import threading

import pytest

from pytest_sema_bench.cli import main
from tests.chat_server import ChatServer, after, say
from tests.plugin.bench_dir import BenchDir, wait_until


def test_another_process_s_run_is_watched(
    bench_dir: BenchDir, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a server lets it wait the calls in flight are shown; at its end the watch ends."""
    go = threading.Event()
    right = bench_dir.script()
    chat_server.play(lambda request: right(request) if go.is_set() else after(3.0, say("No.")))
    process = bench_dir.start(*bench_dir.asking(chat_server))
    wait_until(lambda: chat_server.n_in_flight == 4)
    assert main(["watch", str(bench_dir.run_folder), "--once"]) == 0
    assert "0 of 4" in (line := capsys.readouterr().out)
    assert "4 in flight" in line
    go.set()
    process.wait()
    assert main(["watch", str(bench_dir.run_folder)]) == 0
    assert "4 of 4" in (line := capsys.readouterr().out)
    assert "the run is finished" in line
