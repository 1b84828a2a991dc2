"""How many calls may be in flight and how soon the next may go, as rules over plain values.

Concurrency follows the server: it starts at 20, or where the last run with this server and key
ended, doubles with each clean round until the first 429, is cut by a third once per episode of
429s, and from then on grows by a twentieth a round. Requests and tokens per minute are token
buckets that hold ten seconds' worth.
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
"""After this time without a call nothing is held against a server, and doubling is tried again."""
_BURST = 1 / 6
"""Share of a minute's allowance that may be used at once."""
_USED = 0.8
"""Share of the limit that must be in flight before growing would mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """What is known about a server and key. Times are seconds since the epoch."""

    limit: float = FIRST_LIMIT
    """Calls in flight, over all processes."""
    doubling: bool = True
    """Until the first 429."""
    n_clean: int = 0
    """Calls that went well since the limit last changed."""
    cut_at: float = 0.0
    paused_until: float = 0.0
    trouble: str | None = None
    """Why the last attempt brought no reply; None once one has."""
    trouble_since: float = 0.0
    n_gave_up: int = 0
    """Calls in a row that failed after all their retries."""
    requests: float | None = None
    """What is left in the bucket of requests; None if there is no such limit."""
    tokens: float | None = None
    filled_at: float = 0.0
    used_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why no call is sent just now."""

    reason: str
    since_s: float
    """How long there has been no reply."""
    left_s: float
    """How long the server asked to be left alone; 0.0 if it did not."""


def refreshed(throttle: Throttle, limits: RateLimits, now: float) -> Throttle:
    """The throttle at this moment: stale knowledge forgotten but the limit, buckets filled up."""
    if now - throttle.used_at > STALE_S:
        throttle = Throttle(limit=throttle.limit)
    elapsed_s = max(0.0, now - throttle.filled_at)
    return replace(
        throttle,
        limit=min(throttle.limit, limits.concurrency or HIGHEST_LIMIT),
        requests=_filled(throttle.requests, limits.requests_per_minute, elapsed_s),
        tokens=_filled(throttle.tokens, limits.tokens_per_minute, elapsed_s),
        filled_at=now,
    )


def _filled(level: float | None, per_minute: float | None, elapsed_s: float) -> float | None:
    if per_minute is None:
        return None
    full = max(1.0, per_minute * _BURST)
    return full if level is None else min(full, level + elapsed_s * per_minute / 60)


def wait_s(
    throttle: Throttle, limits: RateLimits, *, n_in_flight: int, n_tokens: int, now: float
) -> float | None:
    """Seconds until a call may go: 0.0 for now, None for when another one has ended."""
    if now < throttle.paused_until:
        return throttle.paused_until - now
    if n_in_flight >= max(1, int(throttle.limit)):
        return None
    waits = [0.0]
    if throttle.requests is not None and limits.requests_per_minute and throttle.requests < 1:
        waits.append((1 - throttle.requests) * 60 / limits.requests_per_minute)
    if throttle.tokens is not None and limits.tokens_per_minute:
        # A call larger than the whole bucket goes when the bucket is full.
        needed = min(n_tokens, max(1.0, limits.tokens_per_minute * _BURST))
        if throttle.tokens < needed:
            waits.append((needed - throttle.tokens) * 60 / limits.tokens_per_minute)
    return max(waits)


def taken(throttle: Throttle, n_tokens: int, now: float) -> Throttle:
    """The throttle after a call was let go."""
    return replace(
        throttle,
        requests=None if throttle.requests is None else throttle.requests - 1,
        tokens=None if throttle.tokens is None else throttle.tokens - n_tokens,
        used_at=now,
    )


def went_well(throttle: Throttle, *, n_in_flight: int, n_tokens_over: int, now: float) -> Throttle:
    """The throttle after a good reply; `n_tokens_over` is what it used above what was thought."""
    tokens = None if throttle.tokens is None else throttle.tokens - n_tokens_over
    throttle = replace(
        throttle,
        n_clean=throttle.n_clean + 1,
        n_gave_up=0,
        trouble=None,
        tokens=tokens,
        used_at=now,
    )
    if throttle.n_clean < throttle.limit or n_in_flight < _USED * throttle.limit:
        return throttle
    grown = (
        throttle.limit * 2
        if throttle.doubling
        else max(throttle.limit + 1, throttle.limit * GROWTH)
    )
    return replace(throttle, limit=min(grown, HIGHEST_LIMIT), n_clean=0)


def throttled(
    throttle: Throttle, *, n_in_flight: int, asked_s: float | None, now: float
) -> Throttle:
    """The throttle after the server asked for fewer calls, for `asked_s` seconds if it said so."""
    pause_s = min(asked_s or 0.0, LONGEST_PAUSE_S)
    throttle = replace(
        throttle, doubling=False, n_clean=0, paused_until=max(throttle.paused_until, now + pause_s)
    )
    if now - throttle.cut_at < max(EPISODE_S, pause_s):
        return throttle
    # What was in flight was too much; the limit may be far above that and never reached.
    return replace(throttle, limit=max(1.0, min(throttle.limit, n_in_flight) * CUT), cut_at=now)


def emptied(throttle: Throttle, quota: Quota, now: float) -> Throttle:
    """The throttle after a reply whose headers say what is left: a pause if that is nothing."""
    used_up = any(left is not None and left < 1 for left in (quota.n_requests, quota.n_tokens))
    if not used_up or quota.reset_s is None:
        return throttle
    pause_s = min(quota.reset_s, LONGEST_PAUSE_S)
    return replace(throttle, paused_until=max(throttle.paused_until, now + pause_s))


def troubled(throttle: Throttle, trouble: str, now: float) -> Throttle:
    """The throttle after an attempt that brought no reply."""
    since = now if throttle.trouble is None else throttle.trouble_since
    return replace(throttle, trouble=trouble, trouble_since=since)


def wait_of(throttle: Throttle, now: float) -> Wait | None:
    """What calls to the server wait for, as far as it is the server's doing."""
    left_s = max(0.0, throttle.paused_until - now)
    if throttle.trouble is None:
        reason = "the server's rate limit is used up"
        return Wait(reason=reason, since_s=0.0, left_s=left_s) if left_s else None
    since_s = max(0.0, now - throttle.trouble_since)
    return Wait(reason=throttle.trouble, since_s=since_s, left_s=left_s)
