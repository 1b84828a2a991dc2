"""The endpoint over real sockets: what it answers, and what it does not put up with."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.extraction import fenced
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.serve import ServeSettings
from pytest_sema_bench.sema.vm.install import EXECUTED
from tests.conftest import Capture
from tests.reward.conftest import LiveEndpoint
from tests.samples.double_task import RIGHT, WRONG

pytestmark = pytest.mark.vm

SUM = "Evaluate this Sema expression:\n(+ 1 2)"
EXPERIMENT = {
    "the-value": (SUM, "3", "The result is 3.", 1.0, "3"),
    "another-value": (SUM, "3", "It is 4.", 0.0, "4"),
    "code-that-runs": (SUM, "3", fenced("(+ 1 3)"), 0.3, "4"),
    "the-question-given-back": (SUM, "3", fenced("(+ 1 2)"), 0.3, "3"),
    "code-of-its-own": ("Add one and two.", "3", fenced("(+ 1 2)"), 1.0, "3"),
    "code-that-fails": ("Add one and two.", "3", fenced("(add 1 2)"), 0.0, "Unbound variable: add"),
    "no-code": ("Add one and two.", "3", "", 0.0, None),
}
BAD: dict[str, tuple[str, int, str]] = {
    "no-json": ("{", 422, "not JSON"),
    "deep": ("[" * 50_000, 422, "not JSON"),
    "no-object": ("[1]", 422, "the body is a list"),
    "no-completion": ('{"task": "double"}', 422, "no `completion`"),
    "completion-is-a-number": ('{"task": "double", "completion": 5}', 422, "found 5"),
    "no-truth": ('{"completion": "x"}', 422, "a ground truth is"),
    "no-such-task": ('{"task": "duoble", "completion": "x"}', 422, "no task 'duoble'"),
    "no-such-mode": ('{"task": "double", "completion": "x", "mode": "all"}', 422, "no mode 'all'"),
    "half-a-problem": ('{"problem": {"input": "x"}, "completion": "x"}', 422, "`problem` is"),
    "unreadable-value": (
        '{"problem": {"input": "x", "expected": "(1"}, "completion": "x"}',
        422,
        "cannot be",
    ),
    "too-long": (" " * 200_001, 413, "over 200000 bytes"),
}


@pytest.mark.parametrize(
    ("question", "expected", "completion", "score", "result"),
    EXPERIMENT.values(),
    ids=[*EXPERIMENT],
)
def test_the_experiments_body_is_answered_as_it_was(
    endpoint: LiveEndpoint,
    question: str,
    expected: str,
    completion: str,
    score: float,
    result: str | None,
) -> None:
    """1.0 right, 0.3 code that runs, 0.0 all else; code that the question holds is no answer."""
    problem = {"input": question, "expected": expected}
    told = endpoint.post({"problem": problem, "completion": completion}).json()
    assert [*told] == ["score", "detail", "result"]
    assert told["score"] == score
    assert (told["result"] or "").startswith(result or "")
    assert bool(told["result"]) is bool(result)


def test_a_task_or_a_ground_truth_is_graded(endpoint: LiveEndpoint) -> None:
    """By the endpoint's mode, or by that of the request."""
    wrong = {"task": "double", "completion": [{"role": "assistant", "content": WRONG}]}
    assert endpoint.post({"task": "double", "answer": RIGHT}).json() == {
        "score": 1.0,
        "outcome": "pass",
        "reason": "right",
        "detail": None,
    }
    assert endpoint.post(wrong).json()["score"] == 0.0
    assert endpoint.post({**wrong, "mode": "scale"}).json()["score"] == 0.3
    truth = {"ground_truth": {"value": "6"}, "completion": fenced("(* 2 3)")}
    assert endpoint.post(truth).json()["score"] == 1.0


@pytest.mark.parametrize(("body", "status", "message"), BAD.values(), ids=[*BAD])
def test_a_bad_body_is_told_what_is_wrong(
    endpoint: LiveEndpoint, body: str, status: int, message: str
) -> None:
    """With a status of its own, and no score."""
    response = httpx.post(endpoint.url, content=body)
    assert response.status_code == status
    assert [*response.json()] == ["error"]
    assert message in response.json()["error"]


def test_health_says_which_vm_grades(endpoint: LiveEndpoint) -> None:
    """And how much has been done."""
    told = httpx.get(f"{endpoint.url}/health").json()
    assert told["status"] == "ok"
    assert told["vm"].startswith("wasm 1.36.0")


def test_a_client_that_hangs_is_let_go_and_disturbs_nobody(endpoint: LiveEndpoint) -> None:
    """One that never sends its body is told so after a second; others are answered meanwhile."""
    hung = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(20)]
    for client in hung[:10]:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert endpoint.post({"task": "double", "completion": RIGHT}).json()["score"] == 1.0
    hung[0].settimeout(30)
    assert b" 408 " in hung[0].recv(1000)
    for client in hung:
        client.close()


def test_many_connections_each_get_their_own_answer(endpoint: LiveEndpoint) -> None:
    """Of 64 at a time none is lost, and bad ones among them change nothing."""

    async def ask() -> list[object]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def one(number: int) -> object:
                code = f"(* {number % 7} 3)"
                body = {"ground_truth": {"value": "6"}, "completion": fenced(code)}
                content = "{" if number % 5 == 0 else json.dumps(body)
                response = await client.post(endpoint.url, content=content)
                return response.json().get("score", response.status_code)

            return await asyncio.gather(*map(one, range(320)))

    expected = [422 if n % 5 == 0 else float(n % 7 == 2) for n in range(320)]
    assert asyncio.run(ask()) == expected


def test_beyond_its_concurrency_it_asks_to_come_back(rewards: RewardSettings) -> None:
    """With a status that clients try again after."""
    live = LiveEndpoint(rewards, ServeSettings(n_under_way=1, body_s=30))
    try:
        with socket.create_connection(("127.0.0.1", live.port)) as first:
            first.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            while httpx.get(f"{live.url}/health").json()["under_way"] == 0:
                pass
            response = live.post({"task": "double", "completion": RIGHT})
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    finally:
        live.close()


def test_only_who_has_the_token_is_answered(rewards: RewardSettings) -> None:
    """All but /health needs it."""
    live = LiveEndpoint(rewards, ServeSettings(token="s3cret"))
    try:
        body = {"task": "double", "completion": RIGHT}
        for header in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
            assert live.post(body, headers=header).status_code == 401
        told = live.post(body, headers={"Authorization": "Bearer s3cret"})
        assert told.json()["score"] == 1.0
        assert httpx.get(f"{live.url}/health").status_code == 200
    finally:
        live.close()


def test_a_vm_that_fails_is_answered_with_503(
    rewards: RewardSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """There is no score in it."""
    folder = tmp_path_factory.mktemp("broken")
    for name in EXECUTED:
        (folder / name).write_text("no VM")
    settings = RewardSettings(suites=rewards.suites, vm=f"wasm:{folder}")
    live = LiveEndpoint(settings, ServeSettings())
    try:
        for body in (
            {"task": "double", "completion": RIGHT},
            {"problem": {"input": SUM, "expected": "3"}, "completion": "3"},
        ):
            response = live.post(body)
            assert (response.status_code, [*response.json()]) == (503, ["error"])
            assert "the VM failed" in response.json()["error"]
    finally:
        live.close()


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sema-bench reward serve` and its address, killed in the end if it still runs."""
    command = [sys.executable, "-m", "pytest_sema_bench.cli", "reward", "serve", "--port=0"]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.stderr and process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_once_it_has_answered(number: signal.Signals) -> None:
    """The request under way gets its answer, the status is 0, and nothing is printed."""
    loop = fenced("(define (loop n) (if (> n 3000000) 6 (loop (+ n 1)))) (loop 0)")
    with served("--mode=scale") as (process, url):
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps({"ground_truth": {"value": "6"}, "completion": loop})
        with socket.create_connection((host, int(port))) as client:
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall((head + body).encode())
            while httpx.get(f"{url}/health").json()["under_way"] == 0:
                pass
            process.send_signal(number)
            client.settimeout(120)
            answer = client.recv(10_000)
        assert b'"score": 1.0' in answer
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_beyond_this_machine_it_wants_a_token(capsys: Capture) -> None:
    """The command line is refused before anything starts."""
    assert main(["reward", "serve", "--host", "0.0.0.0"]) == 2
    assert "needs --token-env NAME" in capsys.readouterr().err
    assert main(["reward", "serve", "--token-env", "SURELY_NOT_SET"]) == 2
    assert "is not set, or empty" in capsys.readouterr().err
    assert ServeSettings(host="::1").port == 8080
    with pytest.raises(SettingsError, match="not this machine alone"):
        ServeSettings(host="example.org")


def test_a_port_that_is_taken_is_a_usage_error(endpoint: LiveEndpoint, capsys: Capture) -> None:
    """With the address in it."""
    assert main(["reward", "serve", "--port", str(endpoint.port)]) == 2
    assert f"cannot listen on 127.0.0.1:{endpoint.port}" in capsys.readouterr().err
