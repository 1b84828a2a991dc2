"""How a run is going, in one line."""

from collections.abc import Iterator

from pytest_sema_bench.gate.stats.interval import wilson_interval
from pytest_sema_bench.limits import RunState
from pytest_sema_bench.limits.throttle import Wait
from pytest_sema_bench.records.follow import Headway
from pytest_sema_bench.report.text import percent, percent_interval

QUIET_S = 30.0
"""After so long without a record it is said what is waited for."""
_BAR = 20


def progress_line(headway: Headway, state: RunState | None = None, *, bar: bool = False) -> str:
    """`24 of 60, 18 right (75 %, 55–88 %), 1 void; 8 in flight; $0.12 of about $0.31; 1:20 left`.

    `state` is what this machine's ledger knows of the run, None if that is nothing.
    """
    parts = [_done(headway), *_money(headway, state)]
    if state is not None:
        retries = f", {state.n_retries} retries" if state.n_retries else ""
        parts.append(f"{state.in_flight} in flight{retries}")
    if headway.left_s is not None and headway.n_done < headway.n_items:
        parts.append(f"{clock(headway.left_s)} left")
    parts += _why_quiet(headway, state)
    line = "; ".join(parts)
    if not bar or not headway.n_items:
        return line
    n = round(_BAR * headway.n_done / headway.n_items)
    return f"{'█' * n}{'░' * (_BAR - n)} {line}"


def clock(seconds: float) -> str:
    """`1:05:07`, or `5:07` under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _done(headway: Headway) -> str:
    parts = [f"{headway.n_done} of {headway.n_items or '?'}"]
    if headway.n_graded:
        rate = percent(headway.n_pass / headway.n_graded)
        interval = percent_interval(wilson_interval(headway.n_pass, headway.n_graded))
        parts.append(f"{headway.n_pass} right ({rate}, {interval})")
    if headway.n_void:
        parts.append(f"{headway.n_void} void")
    return ", ".join(parts)


def _money(headway: Headway, state: RunState | None) -> Iterator[str]:
    # The ledger knows of calls whose items have not ended; of records each has its price or none.
    spent = state.spent_usd if state is not None else headway.spent_usd
    if not spent:
        return
    expected, cap = headway.expected_usd, state.cap_usd if state is not None else None
    about = f" of about ${expected:.2f}" if expected is not None else ""
    yield f"${spent:.2f}{about}" + (f", cap ${cap:g}" if cap else "")


def _why_quiet(headway: Headway, state: RunState | None) -> Iterator[str]:
    if state is not None and state.waits:
        yield from map(_wait_text, state.waits)
    elif headway.quiet_s >= QUIET_S and headway.n_done < (headway.n_items or 1):
        quiet = f"nothing has ended for {clock(headway.quiet_s)}"
        if state is None:
            yield quiet
        elif state.in_flight:
            yield f"{quiet}: {state.in_flight} calls wait for the server's replies"
        else:
            yield f"{quiet}: no call is under way, so answers are being graded, or it is gone"


def _wait_text(wait: Wait) -> str:
    """`all wait 12 s more: host: the server answered 429: slow down`."""
    if wait.left_s:
        return f"all wait {wait.left_s:.0f} s more: {wait.reason}"
    return f"all wait, for {wait.since_s:.0f} s so far: {wait.reason}"
