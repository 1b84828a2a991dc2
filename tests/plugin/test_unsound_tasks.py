"""A task that cannot be evaluated is an error of the collection, before anything is asked."""

from pathlib import Path

import pytest

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.grading.soundness import CACHE_FILE, Soundness
from pytest_sema_bench.suite.task import load_task
from tests.chat_server import ChatServer
from tests.plugin.bench_dir import BenchDir
from tests.vm_hosts import running_hosts

UNSOUND = {
    "an unbound name": ('equals: "(no-such-thing)"', "*01-doubling.yaml:{line}: equals: *Unbound*"),
    "an exception": ('equals: (throw "never")', "*01-doubling.yaml:{line}: equals: *exception*"),
    "an endless loop": (
        "equals: (let loop ((i 0)) (loop (+ i 1)))",
        "*01-doubling.yaml:{line}: equals: *step limit*",
    ),
    "a given source that fails": (
        'equals: "4"\n      given: (car 5)',
        "*01-doubling.yaml:{line}: the `given` of a case does not run: *",
    ),
}


def doubling(bench_dir: BenchDir) -> Path:
    """The task file that is to be broken."""
    return bench_dir.path / "tasks" / "L4" / "01-doubling.yaml"


@pytest.mark.parametrize(("key", "told"), UNSOUND.values(), ids=[*UNSOUND])
def test_an_unsound_task_is_found_before_anything_is_asked(
    bench_dir: BenchDir, chat_server: ChatServer, key: str, told: str
) -> None:
    """File, line of the case and reason, pytest's status for a broken collection, no request."""
    path = doubling(bench_dir)
    lines = path.read_text("utf-8").splitlines()
    at = next(n for n, line in enumerate(lines) if line.lstrip().startswith("equals: "))
    lines[at] = lines[at][: len(lines[at]) - len(lines[at].lstrip())] + key
    path.write_text("\n".join(lines) + "\n", "utf-8")
    result = bench_dir.ask(chat_server)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([told.format(line=load_task(path).cases[0].line)])
    assert chat_server.requests == []


def test_what_holds_is_not_tried_again(bench_dir: BenchDir) -> None:
    """The first look starts a VM, the second knows from the cache folder."""
    task = load_task(doubling(bench_dir))
    (cache_folder() / CACHE_FILE).unlink(missing_ok=True)
    n_started = []
    for _ in range(2):
        before = running_hosts()
        soundness = Soundness("wasm")
        soundness.check(task)
        n_started.append(len(running_hosts() - before))
        soundness.close()
    assert n_started == [1, 0]
