"""The line that says how a run is going, from made-up headway."""

from dataclasses import replace

import pytest

from pytest_sema_bench.limits import RunState
from pytest_sema_bench.limits.throttle import Wait
from pytest_sema_bench.records.follow import Headway
from pytest_sema_bench.records.outcome import RunStatus
from pytest_sema_bench.report.progress import clock, progress_line

HEADWAY = Headway(
    n_items=60,
    n_graded=24,
    n_pass=18,
    n_void=1,
    spent_usd=0.125,
    n_new=25,
    elapsed_s=50.0,
    quiet_s=2.0,
    state=RunStatus.RUNNING,
)
STATE = RunState(cap_usd=0.5, spent_usd=0.15, in_flight=8, n_retries=5, n_graded=24, n_void=1)


def test_a_line_tells_rate_money_calls_and_time() -> None:
    """What the ledger knows goes over the records, whose items have ended."""
    assert progress_line(HEADWAY, STATE) == (
        "25 of 60, 18 right (75 %, 55–88 %), 1 void; $0.15 of about $0.30, cap $0.5; "
        "8 in flight, 5 retries; 1:10 left"
    )
    assert progress_line(HEADWAY, bar=True).startswith("████████░░░░░░░░░░░░ 25 of 60, 18 right")


def test_what_is_not_known_is_not_said() -> None:
    """Before the first record there is neither rate nor time; offline there is no money."""
    start = replace(HEADWAY, n_items=0, n_graded=0, n_pass=0, n_void=0, spent_usd=None, n_new=0)
    assert progress_line(start) == "0 of ?"


IDLE = replace(STATE, in_flight=0, n_retries=0)
WAIT = Wait(reason="h: the server answered 503: busy", since_s=61.2, left_s=12.3)
QUIET = {
    "another machine": (None, "nothing has ended for 0:31"),
    "a server": (STATE, "nothing has ended for 0:31: 8 calls wait for the server's replies"),
    "a grader": (IDLE, "no call is under way, so answers are being graded, or it is gone"),
    "a pause": (replace(IDLE, waits=(WAIT,)), f"; all wait 12 s more: {WAIT.reason}"),
    "trouble": (
        replace(IDLE, waits=(replace(WAIT, left_s=0.0),)),
        f"; all wait, for 61 s so far: {WAIT.reason}",
    ),
}


@pytest.mark.parametrize(("state", "end"), QUIET.values(), ids=QUIET)
def test_a_run_without_headway_says_what_it_waits_for(state: RunState | None, end: str) -> None:
    """After half a minute without a record, or at once where the limiter knows why."""
    assert progress_line(replace(HEADWAY, quiet_s=31.0), state).endswith(end)
    assert "nothing has ended" not in progress_line(HEADWAY, state)


def test_time_is_told_as_clocks_do() -> None:
    """Hours only where there are some."""
    assert [clock(s) for s in (7, 307, 3907)] == ["0:07", "5:07", "1:05:07"]
