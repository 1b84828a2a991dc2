"""--sema-timeout: how long to wait for a reply."""

import pytest

from tests.chat_server import DRIP, HANG, ChatServer, Step
from tests.plugin.bench_dir import BenchDir


@pytest.mark.parametrize("step", [HANG, DRIP], ids=["silent", "dripping"])
def test_a_server_that_hangs_makes_a_void_item(
    bench_dir: BenchDir, chat_server: ChatServer, step: Step
) -> None:
    """The run ends in bounded time, and says that the server did not answer."""
    chat_server.play([step])
    result = bench_dir.ask(chat_server, "--sema-timeout=0.2", "-k", "adding")
    result.assert_outcomes(errors=1, deselected=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["void: api error; this is not counted*", "*within 0.* s*"])
