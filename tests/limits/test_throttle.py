"""The throttle: how concurrency follows the server, pauses, and what a minute allows."""

from dataclasses import replace

import pytest

from pytest_sema_bench.catalog.models import RateLimits
from pytest_sema_bench.chat.permit import Quota
from pytest_sema_bench.limits.throttle import (
    CUT,
    EPISODE_S,
    FIRST_LIMIT,
    HIGHEST_LIMIT,
    LONGEST_PAUSE_S,
    STALE_S,
    Throttle,
    emptied,
    refreshed,
    taken,
    throttled,
    wait_s,
    went_well,
)

NOW = 1_000_000.0
NO_LIMITS = RateLimits()
USED = Throttle(used_at=NOW, filled_at=NOW)


def clean_round(throttle: Throttle) -> Throttle:
    """The throttle after as many good replies as it allows calls in flight, all under way."""
    n_calls = int(throttle.limit)
    for _ in range(n_calls):
        throttle = went_well(throttle, n_in_flight=n_calls, n_tokens_over=0, now=NOW)
    return throttle


def wait(
    throttle: Throttle, limits: RateLimits = NO_LIMITS, *, n: int = 0, tokens: int = 0
) -> float | None:
    """What a call has to wait with so many in flight."""
    return wait_s(throttle, limits, n_in_flight=n, n_tokens=tokens, now=NOW)


def test_concurrency_doubles_with_each_clean_round_until_the_first_429() -> None:
    """It finds a server's limit in a few rounds, and never goes above the highest."""
    limits = []
    throttle = USED
    for _ in range(8):
        limits.append(throttle.limit)
        throttle = clean_round(throttle)
    assert limits[:4] == [FIRST_LIMIT, 2 * FIRST_LIMIT, 4 * FIRST_LIMIT, 8 * FIRST_LIMIT]
    assert limits[-1] == HIGHEST_LIMIT


def test_after_a_429_it_grows_slowly() -> None:
    """By a twentieth or one call a round, so that it does not run into the next one at once."""
    throttle = throttled(USED, n_in_flight=20, asked_s=None, now=NOW)
    grown = clean_round(throttle)
    assert throttle.limit < grown.limit <= throttle.limit + 1
    large = replace(throttle, limit=200.0)
    assert clean_round(large).limit == pytest.approx(210.0)


def test_a_server_that_is_hardly_used_teaches_nothing() -> None:
    """Good replies raise the limit only while it is nearly reached."""
    throttle = USED
    for _ in range(100):
        throttle = went_well(throttle, n_in_flight=3, n_tokens_over=0, now=NOW)
    assert throttle.limit == FIRST_LIMIT


def test_an_episode_of_429s_cuts_once() -> None:
    """Calls that were under way together fail together; a later 429 cuts again."""
    once = throttled(USED, n_in_flight=20, asked_s=None, now=NOW)
    assert once.limit == pytest.approx(20 * CUT)
    again = throttled(once, n_in_flight=14, asked_s=None, now=NOW + EPISODE_S / 2)
    assert again.limit == once.limit
    later = throttled(once, n_in_flight=14, asked_s=None, now=NOW + EPISODE_S)
    assert later.limit == pytest.approx(14 * CUT)


def test_the_cut_starts_from_what_was_in_flight() -> None:
    """A limit that was never reached is no knowledge; at least one call is left."""
    few = throttled(replace(USED, limit=500.0), n_in_flight=10, asked_s=None, now=NOW)
    assert few.limit == pytest.approx(10 * CUT)
    assert throttled(USED, n_in_flight=1, asked_s=None, now=NOW).limit == 1.0


def test_nobody_calls_while_the_server_wants_to_be_left_alone() -> None:
    """A pause holds for all calls, is never shortened, and has a longest length."""
    throttle = throttled(USED, n_in_flight=5, asked_s=20.0, now=NOW)
    assert wait(throttle) == 20.0
    assert wait(throttled(throttle, n_in_flight=5, asked_s=1.0, now=NOW)) == 20.0
    assert wait(throttled(USED, n_in_flight=5, asked_s=9999.0, now=NOW)) == LONGEST_PAUSE_S
    assert wait_s(throttle, NO_LIMITS, n_in_flight=0, n_tokens=0, now=NOW + 20.0) == 0.0


def test_a_full_house_waits_for_a_call_to_end() -> None:
    """Up to the limit calls go at once; how long the next one waits is not known."""
    assert wait(USED, n=19) == 0.0
    assert wait(USED, n=20) is None
    assert wait(replace(USED, limit=0.3), n=0) == 0.0


def test_a_registrys_concurrency_is_the_most_there_is() -> None:
    """However well all goes, `limits: {concurrency: 4}` holds."""
    limits = RateLimits(concurrency=4)
    throttle = refreshed(replace(USED, limit=300.0), limits, NOW)
    assert throttle.limit == 4
    assert wait(throttle, limits, n=4) is None


def test_requests_per_minute_come_evenly_after_a_burst() -> None:
    """Ten seconds' worth at once, then one every sixtieth of the allowance."""
    limits = RateLimits(requests_per_minute=60)
    throttle = refreshed(USED, limits, NOW)
    n_burst = 0
    while wait(throttle, limits) == 0.0:
        throttle, n_burst = taken(throttle, 0, NOW), n_burst + 1
    assert n_burst == 10
    assert wait(throttle, limits) == pytest.approx(1.0)
    later = refreshed(throttle, limits, NOW + 3.0)
    assert later.requests == pytest.approx(3.0)
    full = refreshed(throttle, limits, NOW + 300.0)
    assert full.requests == pytest.approx(10.0)


def test_tokens_per_minute_count_what_calls_really_used() -> None:
    """A call that used more than thought leaves less for the next."""
    limits = RateLimits(tokens_per_minute=6000)
    throttle = taken(refreshed(USED, limits, NOW), 400, NOW)
    assert throttle.tokens == pytest.approx(600)
    throttle = went_well(throttle, n_in_flight=1, n_tokens_over=500, now=NOW)
    assert throttle.tokens == pytest.approx(100)
    assert wait(throttle, limits, tokens=300) == pytest.approx(2.0)


def test_a_call_larger_than_the_bucket_goes_when_it_is_full() -> None:
    """No call waits for ever, and a very small allowance still lets one call go."""
    limits = RateLimits(tokens_per_minute=600, requests_per_minute=0.5)
    throttle = refreshed(USED, limits, NOW)
    assert wait(throttle, limits, tokens=50_000) == 0.0
    emptier = refreshed(taken(throttle, 50_000, NOW), limits, NOW)
    assert (wait(emptier, limits, tokens=1) or 0) > 60


QUOTAS = {
    "requests used up": (Quota(n_requests=0, reset_s=7.0), 7.0),
    "tokens used up": (Quota(n_requests=5, n_tokens=0, reset_s=7.0), 7.0),
    "something left": (Quota(n_requests=1, n_tokens=9, reset_s=7.0), 0.0),
    "no reset named": (Quota(n_requests=0), 0.0),
    "a reset in a day": (Quota(n_tokens=0, reset_s=86_400.0), LONGEST_PAUSE_S),
}


@pytest.mark.parametrize("name", QUOTAS)
def test_headers_that_say_nothing_is_left_make_a_pause(name: str) -> None:
    """Until the window ends, so that the 429 need not come."""
    quota, expected_s = QUOTAS[name]
    assert wait(emptied(USED, quota, NOW)) == expected_s


def test_after_a_long_pause_it_starts_where_it_ended() -> None:
    """After ten minutes without a call the limit alone is left, and doubles again."""
    throttle = throttled(USED, n_in_flight=2, asked_s=None, now=NOW)
    assert refreshed(throttle, NO_LIMITS, NOW + STALE_S - 1).limit == throttle.limit
    assert not throttle.doubling
    assert refreshed(throttle, NO_LIMITS, NOW + STALE_S + 1) == Throttle(
        limit=throttle.limit, filled_at=NOW + STALE_S + 1
    )
