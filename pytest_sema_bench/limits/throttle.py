"""How many calls may be in flight and how soon the next may go, as rules over plain values.

Concurrency follows the server: it starts at 20 and doubles with each clean round until the first
429, is cut by a third once per episode of 429s, and from then on grows by a twentieth a round.
Requests and tokens per minute are token buckets that hold ten seconds' worth.
"""

from dataclasses import dataclass, replace

from pytest_sema_bench.catalog.models import RateLimits
from pytest_sema_bench.chat.permit import Quota

FIRST_LIMIT = 20.0
HIGHEST_LIMIT = 1000.0
CUT = 0.7
GROWTH = 1.05
EPISODE_S = 15.0
"""Calls that were in flight together fail together: they are one reason to slow down, not many."""
LONGEST_PAUSE_S = 60.0
STALE_S = 600.0
"""What was learnt about a server is forgotten after this time without a call."""
_BURST = 1 / 6
"""Share of a minute's allowance that may be used at once."""
_USED = 0.8
"""Share of the limit that must be in flight before growing would mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is known about a server and key. Times are seconds since the epoch."""

    limit: float = FIRST_LIMIT
    """Calls in flight, over all processes."""
    doubling: bool = True
    """Until the first 429."""
    n_clean: int = 0
    """Calls that went well since the limit last changed."""
    cut_at: float = 0.0
    paused_until: float = 0.0
    n_gave_up: int = 0
    """Calls in a row that failed after all their retries."""
    requests: float | None = None
    """What is left in the bucket of requests; None if there is no such limit."""
    tokens: float | None = None
    filled_at: float = 0.0
    used_at: float = 0.0


def refreshed(pace: Pace, limits: RateLimits, now: float) -> Pace:
    """The pace at this moment: stale knowledge forgotten, buckets filled up."""
    if now - pace.used_at > STALE_S:
        pace = Pace(filled_at=0.0)
    elapsed_s = max(0.0, now - pace.filled_at)
    return replace(
        pace,
        limit=min(pace.limit, limits.concurrency or HIGHEST_LIMIT),
        requests=_filled(pace.requests, limits.requests_per_minute, elapsed_s),
        tokens=_filled(pace.tokens, limits.tokens_per_minute, elapsed_s),
        filled_at=now,
    )


def _filled(level: float | None, per_minute: float | None, elapsed_s: float) -> float | None:
    if per_minute is None:
        return None
    full = max(1.0, per_minute * _BURST)
    return full if level is None else min(full, level + elapsed_s * per_minute / 60)


def wait_s(
    pace: Pace, limits: RateLimits, *, n_in_flight: int, n_tokens: int, now: float
) -> float | None:
    """Seconds until a call may go: 0.0 for now, None for when another one has ended."""
    if now < pace.paused_until:
        return pace.paused_until - now
    if n_in_flight >= max(1, int(pace.limit)):
        return None
    waits = [0.0]
    if pace.requests is not None and limits.requests_per_minute and pace.requests < 1:
        waits.append((1 - pace.requests) * 60 / limits.requests_per_minute)
    if pace.tokens is not None and limits.tokens_per_minute:
        # A call larger than the whole bucket goes when the bucket is full.
        needed = min(n_tokens, max(1.0, limits.tokens_per_minute * _BURST))
        if pace.tokens < needed:
            waits.append((needed - pace.tokens) * 60 / limits.tokens_per_minute)
    return max(waits)


def taken(pace: Pace, n_tokens: int, now: float) -> Pace:
    """The pace after a call was let go."""
    return replace(
        pace,
        requests=None if pace.requests is None else pace.requests - 1,
        tokens=None if pace.tokens is None else pace.tokens - n_tokens,
        used_at=now,
    )


def went_well(pace: Pace, *, n_in_flight: int, n_tokens_over: int, now: float) -> Pace:
    """The pace after a good reply; `n_tokens_over` is how many more tokens it used than thought."""
    tokens = None if pace.tokens is None else pace.tokens - n_tokens_over
    pace = replace(pace, n_clean=pace.n_clean + 1, n_gave_up=0, tokens=tokens, used_at=now)
    if pace.n_clean < pace.limit or n_in_flight < _USED * pace.limit:
        return pace
    grown = pace.limit * 2 if pace.doubling else max(pace.limit + 1, pace.limit * GROWTH)
    return replace(pace, limit=min(grown, HIGHEST_LIMIT), n_clean=0)


def throttled(pace: Pace, *, n_in_flight: int, asked_s: float | None, now: float) -> Pace:
    """The pace after the server asked for fewer calls, for `asked_s` seconds if it said so."""
    pause_s = min(asked_s or 0.0, LONGEST_PAUSE_S)
    pace = replace(
        pace, doubling=False, n_clean=0, paused_until=max(pace.paused_until, now + pause_s)
    )
    if now - pace.cut_at < max(EPISODE_S, pause_s):
        return pace
    return replace(pace, limit=max(1.0, min(pace.limit, n_in_flight) * CUT), cut_at=now)


def emptied(pace: Pace, quota: Quota, now: float) -> Pace:
    """The pace after a reply whose headers say what is left: a pause if that is nothing."""
    used_up = any(left is not None and left < 1 for left in (quota.n_requests, quota.n_tokens))
    if not used_up or quota.reset_s is None:
        return pace
    pause_s = min(quota.reset_s, LONGEST_PAUSE_S)
    return replace(pace, paused_until=max(pace.paused_until, now + pause_s))
