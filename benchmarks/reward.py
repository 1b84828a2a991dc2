"""The reward under load: workers whose VM hosts are killed, and the endpoint beside a plain one.

    python benchmarks/reward.py [workers|endpoint]

`workers`: 1,000 completions over eight processes of multiprocessing, while up to three VM hosts of
each are killed, held against what `grade` says of them in this process.

`endpoint`: 2,000 requests over 64 connections to `sema-bench reward serve`, every twentieth a bad
body, while other clients hang; then a part of them to a plain grader: `http.server`, one process,
one request at a time, one VM host, every case of every answer. The requests are rollouts of 125
answers, sixteen alike, as a group of a policy that is nearly sure gives them; the second pass has
nothing new to grade. Before that each grader has graded one other answer to each task, for what it
must know of a task it works out once.
"""

import asyncio
import json
import multiprocessing
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import aiohttp
import psutil
from tabulate import tabulate

from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading import Grader
from pytest_sema_bench.grading.proof.check import wrong_answers
from pytest_sema_bench.grading.scoring import AnswerGrader
from pytest_sema_bench.reward.scale import Mode, RewardSettings
from pytest_sema_bench.reward.trl import make_reward
from pytest_sema_bench.sema.vm import create_vm
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks

Job = tuple[str, str]
"""A task's id, and an answer to it."""
SETTINGS = RewardSettings(mode=Mode.SCALE, n_hosts=1)
N_COMPLETIONS, N_WORKERS, N_IN_BATCH = 1000, 8, 10
N_REQUESTS, N_CONNECTIONS, N_ANSWERS, N_PLAIN = 2000, 64, 125, 200
HUNG = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"


def jobs(n: int) -> list[Job]:
    """As many answers to tasks of `core`, in an order of their own: right, wrong, no code."""
    made: list[Job] = []
    for task in load_tasks(suite_folder()):
        made.append((task.id, as_answer(task.kind, task.reference or "")))
        made += [(task.id, message) for _, message in wrong_answers(task)]
        made.append((task.id, "I would have to think about that."))
    random.Random(0).shuffle(made)  # noqa: S311 - an order
    # Beyond that the same with another comment: code that has not been graded.
    rounds = range(-(-n // len(made)))
    marked = [
        (task, answer.replace("\n```", f" ; {i}\n```")) for i in rounds for task, answer in made
    ]
    return marked[:n]


def references() -> list[Job]:
    """Right answers that `jobs` does not have."""
    tasks = load_tasks(suite_folder())
    return [(task.id, as_answer(task.kind, f"{task.reference} ; first")) for task in tasks]


async def by_grade(asked: Sequence[Job]) -> list[float | None]:
    """What `grade` says of them."""
    grader = AnswerGrader(load_tasks(suite_folder()), backend="wasm")
    try:
        graded = await asyncio.gather(*(grader.grade(*job) for job in asked))
    finally:
        await grader.close()
    return [grade.score for grade in graded]


def in_worker(batch: Sequence[Job]) -> list[float | None]:
    """What a worker pays for a batch."""
    return make_reward(SETTINGS)([], [a for _, a in batch], task=[task for task, _ in batch])


@contextmanager
def killer() -> Iterator[Counter[int]]:
    """Kills VM hosts of this process's workers, up to three of each, whose pids it counts."""
    killed, stop = Counter[int](), threading.Event()

    def kill() -> None:
        while not stop.wait(0.5):
            for child in psutil.Process().children(recursive=True):
                try:
                    worker = child.ppid()
                    if "host.mjs" in " ".join(child.cmdline()) and killed[worker] < 3:
                        child.kill()
                        killed[worker] += 1
                except psutil.Error:
                    pass

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def measure_workers() -> bool:
    """Print what the workers paid; whether that is what `grade` says."""
    asked = jobs(N_COMPLETIONS)
    started = time.monotonic()
    expected = asyncio.run(by_grade(asked))
    print(f"grade: {len(asked)} answers in {time.monotonic() - started:.1f} s", flush=True)
    batches = [asked[i : i + N_IN_BATCH] for i in range(0, len(asked), N_IN_BATCH)]
    rows, right = [], True
    for method in ("fork", "spawn"):
        started = time.monotonic()
        with killer() as killed, multiprocessing.get_context(method).Pool(N_WORKERS) as pool:
            found = [score for part in pool.map(in_worker, batches, 1) for score in part]
        n_lost = sum(score is None for score in found)
        n_unlike = sum(f != e for f, e in zip(found, expected, strict=True)) - n_lost
        right = right and not n_lost and not n_unlike
        wall_s = time.monotonic() - started
        rows.append([method, len(found), n_unlike, n_lost, killed.total(), wall_s])
    headers = ["workers", "completions", "unlike grade", "lost", "hosts killed", "wall s"]
    print(tabulate(rows, headers, floatfmt=".1f"), flush=True)
    return right


class PlainGrader:
    """A grader as one writes it in a quarter of an hour, on a port of its own."""

    def __init__(self) -> None:
        tasks = {task.id: task for task in load_tasks(suite_folder())}
        runner = asyncio.Runner()
        self._runner, self._vm = runner, create_vm("wasm", n_hosts=1)
        grader = Grader(self._vm, reuse=False)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                verdict = runner.run(grader.grade(tasks[body["task"]], body["completion"]))
                content = json.dumps({"score": verdict.score}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        # All connections of the benchmark may wait for it.
        self.server = type("Server", (HTTPServer,), {"request_queue_size": 128})(
            ("127.0.0.1", 0), Handler
        )

    def serve(self, ports: Any) -> None:
        """Serve until the process is ended."""
        ports.put(self.server.server_port)
        self.server.serve_forever()


def serve_plain(ports: Any) -> None:
    """The process of the plain grader."""
    PlainGrader().serve(ports)


@contextmanager
def plain() -> Iterator[str]:
    """The plain grader's address."""
    context = multiprocessing.get_context("spawn")
    ports = context.Queue()
    process = context.Process(target=serve_plain, args=(ports,))
    process.start()
    try:
        yield f"http://127.0.0.1:{ports.get(timeout=60)}"
    finally:
        process.kill()
        process.join()


@contextmanager
def endpoint() -> Iterator[str]:
    """The address of `sema-bench reward serve`."""
    command = [sys.executable, "-m", "pytest_sema_bench.cli", "reward", "serve"]
    command += ["--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        try:
            assert found
            yield found[0]
        finally:
            process.terminate()


async def ask(url: str, asked: Sequence[Job | None]) -> tuple[list[object], list[float], float]:
    """What the answers were, how long each took, and all together; None stands for a bad body."""
    took: list[float] = []
    connector = aiohttp.TCPConnector(limit=N_CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=None)
    slots = asyncio.Semaphore(N_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one(job: Job | None) -> object:
            body = "{" if job is None else json.dumps({"task": job[0], "completion": job[1]})
            async with slots:
                started = time.monotonic()
                async with session.post(url, data=body) as response:
                    told = await response.json(content_type=None)
                took.append(time.monotonic() - started)
            return told.get("score", response.status)

        started = time.monotonic()
        answers = await asyncio.gather(*map(one, asked))
        return answers, took, time.monotonic() - started


def measure_endpoint() -> bool:
    """Print both graders' rates; whether every answer was right."""
    answers = jobs(N_ANSWERS)
    good = answers * (N_REQUESTS // N_ANSWERS)
    random.Random(1).shuffle(good)  # noqa: S311 - an order
    asked = [None if i % 20 == 0 else job for i, job in enumerate(good)]
    of = dict(zip(answers, asyncio.run(by_grade(answers)), strict=True))
    rows, right = [], True
    rates: dict[str, float] = {}
    passes: list[tuple[str, Sequence[Job | None]]] = [
        ("first pass", asked),
        ("second pass", asked),
        ("plain", good[:N_PLAIN]),
    ]
    with endpoint() as url, plain() as plain_url:
        host, port = url.removeprefix("http://").split(":")
        hung = [socket.create_connection((host, int(port))) for _ in range(20)]
        for address in (url, plain_url):
            asyncio.run(ask(address, references()))
        for title, chosen in passes:
            for client in hung if title != "plain" else ():
                try:
                    client.sendall(HUNG)
                except OSError:
                    pass  # it was let go
            address = plain_url if title == "plain" else url
            found, took, wall_s = asyncio.run(ask(address, chosen))
            worth = {job: s if title == "plain" else float(s == 1.0) for job, s in of.items()}
            expected = [422 if job is None else worth[job] for job in chosen]
            n_unlike = sum(f != e for f, e in zip(found, expected, strict=True))
            right, rates[title] = right and not n_unlike, len(chosen) / wall_s
            p50, p99 = (1000 * statistics.quantiles(took, n=100)[i] for i in (49, 98))
            rows.append([title, len(chosen), n_unlike, rates[title], p50, p99])
    headers = ["", "requests", "unlike grade", "a second", "p50 ms", "p99 ms"]
    print(tabulate(rows, headers, floatfmt=".1f"))
    for title in ("first pass", "second pass"):
        print(f"{title}: {rates[title] / rates['plain']:.0f} times the plain grader's rate")
    return right


def main() -> None:
    """Measure what was asked for, by default both."""
    wanted = sys.argv[1:] or ["workers", "endpoint"]
    measures = {"workers": measure_workers, "endpoint": measure_endpoint}
    results = [measures[name]() for name in wanted]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
