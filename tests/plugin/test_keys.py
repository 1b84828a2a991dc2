"""A key reaches no file, no terminal and no report, by whichever way it comes back."""

import pytest

from tests.chat_server import (
    DROP,
    ChatServer,
    Request,
    Step,
    call_tool,
    delta,
    raw,
    refuse,
    say,
    stream,
)
from tests.plugin.bench_dir import KEY, BenchDir
from tests.stored import content

HALF = len(KEY) // 2


def _echo(request: Request) -> Step:
    """An answer with the key in all places where a model or a router could put it."""
    if not request.turn:
        return call_tool(f'(error "{KEY}")', name="eval_code", call_id=KEY, reasoning=KEY)
    return say(f"{KEY} Value: 4", refusal=KEY, **{KEY: KEY})


def _in_pieces(request: Request) -> Step:
    """A stream in which the key comes in two pieces."""
    chunks = [delta(content=KEY[:HALF]), delta(content=KEY[HALF:]), delta("stop")]
    return stream(chunks)


def _broken(request: Request) -> Step:
    """A reply that is none, after one that never came."""
    if request.n_before == 0:
        return DROP
    return raw(f"<h1>{KEY}</h1>".encode(), headers={"X-Request-Id": KEY, KEY: KEY})


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)], ids=["one", "n2"])
def test_a_key_that_comes_back_is_removed_everywhere(
    bench_dir: BenchDir, chat_server: ChatServer, workers: tuple[str, ...]
) -> None:
    """From records, transcripts, recordings, JUnit XML and all that is printed."""
    chat_server.play(
        bench_dir.script(
            adding=_echo,
            palindrome=_in_pieces,
            doubling=refuse(400, f"Bearer {KEY} \\{KEY} is odd", x_request_id=KEY),
            summing=_broken,
        )
    )
    args = (*workers, "--junitxml=junit.xml", "--sema-record=tape", "-rA", "-vv", "-l", "--tb=long")
    result = bench_dir.ask(chat_server, *args, "--sema-timeout=4", "-o", "log_cli_level=DEBUG")
    result.assert_outcomes(failed=2, errors=2)
    assert all(f"Bearer {KEY}" == r.headers["authorization"] for r in chat_server.requests)
    assert KEY not in f"{result.stdout}{result.stderr}"
    assert "[key removed]" in str(result.stdout)
    files = [path for path in bench_dir.path.rglob("*") if path.is_file()]
    assert [path.name for path in files].count("junit.xml") == 1
    assert len([path for path in files if "tape" in path.parts]) == 4
    assert [path for path in files if KEY.encode() in content(path)] == []


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)], ids=["one", "n2"])
def test_a_key_in_an_exception_is_removed(
    bench_dir: BenchDir, workers: tuple[str, ...], chat_server: ChatServer
) -> None:
    """A URL that holds the key, at a port where nobody listens, shows it nowhere."""
    url = chat_server.url
    chat_server.play([DROP])
    asking = bench_dir.asking(chat_server)
    for address in (f"{url}/{KEY}?key={KEY}", f"http://{KEY}.invalid/v1"):
        args = (asking[0], f"--sema-base-url={address}", asking[2], *workers)
        result = bench_dir.run(*args, "-k", "adding", "--sema-timeout=1", "-vv", "--junitxml=j.xml")
        assert result.parseoutcomes()["errors"] == 1
        assert KEY not in f"{result.stdout}{result.stderr}"
        files = [path for path in bench_dir.path.rglob("*") if path.is_file()]
        assert [path for path in files if KEY.encode() in content(path)] == []
